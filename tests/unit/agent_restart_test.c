/* The agent's core fails static, and what the next agent of this node makes of replicas and files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "tests/unit/agent_rig.h"

static void test_absent_desired_state_changes_nothing(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    rig_agree(&r); /* desired_present is false */
    for (int i = 0; i < 20; i++) {
        rig_await_report(&r);
        rig_send_failed(&r, "gone", 0);
    }
    rig_run(&r, 3600000);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0);
    rig_exited(&r, "m-1", "killed by SIGSEGV", ""); /* it is looked after all the same */
    rig_run(&r, 5000);
    assert_int_equal(rig_count(&r, AX_START), 1);
    rig_end(&r);
}

static void test_adopted_after_a_restart(void **state)
{
    struct wire_desired d[2] = { rig_replica("m-1"), rig_replica("m-2") };
    struct rig r;

    (void)state;
    rig_running(&r, d);
    rig_want(&r, d, 2);
    rig_started(&r, "m-2");
    rig_run(&r, 1000);
    r.ready_at_once = false;
    rig_forget_seen(&r);
    rig_new(&r, "boot-1");
    rig_adopt(&r, &d[0], 99);
    rig_adopt(&r, &d[1], 99);
    rig_tick(&r);
    assert_int_equal(rig_count(&r, AX_START), 0);
    assert_int_equal(rig_count(&r, AX_PROBE), 2);
    assert_false(r.asked); /* it looks before it speaks */
    rig_probed(&r, "m-1", true);
    assert_false(r.asked);
    rig_probed(&r, "m-2", true);
    assert_true(r.asked);
    assert_int_equal(rig_told(&r, "m-1")->phase, REPLICA_READY);
    assert_int_equal(rig_told(&r, "m-2")->phase, REPLICA_READY);
    assert_int_equal(r.report->generation, r.generation);
    rig_end(&r);
}

static void test_adopted_and_unwell(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    r.ready_at_once = false;
    rig_new(&r, "boot-1");
    rig_adopt(&r, &d, 99);
    rig_tick(&r);
    rig_run(&r, 2500); /* its probe hangs */
    assert_true(r.asked);
    assert_int_equal(rig_told(&r, "m-1")->phase,
                     REPLICA_UNREADY); /* it has served: not "starting" */
    rig_end(&r);
}

/* While the node was off it may have been started elsewhere: only a reply starts it. */
static void test_exclusive_waits_for_a_reply(void **state)
{
    struct wire_desired d[2] = { rig_replica("m-1"), rig_replica("m-2") };
    struct rig r;

    (void)state;
    d[0].exclusive = true;
    rig_start(&r);
    rig_want(&r, d, 2);
    assert_int_equal(rig_count(&r, AX_START), 2);
    rig_forget_seen(&r);
    rig_new(&r, "boot-2");
    rig_tick(&r);
    rig_run(&r, 60000);
    assert_int_equal(rig_count(&r, AX_START), 1);
    assert_string_equal(rig_last(&r, AX_START)->uid, "m-2");
    assert_non_null(strstr(rig_told(&r, "m-1")->reason, "exclusive"));
    rig_agree(&r); /* says nothing of replicas */
    assert_int_equal(rig_count(&r, AX_START), 1);
    r.generation--; /* the same as before, byte for byte */
    rig_want(&r, d, 2);
    assert_int_equal(rig_count(&r, AX_START), 2);
    assert_string_equal(rig_last(&r, AX_START)->uid, "m-1");
    rig_end(&r);
}

static void test_died_while_no_agent_ran(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    rig_new(&r, "boot-1");
    assert_int_equal(rig_count(&r, AX_START), 0);
    rig_tick(&r);
    assert_int_equal(rig_count(&r, AX_START), 1);
    rig_end(&r);
}

static void test_adopted_but_not_wanted(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    rig_want(&r, NULL, 0); /* it drains, and the agent dies */
    rig_forget_seen(&r);
    rig_new(&r, "boot-1");
    rig_adopt(&r, &d, 99);
    rig_tick(&r);
    rig_run(&r, 11000);
    assert_int_equal(rig_last(&r, AX_SIGNAL)->signal, SIGTERM);
    rig_end(&r);
}

static void test_adopted_without_a_saved_state(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    rig_running(&r, &d);
    r.n_desired = r.n_state = 0;
    free(r.desired);
    free(r.state);
    r.desired = r.state = NULL;
    rig_new(&r, "boot-1");
    rig_adopt(&r, &d, 99);
    rig_tick(&r);
    rig_run(&r, 60000);
    assert_int_equal(rig_count(&r, AX_SIGNAL), 0); /* nobody said that it should go */
    rig_want(&r, NULL, 0);
    rig_run(&r, 11000);
    assert_int_equal(rig_last(&r, AX_SIGNAL)->signal, SIGTERM);
    rig_end(&r);
}

static void test_broken_files_are_refused(void **state)
{
    static const char *const BROKEN[] = {
        "",
        "{}",
        "[]",
        "{\"version\":2}",
        "{\"version\":1,\"cluster\":\"c\",\"term\":\"1\",\"instance\":\"1\",\"ready\":[],\"ops\":[]"
        "}",
        "{\"version\":1,\"cluster\":\"c\",\"term\":\"000000000000000g\",\"instance\":"
        "\"0000000000000001\",\"ready\":[],\"ops\":[]}",
        "{\"version\":1,\"cluster\":\"c\",\"term\":\"0000000000000001\",\"instance\":"
        "\"0000000000000001\",\"ready\":[],\"ops\":[{\"op\":\"x\"}]}",
        "{\"version\":1,\"cluster\":\"c\",\"term\":\"0000000000000001\",\"instance\":"
        "\"0000000000000001\",\"ready\":{},\"ops\":[]}",
    };
    struct agent_options options = { .node = "n", .boot_id = "b", .sleep_not = "" };
    struct agent *agent = NULL;
    struct err e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BROKEN); i++) {
        struct agent_files files = { .state = { BROKEN[i], strlen(BROKEN[i]) } };

        e = (struct err)ERR_INIT;
        assert_true(agent_new(&options, &files, 0, 0, &agent, &e) < 0);
        assert_true(e.text[0]);
    }
    struct agent_files files = { .desired = { "\xff\xff\xff", 3 } };
    assert_true(agent_new(&options, &files, 0, 0, &agent, &e) < 0);
    files = (struct agent_files){ .ledger = { "\xff\xff\xff", 3 } };
    assert_true(agent_new(&options, &files, 0, 0, &agent, &e) < 0);
    assert_null(agent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent_desired_state_changes_nothing),
        cmocka_unit_test(test_adopted_after_a_restart),
        cmocka_unit_test(test_adopted_and_unwell),
        cmocka_unit_test(test_exclusive_waits_for_a_reply),
        cmocka_unit_test(test_died_while_no_agent_ran),
        cmocka_unit_test(test_adopted_but_not_wanted),
        cmocka_unit_test(test_adopted_without_a_saved_state),
        cmocka_unit_test(test_broken_files_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
