/* Two agents of one name are told apart from one agent whose last words come late. */
#include "controller/state/snapshot_build.h"
#include "tests/unit/core_world.h"

static void only_who_read_it_can_carry_it(void **state)
{
    struct twin t = { 0 };

    (void)state;
    assert_int_equal(twin_hear(&t, 5, 3, 3, 1000), TWIN_ASK);
    assert_false(twin_present(&t, 1000));
    assert_int_equal(twin_hear(&t, 5, 3, 9, 2000), TWIN_NONE); /* late words, however many */
    assert_int_equal(twin_hear(&t, 5, 2, 9, 3000), TWIN_NONE);
    assert_false(twin_present(&t, 3000));
    assert_int_equal(twin_hear(&t, 5, 4, 9, 4000), TWIN_PROVEN);
    assert_true(twin_present(&t, 64000));
    assert_false(twin_present(&t, 64001));
    assert_int_equal(twin_hear(&t, 6, 99, 9, 5000), TWIN_ASK); /* another one is asked anew */
}

static const struct node *node_a(const struct desk *d)
{
    return named_find(&d->core->cluster->nodes, "a");
}

/* The newest reply to the node, as an agent reads it; NULL where there was none. */
static struct wire_reply *reply_of(struct desk *d)
{
    struct wire_reply *reply = NULL;

    for (size_t i = 0; i < d->fx.n_items; i++) {
        const struct effect *e = &d->fx.items[i];

        if (e->kind != FX_REPLY || strcmp(e->reply.node, "a") != 0)
            continue;
        wire_reply_free(reply);
        reply = NULL;
        assert_int_equal(wire_reply_decode(e->reply.bytes, e->reply.n, &reply, NULL), 0);
    }
    return reply;
}

static bool has_event(const struct desk *d, const char *reason)
{
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_EVENT && strcmp(d->fx.items[i].event.reason, reason) == 0)
            return true;
    return false;
}

/* A report of one of the two, and what comes of it at the next tick. */
static void speak(struct desk *d, uint64_t epoch, const char *boot_id, uint64_t generation)
{
    d->epoch = epoch;
    d->boot_id = boot_id;
    d->generation = generation;
    desk_report(d, "a", NULL, 0);
}

static void begin(struct desk *d)
{
    desk_init(d);
    assert_int_equal(desk_put(d, "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},"
                                 "\"spec\":{\"minAwake\":1}}"),
                     201);
    speak(d, 1, "boot-1", 0);
    desk_pass(d, 5000);
    speak(d, 2, "boot-2", 1);
    desk_pass(d, 5000);
}

static void both_are_told_to_keep_what_runs(void **state)
{
    struct wire_reply *reply;
    struct desk d;
    uint64_t told;

    (void)state;
    begin(&d);
    assert_true(node_schedulable(d.core->cluster, node_a(&d), d.now_ms));
    speak(&d, 1, "boot-1", 1); /* it is alive, or a straggler: it is asked */
    reply = reply_of(&d);
    assert_non_null(reply);
    told = reply->generation;
    assert_true(told > 1 && reply->desired_present);
    wire_reply_free(reply);
    assert_false(has_event(&d, "TwoAgents"));
    desk_pass(&d, 5000);
    speak(&d, 2, "boot-2", told);
    speak(&d, 1, "boot-1", told);
    assert_true(has_event(&d, "TwoAgents"));
    reply = reply_of(&d);
    assert_non_null(reply);
    assert_false(reply->desired_present);
    wire_reply_free(reply);
    assert_false(node_schedulable(d.core->cluster, node_a(&d), d.now_ms));
    desk_pass(&d, 1000);
    assert_string_equal(node_a(&d)->why_not_asleep, "two agents report under its name");
    for (int i = 0; i < 30; i++) { /* as long as both go on; it is said once */
        speak(&d, 2, "boot-2", told);
        speak(&d, 1, "boot-1", told);
        assert_false(has_event(&d, "TwoAgents"));
        desk_pass(&d, 5000);
        assert_true(node_a(&d)->twin.told);
    }
    for (int i = 0; i < 13; i++) { /* one was given another name */
        speak(&d, 2, "boot-2", told);
        desk_pass(&d, 5000);
    }
    assert_false(node_a(&d)->twin.told);
    assert_true(node_schedulable(d.core->cluster, node_a(&d), d.now_ms));
    desk_done(&d);
}

static void stragglers_are_no_second_agent(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    for (int i = 0; i < 20; i++) {
        speak(&d, 1, "boot-1", 1);
        speak(&d, 2, "boot-2", (uint64_t)node_a(&d)->generation);
        desk_pass(&d, 5000);
        assert_false(node_a(&d)->twin.told);
    }
    desk_done(&d);
}

/* The one that was taken for the new life was stopped: the one before goes on, not a joule twice.
 */
static void the_one_that_is_left_is_the_node(void **state)
{
    const uint64_t before_uj = 50000000;
    struct desk d;
    uint64_t told;

    (void)state;
    begin(&d);
    d.energy_uj = before_uj;
    speak(&d, 2, "boot-2", 1);
    told = (uint64_t)node_a(&d)->energy_measured_uj;
    for (int i = 0; i < 4; i++) { /* four intervals in which the other may be late */
        speak(&d, 1, "boot-1", (uint64_t)node_a(&d)->generation);
        assert_string_equal(node_a(&d)->boot_id, "boot-2");
        assert_false(has_event(&d, "TwoAgents")); /* only one of them is heard */
        desk_pass(&d, 5000);
    }
    for (int i = 0; i < 3; i++) {
        d.energy_uj += 1000000;
        speak(&d, 1, "boot-1", (uint64_t)node_a(&d)->generation);
        desk_pass(&d, 5000);
    }
    assert_string_equal(node_a(&d)->boot_id, "boot-1");
    assert_int_equal(node_a(&d)->record.state, NODE_AWAKE);
    assert_true(node_a(&d)->energy_measured_uj - told <= before_uj + 3000000);
    assert_false(node_a(&d)->twin.told);
    desk_done(&d);
}

/* A node that sleeps is silent: who speaks in its name meanwhile does not take its place. */
static void a_sleeper_is_not_replaced(void **state)
{
    struct node *n;
    struct desk d;

    (void)state;
    begin(&d);
    n = named_find(&d.core->cluster->nodes, "a");
    n->record.state = NODE_ASLEEP;
    n->record.entered_ms = d.now_ms;
    n->record.entered_wall_ms = d.wall_ms;
    for (int i = 0; i < 12; i++) {
        speak(&d, 1, "boot-1", (uint64_t)n->generation);
        desk_pass(&d, 5000);
        assert_string_equal(n->boot_id, "boot-2");
        assert_int_equal(n->record.state, NODE_ASLEEP);
    }
    assert_true(n->twin.told);
    desk_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_read_it_can_carry_it),
        cmocka_unit_test(both_are_told_to_keep_what_runs),
        cmocka_unit_test(stragglers_are_no_second_agent),
        cmocka_unit_test(the_one_that_is_left_is_the_node),
        cmocka_unit_test(a_sleeper_is_not_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
