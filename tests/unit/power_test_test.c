/* huddlectl power test in the controller's core, by events: a node whose waking is not proven is
 * put to sleep and woken at a person's wish, over restarts of the controller in every state, and
 * what else may come of it. */
#include "tests/unit/wake_rig.h"

#include "controller/state/snapshot_build.h"

static int ask(struct rig *g, const char *node)
{
    int status = desk_verb(&g->d, VERB_POWER_TEST, node);

    rig_drive(g);
    return status;
}

static void refused(struct rig *g, const char *node, const char *part)
{
    assert_int_equal(desk_verb(&g->d, VERB_POWER_TEST, node), 422);
    for (size_t i = 0; i < g->d.fx.n_items; i++)
        if (g->d.fx.items[i].kind == FX_ANSWER && !strstr(g->d.fx.items[i].answer.message, part))
            fail_msg("\"%s\" is not in: %s", part, g->d.fx.items[i].answer.message);
}

static const struct wake_test *test_of(struct rig *g, const char *node)
{
    return &rig_node(g, node)->record.test;
}

static void until_over(struct rig *g, const char *node, enum wake_test_state state)
{
    int64_t end_ms = g->d.now_ms + 7200000;

    while (test_of(g, node)->state == WAKE_TEST_RUNNING) {
        if (g->d.now_ms > end_ms)
            fail_msg("%s: %s", node_state_name(rig_node(g, node)->record.state),
                     test_of(g, node)->text);
        rig_pass(g, RIG_STEP_MS);
    }
    if (test_of(g, node)->state != state)
        fail_msg("test is %s: %s", wake_test_state_name(test_of(g, node)->state),
                 test_of(g, node)->text);
}

static void assert_says(struct rig *g, const char *node, const char *part)
{
    if (!strstr(test_of(g, node)->text, part))
        fail_msg("\"%s\" is not in: %s", part, test_of(g, node)->text);
}

/* Rows of the journal of this act of the node, by whom. */
static unsigned rows_of(const struct rig *g, const char *act, const char *by)
{
    json_t *rows = controller_get(g->d.core, "journal", NULL, g->d.now_ms, g->d.wall_ms), *row;
    unsigned n = 0;
    size_t i;

    json_array_foreach(rows, i, row) {
        const json_t *spec = json_object_get(row, "spec");

        n += strcmp(json_string_value(json_object_get(spec, "act")), act) == 0 &&
             strcmp(json_string_value(json_object_get(spec, "by")), by) == 0;
    }
    json_decref(rows);
    return n;
}

static void begin(struct rig *g, size_t n)
{
    rig_init(g, n, RIG_POOL(), RIG_POLICY());
}

static void proves_waking(void **unused)
{
    const struct wake_proof *p;
    struct rig g;

    (void)unused;
    begin(&g, 2);
    assert_false(node_wake_proven(rig_node(&g, "a"), g.d.wall_ms));
    assert_int_equal(desk_verb(&g.d, VERB_SLEEP, "a"), 422); /* not without proof */
    g.d.cycles = 3;
    assert_int_equal(ask(&g, "a"), 200);
    rig_until(&g, "a", NODE_ASLEEP);
    until_over(&g, "a", WAKE_TEST_PASSED);
    assert_int_equal(rig_node(&g, "a")->record.state, NODE_AWAKE);
    assert_int_equal(g.machine[0].boot, 3);
    assert_int_equal(g.machine[1].boot, 0);
    p = &rig_node(&g, "a")->record.proof;
    assert_int_equal(p->cycles, 3);
    assert_true(p->tested_wall_ms > 0);
    assert_in_range(p->sleep.p50_ms, RIG_SHUTDOWN_MS, RIG_SHUTDOWN_MS + 3000);
    assert_in_range(p->sleep.worst_ms, p->sleep.p50_ms, RIG_SHUTDOWN_MS + 3000);
    assert_in_range(p->wake.p50_ms, RIG_BOOT_MS, RIG_BOOT_MS + 1500);
    assert_int_equal(p->metered, 3);
    assert_true(p->joules > 0);
    assert_true(node_wake_proven(rig_node(&g, "a"), g.d.wall_ms));
    assert_false(node_wake_proven(rig_node(&g, "b"), g.d.wall_ms));
    assert_int_equal(rig_node(&g, "a")->curve.wakes, 3); /* boot times are learned */
    assert_in_range((int)rig_node(&g, "a")->curve.boot_s, 18, 23);
    assert_int_equal(rows_of(&g, "power-test", "test"), 2); /* asked for, and done */
    assert_true(rows_of(&g, "sleep", "test") >= 9);         /* draining, preparing, ... */
    assert_int_equal(rows_of(&g, "wake", "test"), 3);
    rig_rest(&g, 700000); /* the cool-down */
    assert_int_equal(desk_verb(&g.d, VERB_SLEEP, "a"), 200);
    rig_done(&g);
}

/* The other one is asleep, so its pool has its least and no more. */
static void refused_where_something_stands_against_it(void **unused)
{
    struct rig g;

    (void)unused;
    begin(&g, 2);
    assert_int_equal(desk_verb(&g.d, VERB_PAUSE, ""), 200);
    refused(&g, "a", "paused by a person: huddlectl resume");
    assert_int_equal(desk_verb(&g.d, VERB_RESUME, ""), 200);
    desk_put(&g.d, RIG_POOL(",\"minAwake\":2"));
    rig_pass(&g, 1000);
    refused(&g, "a", "its pool needs every node that is awake: wake another one");
    desk_put(&g.d, RIG_POOL(",\"spare\":2"));
    rig_pass(&g, 1000);
    refused(&g, "a", "its pool needs every node");
    desk_put(&g.d, RIG_POOL());
    desk_put(&g.d, RIG_POLICY(",\"paused\":true"));
    refused(&g, "a", "its policy is paused: set paused: false");
    desk_put(&g.d, RIG_POLICY(",\"dryRun\":true"));
    refused(&g, "a", "dry run: set dryRun: false");
    desk_put(&g.d, RIG_POLICY(",\"windows\":[{\"days\":\"Mon-Sun\",\"start\":\"00:00\",\"end\":"
                              "\"24:00\",\"zone\":\"UTC\",\"deny\":true}]"));
    rig_pass(&g, 1000);
    refused(&g, "a", "outside the policy's windows: wait for one");
    desk_put(&g.d, RIG_POLICY());
    rig_pass(&g, 1000);
    desk_put(&g.d, DESK_MODEL("m", "")); /* one replica, that is nowhere */
    rig_pass(&g, 1000);
    refused(&g, "a", "a model is below its floor: wake more nodes");
    desk_delete(&g.d, KIND_SERVED_MODEL, "m");
    g.d.cycles = 11;
    refused(&g, "a", "of its 10 power cycles a day 10 are left: ask for fewer --cycles");
    g.d.cycles = 1;
    assert_int_equal(desk_verb(&g.d, VERB_HOLD, "a"), 200);
    rig_pass(&g, 1000);
    refused(&g, "a", "held by a person: huddlectl release");
    assert_int_equal(desk_verb(&g.d, VERB_RELEASE, "a"), 200);
    rig_pass(&g, 2000);
    g.d.core->store_failed = true;
    refused(&g, "a", "the store cannot be written");
    g.d.core->store_failed = false;
    desk_put(&g.d, "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},\"spec\":"
                   "{\"driver\":{\"type\":\"none\"},\"minAwake\":0,\"spare\":0}}");
    refused(&g, "a", "its pool has no driver that could wake it: declare a driver");
    desk_put(&g.d, RIG_POOL());
    assert_int_equal(desk_verb(&g.d, VERB_POWER_TEST, "nobody"), 404);
    g.machine[0].on = false;
    rig_until(&g, "a", NODE_UNREACHABLE);
    refused(&g, "a", "it is unreachable, and only a node that is awake can be tested: look at");
    assert_int_equal(test_of(&g, "a")->number, 0);
    rig_done(&g);
}

static void one_unproven_node_at_a_time(void **unused)
{
    struct rig g;

    (void)unused;
    begin(&g, 3);
    assert_int_equal(ask(&g, "a"), 200);
    assert_int_equal(ask(&g, "a"), 200); /* joins the one that runs */
    assert_int_equal(test_of(&g, "a")->number, 1);
    refused(&g, "b", "node a of its pool is being tested");
    until_over(&g, "a", WAKE_TEST_PASSED);
    assert_int_equal(ask(&g, "b"), 200);
    assert_int_equal(ask(&g, "a"), 200); /* of proven ones as many as else may sleep */
    assert_int_equal(test_of(&g, "a")->number, 2);
    refused(&g, "c", "node b of its pool is being tested");
    until_over(&g, "b", WAKE_TEST_PASSED);
    until_over(&g, "a", WAKE_TEST_PASSED);
    rig_done(&g);
}

static void goes_on_over_restarts(void **unused)
{
    (void)unused;
    for (int s = NODE_AWAKE; s <= NODE_WAKING; s++) {
        const struct wake_proof *p;
        struct rig g;

        begin(&g, 2);
        g.d.cycles = 2;
        assert_int_equal(ask(&g, "a"), 200);
        g.mute = s == NODE_EMPTY; /* which it leaves by an answer */
        rig_until(&g, "a", (enum node_state)s);
        g.mute = false;
        desk_start(&g.d);
        rig_drive(&g);
        assert_int_equal(test_of(&g, "a")->state, WAKE_TEST_RUNNING);
        assert_string_equal(test_of(&g, "a")->by, "test");
        until_over(&g, "a", WAKE_TEST_PASSED);
        assert_int_equal(g.machine[0].boot, 2);
        p = &rig_node(&g, "a")->record.proof;
        assert_int_equal(p->cycles, 2);
        assert_int_equal(test_of(&g, "a")->wake_ms[0] == 0, s == NODE_WAKING); /* not measured */
        assert_int_equal(test_of(&g, "a")->sleep_ms[0] == 0, s == NODE_SLEEPING);
        assert_in_range(p->wake.worst_ms, RIG_BOOT_MS, RIG_BOOT_MS + 1500);
        assert_int_equal(p->metered,
                         s == NODE_SLEEPING || s == NODE_ASLEEP || s == NODE_WAKING ? 1 : 2);
        rig_done(&g);
    }
}

/* It sees another machine, that is on: the one it sent to sleep is lost, and no other. */
static void crossed_with_one_that_is_on(void **unused)
{
    struct rig g;

    (void)unused;
    begin(&g, 3);
    g.machine[0].wired_to = 1;
    assert_int_equal(ask(&g, "a"), 200);
    until_over(&g, "a", WAKE_TEST_FAILED);
    assert_says(&g, "a", "its driver still reads on: the driver seems to switch another machine");
    assert_int_equal(rig_node(&g, "a")->record.state, NODE_QUARANTINED);
    assert_true(g.machine[1].on);
    assert_int_equal(g.machine[1].boot, 0);
    refused(&g, "b", "node a of its pool did not come back from its test");
    g.machine[0].on = true; /* a person presses its button, and does not mend the wires */
    g.machine[0].boot++;
    rig_until(&g, "a", NODE_AWAKE);
    desk_start(&g.d); /* not forgotten */
    rig_rest(&g, 25 * 3600000);
    assert_non_null(strstr(rig_node(&g, "a")->why_not_asleep, "its last wake test failed"));
    desk_put(&g.d, RIG_POOL(",\"wakeProven\":true")); /* nobody's word stands against that */
    rig_pass(&g, 2000);
    assert_non_null(strstr(rig_node(&g, "a")->why_not_asleep, "its last wake test failed"));
    assert_null(rig_node(&g, "b")->why_not_asleep);
    g.machine[0].wired_to = 0;
    assert_int_equal(ask(&g, "a"), 200);
    until_over(&g, "a", WAKE_TEST_PASSED);
    assert_true(node_wake_proven(rig_node(&g, "a"), g.d.wall_ms));
    rig_done(&g);
}

/* It sees another machine, that is off: nothing is switched. */
static void crossed_with_one_that_is_off(void **unused)
{
    struct rig g;

    (void)unused;
    begin(&g, 2);
    g.machine[0].wired_to = 1;
    g.machine[1].on = false;
    rig_until(&g, "b", NODE_QUARANTINED);
    assert_int_equal(ask(&g, "a"), 200);
    until_over(&g, "a", WAKE_TEST_FAILED);
    assert_says(&g, "a",
                "its driver reads off while its agent reports: the driver seems to switch");
    assert_true(g.machine[0].on);
    assert_int_equal(rig_node(&g, "a")->record.state, NODE_AWAKE);
    assert_int_equal(g.machine[1].switched, 0);
    rig_done(&g);
}

static void one_that_never_comes_back(void **unused)
{
    struct rig g;

    (void)unused;
    begin(&g, 2);
    g.machine[0].dead = true;
    assert_int_equal(ask(&g, "a"), 200);
    until_over(&g, "a", WAKE_TEST_FAILED);
    assert_says(&g, "a", "it did not come back in time");
    assert_int_equal(rig_node(&g, "a")->record.state, NODE_QUARANTINED);
    assert_int_equal(rig_node(&g, "a")->record.quarantine, QUARANTINE_FAILED_WAKE);
    assert_int_equal(rows_of(&g, "power-test", "test"), 2);
    refused(&g, "a",
            "it is quarantined, and only a node that is awake can be tested: huddlectl wake");
    g.machine[0].dead = false; /* the quarantine's own tries bring it back */
    rig_until(&g, "a", NODE_AWAKE);
    assert_int_equal(ask(&g, "a"), 200); /* a person need not wait for the day to be over */
    until_over(&g, "a", WAKE_TEST_PASSED);
    rig_rest(&g, 3600000);
    assert_string_equal(rig_node(&g, "a")->why_not_asleep, "cooling down after the last change");
    rig_done(&g);
}

static void its_agent_may_refuse(void **unused)
{
    struct rig g;

    (void)unused;
    begin(&g, 2);
    g.machine[0].refuses = true;
    assert_int_equal(ask(&g, "a"), 200);
    rig_until(&g, "a", NODE_PREPARING);
    rig_until(&g, "a", NODE_AWAKE);
    assert_says(&g, "a", "its agent refused");
    g.machine[0].refuses = false; /* what it lacked may be a matter of seconds */
    until_over(&g, "a", WAKE_TEST_PASSED);
    g.machine[0].refuses = true;
    assert_int_equal(ask(&g, "a"), 200);
    until_over(&g, "a", WAKE_TEST_FAILED);
    assert_says(&g, "a", "its agent refused");
    assert_true(g.machine[0].on);
    assert_false(rig_node(&g, "a")->record.wake_refuted); /* nothing is known of its waking */
    rig_done(&g);
}

static void one_that_stays_up(void **unused)
{
    struct rig g;

    (void)unused;
    begin(&g, 2);
    g.machine[0].deaf = true;
    assert_int_equal(ask(&g, "a"), 200);
    until_over(&g, "a", WAKE_TEST_FAILED);
    assert_says(&g, "a", "it should be off, and was not seen off");
    rig_done(&g);
}

static void a_person_stops_it(void **unused)
{
    static const enum node_state states[] = { NODE_AWAKE, NODE_DRAINING, NODE_SLEEPING, NODE_ASLEEP,
                                              NODE_WAKING };

    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        struct rig g;

        begin(&g, 2);
        g.d.cycles = 2;
        assert_int_equal(ask(&g, "a"), 200);
        rig_until(&g, "a", states[i]);
        assert_int_equal(desk_verb(&g.d, VERB_WAKE, "a"), 200);
        assert_int_equal(test_of(&g, "a")->state, WAKE_TEST_STOPPED);
        assert_says(&g, "a", "stopped by test");
        rig_pass(&g, 200000);
        assert_int_equal(rig_node(&g, "a")->record.state, NODE_AWAKE);
        assert_int_equal(g.machine[0].boot, states[i] > NODE_DRAINING); /* what sleeps is woken */
        rig_done(&g);
    }
}

static void a_pause_ends_it_before_it_sleeps(void **unused)
{
    struct rig g;

    (void)unused;
    begin(&g, 2);
    assert_int_equal(ask(&g, "a"), 200);
    rig_until(&g, "a", NODE_DRAINING);
    assert_int_equal(desk_verb(&g.d, VERB_PAUSE, ""), 200);
    until_over(&g, "a", WAKE_TEST_FAILED);
    assert_says(&g, "a", "paused by a person");
    assert_true(g.machine[0].on);
    assert_int_equal(desk_verb(&g.d, VERB_RESUME, ""), 200);
    assert_int_equal(ask(&g, "a"), 200);
    rig_until(&g, "a", NODE_ASLEEP);
    assert_int_equal(desk_verb(&g.d, VERB_PAUSE, ""), 200); /* a sleeper is woken though paused */
    until_over(&g, "a", WAKE_TEST_PASSED);
    rig_done(&g);
}

static void a_hold_ends_it(void **unused)
{
    struct rig g;

    (void)unused;
    begin(&g, 2);
    assert_int_equal(ask(&g, "a"), 200);
    rig_until(&g, "a", NODE_DRAINING);
    assert_int_equal(desk_verb(&g.d, VERB_HOLD, "a"), 200);
    until_over(&g, "a", WAKE_TEST_STOPPED);
    assert_says(&g, "a", "a person holds it");
    rig_done(&g);
}

/* Between two cycles: what stands against the next is waited for, not for ever. */
static void waits_for_a_while(void **unused)
{
    struct rig g;

    (void)unused;
    begin(&g, 2);
    g.d.cycles = 2;
    assert_int_equal(ask(&g, "a"), 200);
    rig_until(&g, "a", NODE_WAKING);
    assert_int_equal(desk_verb(&g.d, VERB_PAUSE, ""), 200);
    rig_until(&g, "a", NODE_AWAKE);
    rig_pass(&g, 100000);
    assert_says(&g, "a", "paused by a person");
    assert_int_equal(desk_verb(&g.d, VERB_RESUME, ""), 200);
    rig_until(&g, "a", NODE_WAKING);
    until_over(&g, "a", WAKE_TEST_PASSED);
    assert_int_equal(ask(&g, "a"), 200);
    rig_until(&g, "a", NODE_WAKING);
    assert_int_equal(desk_verb(&g.d, VERB_PAUSE, ""), 200);
    until_over(&g, "a", WAKE_TEST_FAILED);
    assert_says(&g, "a", "paused by a person");
    assert_true(node_wake_proven(rig_node(&g, "a"), g.d.wall_ms)); /* by the cycle that was done */
    rig_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proves_waking),
        cmocka_unit_test(refused_where_something_stands_against_it),
        cmocka_unit_test(one_unproven_node_at_a_time),
        cmocka_unit_test(goes_on_over_restarts),
        cmocka_unit_test(crossed_with_one_that_is_on),
        cmocka_unit_test(crossed_with_one_that_is_off),
        cmocka_unit_test(one_that_never_comes_back),
        cmocka_unit_test(its_agent_may_refuse),
        cmocka_unit_test(one_that_stays_up),
        cmocka_unit_test(a_person_stops_it),
        cmocka_unit_test(a_pause_ends_it_before_it_sleeps),
        cmocka_unit_test(a_hold_ends_it),
        cmocka_unit_test(waits_for_a_while),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
