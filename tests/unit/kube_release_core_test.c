/* Nodes of Kubernetes that are given back: pools that are released, and nodes that leave theirs. */
#include "tests/unit/kube_sleep_rig.h"

/* --- given back ---------------------------------------------------------------------------------
 */

/* How many nodes of the pool bear something. */
static int marked(struct rig *r)
{
    json_t *o = controller_get(r->d.core, "powerpools", "p", r->d.now_ms, r->d.wall_ms);
    int n = (int)json_integer_value(json_object_get(json_object_get(o, "status"), "marked"));

    json_decref(o);
    return n;
}

/* Its nodes are woken, although it asks for none, and nothing is kept of them. */
static void a_pool_is_released(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    assert_int_equal(marked(&r), 1);
    put(&r, POOL_OF("observe", "0"));
    pass(&r, 30);
    STATE(&r, "asleep");
    put(&r, POOL_OF("release", "0"));
    pass(&r, 1);
    STATE(&r, "waking");
    assert_int_equal(r.wakes, 1);
    assert_false(r.spare);
    r.agent_boot = "boot-2";
    r.n1.ready = true;
    r.n1.boot_id = "boot-2";
    tell(&r);
    probe(&r, POWER_ON);
    pass(&r, 3);
    STATE(&r, "awake");
    assert_int_equal(r.wanted, KUBE_STAGE_NONE);
    assert_true(r.spare);
    assert_int_equal(marked(&r), 1); /* as it was seen last */
    r.n1.stage = KUBE_STAGE_NONE;
    tell(&r);
    assert_int_equal(marked(&r), 1); /* its NodePower */
    tell_power(&r, NULL, 0);
    assert_int_equal(marked(&r), 0);
    pass(&r, 200);
    STATE(&r, "awake");
    assert_int_equal(desk_verb(&r.d, VERB_SLEEP, "n1"), 422);
    end(&r);
}

#define POOL_OF_OTHERS(mode) \
    POOL_WITH("\"mode\":\"" mode "\",\"selector\":{\"other\":\"yes\"}", "0")

/* Its pool has to take it along, and has nothing to do with it when it is awake again. */
static void a_sleeper_that_leaves_its_pool_is_woken(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    put(&r, POOL_OF_OTHERS("act"));
    pass(&r, 30);
    STATE(&r, "asleep");
    assert_int_equal(marked(&r), 1);
    put(&r, POOL_OF_OTHERS("release"));
    pass(&r, 1);
    STATE(&r, "waking");
    assert_int_equal(r.wakes, 1);
    r.agent_boot = "boot-2";
    r.n1.ready = true;
    r.n1.boot_id = "boot-2";
    tell(&r);
    probe(&r, POWER_ON);
    assert_int_equal(marked(&r), 1);
    pass(&r, 3);
    STATE(&r, "unmanaged"); /* it is of no pool */
    assert_true(r.spare && r.wanted == KUBE_STAGE_NONE);
    assert_int_equal(marked(&r), 0);
    end(&r);
}

static void one_that_leaves_its_pool_turns_back(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    empty(&r);
    put(&r, POOL_OF_OTHERS("act"));
    assert_int_equal(marked(&r), 1);
    pass(&r, 3);
    STATE(&r, "unmanaged");
    assert_true(r.spare && r.wanted == KUBE_STAGE_NONE);
    end(&r);
}

static void a_sleeper_that_left_its_pool_is_woken_for_a_pod(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    put(&r, POOL_OF_OTHERS("act"));
    r.n1.pending = "b/job cannot be scheduled elsewhere, and fits here";
    tell(&r);
    pass(&r, 1);
    STATE(&r, "waking");
    assert_int_equal(r.wakes, 1);
    end(&r);
}

/* --- a controller that starts anew --------------------------------------------------------------
 */

#define POOL_NAMED(name, selector)                                                            \
    "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"mode\":" \
    "\"observe\",\"selector\":" selector "}}"

/* Another controller, with a store of its own, in which nothing is: it has what the API has. */
static void another_leads(struct rig *r, const char *record)
{
    char row[sizeof(r->record)];

    (void)snprintf(row, sizeof(row), "%s", record);
    end(r);
    r->d = (struct desk){ .now_ms = 1000,
                          .wall_ms = r->d.wall_ms + 60000,
                          .options = { .cluster_id = "desk", .seed = 1, .kubernetes = true } };
    desk_start(&r->d);
    put(r, POLICY);
    put(r, POOL_OF_OTHERS("act"));
    put(r, POOL_NAMED("a", "{}")); /* the first by name that the node's labels fit */
    tell(r);
    other_node(r);
    tell_power(r, row, 3);
    tell_watch(r);
    lead(r, true, 4);
    pass(r, 2);
    probe(r, POWER_OFF);
    STATE(r, "asleep");
}

static const char *pool_of(struct rig *r)
{
    static char text[300];
    json_t *o = controller_get(r->d.core, "nodes", "n1", r->d.now_ms, r->d.wall_ms);
    const char *name = json_string_value(json_object_get(json_object_get(o, "status"), "pool"));

    (void)snprintf(text, sizeof(text), "%s", name ? name : "");
    json_decref(o);
    return text;
}

/* Whose driver wakes it, of all the pools that there are, stands in its NodePower. */
static void another_controller_knows_whose_sleeper_it_is(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    assert_non_null(strstr(r.record, "\"pool\":\"p\""));
    another_leads(&r, r.record);
    assert_string_equal(pool_of(&r), "p");
    put(&r, POOL_OF_OTHERS("release"));
    pass(&r, 1);
    STATE(&r, "waking");
    assert_int_equal(r.wakes, 1);
    r.agent_boot = "boot-2";
    r.n1.ready = true;
    r.n1.boot_id = "boot-2";
    tell(&r);
    probe(&r, POWER_ON);
    pass(&r, 3);
    assert_null(strstr(r.record, "\"pool\"")); /* awake, it is whose its labels say */
    assert_string_equal(pool_of(&r), "a");
    end(&r);
}

/* A record of a version that noted no pool is read: labels say whose it is, as they did. */
static void an_older_record_says_no_pool(void **state)
{
    char *old;
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    old = xstrdup(r.record);
    memcpy(strstr(old, "\"pool\""), "\"loop\"", strlen("\"loop\""));
    another_leads(&r, old);
    assert_string_equal(pool_of(&r), "a");
    assert_non_null(strstr(r.record, "\"pool\":\"a\"")); /* and from now on that is noted */
    free(old);
    end(&r);
}

static void forget_pool(struct rig *r, const char *name)
{
    struct controller_event e = { .kind = CE_DELETE };

    e.del.kind = KIND_POWER_POOL;
    e.del.name = name;
    e.del.observed = true;
    e.del.who = "kubernetes";
    step(r, &e);
}

/* Its pool comes again under its name: what it has to wake is its own, whatever it selects. */
static void a_pool_that_comes_again_has_its_sleepers(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    forget_pool(&r, "p");
    put(&r, POOL_NAMED("a", "{}"));
    pass(&r, 1);
    assert_string_equal(pool_of(&r), "a");
    put(&r, POOL_OF_OTHERS("act"));
    assert_string_equal(pool_of(&r), "p");
    end(&r);
}

/* --- a pool that cannot be taken in -------------------------------------------------------------
 */

/* It is to be given back; `left` is what the edge could read of it. */
static void refuse(struct rig *r, const char *left)
{
    struct controller_event e = { .kind = CE_KUBE_REFUSED };
    AUTO(manifest) struct manifest *m = NULL;
    json_t *doc = json_loads(left, 0, NULL);
    struct err why = ERR_INIT;

    if (manifest_from_json(doc, "test", &m, &why) < 0)
        fail_msg("%s", why.text);
    e.kube_refused.kind = KIND_POWER_POOL;
    e.kube_refused.name = "p";
    e.kube_refused.why = "spec.driver.program: it may not be run";
    e.kube_refused.release = m;
    step(r, &e);
    json_decref(doc);
}

#define LEFT                                                                           \
    "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},\"spec\":{\"mode\":" \
    "\"release\",\"selector\":{\"no\":\"node\"},\"driver\":{\"type\":\"none\"}}}"

/* Is it told in this step, of the node? */
static bool says_by_hand(const struct rig *r)
{
    for (size_t i = 0; i < r->d.fx.n_items; i++) {
        const struct effect *e = &r->d.fx.items[i];

        if (e->kind == FX_EVENT && strcmp(e->event.reason, "WakeByHand") == 0)
            return strcmp(e->event.name, "n1") == 0;
    }
    return false;
}

/* By the driver that it had when it was taken in last. */
static void a_refused_pool_is_given_back_as_it_was(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    refuse(&r, LEFT);
    pass(&r, 1);
    STATE(&r, "waking");
    assert_int_equal(r.wakes, 1);
    refuse(&r, LEFT); /* told again */
    pass(&r, 1);
    assert_int_equal(marked(&r), 1);
    end(&r);
}

static void a_refused_pool_turns_back_what_was_begun(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    empty(&r);
    refuse(&r, LEFT);
    pass(&r, 2);
    STATE(&r, "awake");
    assert_true(r.spare && r.wanted == KUBE_STAGE_NONE);
    end(&r);
}

static const char *by_hand(struct rig *r)
{
    static char text[100];
    json_t *o = controller_get(r->d.core, "powerpools", "p", r->d.now_ms, r->d.wall_ms);
    const char *name = json_string_value(
        json_array_get(json_object_get(json_object_get(o, "status"), "wakeByHand"), 0));

    (void)snprintf(text, sizeof(text), "%s", name ? name : "");
    json_decref(o);
    return text;
}

/* A controller that never took it in has no driver for it: a person wakes what sleeps, and when he
 * has, nothing is left. */
static void without_a_driver_people_are_told_whom_to_wake(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    another_leads(&r, r.record);
    forget_pool(&r, "p");
    refuse(&r, LEFT);
    assert_string_equal(pool_of(&r), "p");
    assert_string_equal(by_hand(&r), "n1");
    assert_int_equal(marked(&r), 1);
    pass(&r, 60);
    STATE(&r, "asleep");
    r.agent_boot = "boot-2";
    r.n1.ready = true;
    r.n1.boot_id = "boot-2";
    tell(&r);
    pass(&r, 3);
    assert_int_equal(r.wanted, KUBE_STAGE_NONE);
    assert_string_equal(pool_of(&r), "a"); /* awake, it is another pool's, by its labels */
    assert_string_equal(by_hand(&r), "");
    assert_int_equal(marked(&r), 0);
    end(&r);
}

static void a_sleeper_whose_pool_is_gone_is_named_once(void **state)
{
    struct rig r;
    int told = 0;

    (void)state;
    begin(&r);
    fall_asleep(&r);
    forget_pool(&r, "p");
    told += says_by_hand(&r);
    for (int i = 0; i < 30; i++) {
        desk_pass(&r.d, 1000);
        told += says_by_hand(&r);
    }
    assert_int_equal(told, 1);
    end(&r);
}

/* What was begun is turned back, whoever wanted it. */
static void a_release_turns_back(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    empty(&r);
    put(&r, POOL_OF("release", "1"));
    pass(&r, 2);
    STATE(&r, "awake");
    assert_int_equal(r.wanted, KUBE_STAGE_NONE);
    assert_true(r.spare);
    end(&r);
}

/* A NodePower that an earlier leader has left on a node that is awake. */
static void what_is_left_of_another_life_goes(void **state)
{
    struct rig r;

    (void)state;
    begin(&r);
    put(&r, POOL_OF("observe", "1"));
    lead(&r, false, 3);
    r.any = false;
    tell_power(&r, "{}", 2);
    lead(&r, true, 4);
    pass(&r, 3);
    assert_false(r.any && r.spare);
    put(&r, POOL_OF("release", "1"));
    pass(&r, 2);
    assert_true(r.any && r.spare);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_is_released),
        cmocka_unit_test(a_sleeper_that_leaves_its_pool_is_woken),
        cmocka_unit_test(one_that_leaves_its_pool_turns_back),
        cmocka_unit_test(a_sleeper_that_left_its_pool_is_woken_for_a_pod),
        cmocka_unit_test(another_controller_knows_whose_sleeper_it_is),
        cmocka_unit_test(an_older_record_says_no_pool),
        cmocka_unit_test(a_pool_that_comes_again_has_its_sleepers),
        cmocka_unit_test(a_refused_pool_is_given_back_as_it_was),
        cmocka_unit_test(a_refused_pool_turns_back_what_was_begun),
        cmocka_unit_test(without_a_driver_people_are_told_whom_to_wake),
        cmocka_unit_test(a_sleeper_whose_pool_is_gone_is_named_once),
        cmocka_unit_test(a_release_turns_back),
        cmocka_unit_test(what_is_left_of_another_life_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
