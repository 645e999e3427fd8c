/* What huddle would do is told once for each change, by the leader, and as Events of Kubernetes
 * only where the mode of the pool lets it. */
#include "controller/kube_facts.h"
#include "controller/placement/brain.h"
#include "tests/unit/kube_core_world.h"

static void lead(struct desk *d, bool leads, uint64_t epoch)
{
    struct controller_event event = { .kind = CE_KUBE_LEAD };

    event.kube_lead.leads = leads;
    event.kube_lead.epoch = epoch;
    desk_step(d, &event);
}

struct told {
    int sleeps, moves, published, all;
    char note[600], pod[100];
};

/* Plans for a while; what was told meanwhile. */
static struct told told(struct desk *d, struct brain *brain)
{
    struct told t = { 0 };

    for (int i = 0; i < 100; i++) {
        desk_pass(d, 1000);
        if (!plan_with(d, brain))
            continue;
        for (size_t j = 0; j < d->fx.n_items; j++) {
            const struct effect *e = &d->fx.items[j];

            if (e->kind != FX_EVENT)
                continue;
            t.all++;
            t.published += e->event.published;
            t.sleeps += strcmp(e->event.reason, "WouldSleep") == 0;
            if (strcmp(e->event.reason, "WouldMove") != 0)
                continue;
            t.moves++;
            (void)snprintf(t.note, sizeof(t.note), "%s", e->event.message);
            (void)snprintf(t.pod, sizeof(t.pod), "%s", e->event.pod ? e->event.pod : "");
        }
    }
    return t;
}

static void begin_with(struct desk *d, const char *pool)
{
    begin(d);
    tell_all(d);
    put(d, pool);
    tell_watch(d, "");
}

/* The newest effect is the event of it. */
static const struct effect *withhold_many(struct desk *d, const char *pod, size_t n)
{
    const struct kube_wait_facts f = { pod, "uid-7", "it waits for a claim; make one", n };
    struct controller_event event = { .kind = CE_KUBE_WAIT, .kube_wait = &f };
    const struct effect *found = NULL;

    desk_step(d, &event);
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_EVENT && strcmp(d->fx.items[i].event.kind, "pod") == 0)
            found = &d->fx.items[i];
    assert_non_null(found);
    return found;
}

static const struct effect *withhold(struct desk *d, const char *pod)
{
    return withhold_many(d, pod, 1);
}

/* Of any pod, also of no model; as an Event by the leader alone, where huddle acts at all. */
static void a_wake_that_is_withheld_is_told(void **state)
{
    const struct effect *e;
    struct desk d;

    (void)state;
    begin_with(&d, POOL_OF("act"));
    e = withhold(&d, "shop/web-1");
    assert_false(e->event.published);
    lead(&d, true, 1);
    e = withhold(&d, "shop/web-1");
    assert_true(e->event.published);
    assert_string_equal(e->event.name, "shop/web-1");
    assert_string_equal(e->event.uid, "uid-7");
    assert_string_equal(e->event.reason, "WakeWithheld");
    assert_string_equal(e->event.message, "it waits for a claim; make one");
    e = withhold_many(&d, "shop/web-1", 500);
    assert_string_equal(e->event.message, "500 pods like it wait: it waits for a claim; make one");
    put(&d, POOL_OF("observe"));
    e = withhold(&d, "shop/web-1");
    assert_false(e->event.published);
    desk_done(&d);
}

static void the_leader_tells_each_change_once(void **state)
{
    AUTO(brain) struct brain *brain = brain_new(1);
    struct desk d;
    struct told t;

    (void)state;
    begin_with(&d, POOL_OF("recommend"));
    assert_int_equal(told(&d, brain).all, 0); /* nobody leads yet */
    lead(&d, true, 1);
    t = told(&d, brain);
    assert_int_equal(t.sleeps, 2);
    assert_true(t.moves > 0);
    assert_int_equal(t.published, t.all);
    assert_non_null(strstr(t.note, "would move from"));
    assert_memory_equal(t.pod, "a/", 2);
    assert_int_equal(told(&d, brain).all, 0);
    lead(&d, false, 1);
    assert_int_equal(told(&d, brain).all, 0);
    lead(&d, true, 2); /* what the other one told is not known */
    assert_int_equal(told(&d, brain).sleeps, 2);
    desk_done(&d);
}

static void what_is_observed_is_not_told(void **state)
{
    AUTO(brain) struct brain *brain = brain_new(1);
    struct desk d;

    (void)state;
    begin_with(&d, POOL_OF("observe"));
    lead(&d, true, 1);
    assert_int_equal(told(&d, brain).all, 0);
    put(&d, POOL_OF("recommend"));
    assert_int_equal(told(&d, brain).sleeps, 2);
    put(&d, POOL_OF("observe"));
    assert_int_equal(told(&d, brain).all, 0);
    put(&d, POOL_OF("recommend"));
    assert_int_equal(told(&d, brain).sleeps, 2);
    desk_done(&d);
}

static void only_what_a_pool_lets_is_published(void **state)
{
    struct desk d;

    (void)state;
    begin_with(&d, POOL_OF("observe"));
    lead(&d, true, 1);
    assert_false(kube_publishes(d.core, "node", "n1"));
    assert_false(kube_publishes(d.core, "replica", "m-1"));
    assert_false(kube_publishes(d.core, "powerpool", "p"));
    assert_false(kube_publishes(d.core, "servedmodel", "m.a"));
    put(&d, POOL_OF("act"));
    assert_true(kube_publishes(d.core, "node", "n1"));
    assert_true(kube_publishes(d.core, "replica", "m-1"));
    assert_true(kube_publishes(d.core, "powerpool", "p"));
    assert_true(kube_publishes(d.core, "servedmodel", "m.a"));
    assert_false(kube_publishes(d.core, "cluster", "desk"));
    assert_false(kube_publishes(d.core, "node", "nobody"));
    lead(&d, false, 1);
    assert_false(kube_publishes(d.core, "node", "n1"));
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wake_that_is_withheld_is_told),
        cmocka_unit_test(the_leader_tells_each_change_once),
        cmocka_unit_test(what_is_observed_is_not_told),
        cmocka_unit_test(only_what_a_pool_lets_is_published),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
