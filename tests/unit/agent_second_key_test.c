/* The second of the two keys, seen from the agent: every way back, and answers that are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/agent_sleep_rig.h"

static void test_commit_without_prepare(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    order(&r, POWER_ORDER_COMMIT, "op-1");
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    assert_says(&r, POWER_STAGE_ABORTED, "op-1", "not prepared");
    rig_end(&r);
}

static void test_commit_of_another_op(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    prepared(&r, "op-1");
    order(&r, POWER_ORDER_COMMIT, "op-2");
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    assert_says(&r, POWER_STAGE_ABORTED, "op-2", "not prepared");
    rig_end(&r);
}

static void test_second_check_refuses(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    prepared(&r, "op-1");
    order(&r, POWER_ORDER_COMMIT, "op-1");
    checked(&r, "/etc/huddle/no-sleep exists");
    assert_says(&r, POWER_STAGE_ABORTED, "op-1", "no-sleep");
    assert_int_equal(rig_count(&r, AX_POWER_OFF), 0);
    rig_end(&r);
}

static void test_replica_wanted_between_the_keys(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct wire_reply reply;
    struct rig r;

    (void)state;
    quiet(&r);
    prepared(&r, "op-1");
    rig_await_report(&r);
    reply = rig_order(&r, POWER_ORDER_COMMIT, "op-1", "boot-1"); /* in one breath: wanted, too */
    reply.replicas = &d;
    reply.n_replicas = 1;
    rig_answer(&r, &reply);
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    assert_int_equal(rig_count(&r, AX_START), 1);
    assert_says(&r, POWER_STAGE_ABORTED, "op-1", "m-1");
    rig_end(&r);
}

static void test_replica_wanted_after_the_goodbye(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct wire_reply reply;
    struct rig r;

    (void)state;
    quiet(&r);
    committed(&r, "op-1");
    reply = rig_reply(&r);
    reply.replicas = &d;
    reply.n_replicas = 1;
    rig_answer(&r, &reply);
    assert_int_equal(rig_count(&r, AX_POWER_OFF), 0);
    assert_says(&r, POWER_STAGE_ABORTED, "op-1", "m-1");
    assert_int_equal(rig_count(&r, AX_START), 1);
    rig_end(&r);
}

static void test_disk_full(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    prepared(&r, "op-1");
    r.disk_full = true;
    order(&r, POWER_ORDER_COMMIT, "op-1");
    checked(&r, "");
    assert_says(&r, POWER_STAGE_ABORTED, "op-1", "no space left");
    assert_true(r.report->n_problems > 0);
    assert_int_equal(rig_count(&r, AX_POWER_OFF), 0);
    rig_end(&r);
}

static void test_nobody_acknowledges(void **state)
{
    struct agent_event failed = { .kind = AE_SEND_FAILED };
    struct rig r;

    (void)state;
    quiet(&r);
    committed(&r, "op-1");
    failed.send_failed.why = "connection refused";
    r.asked = false;
    rig_step(&r, &failed);
    for (int i = 0; i < 100 && !r.asked; i++) /* it tries again, within the ten seconds */
        rig_run(&r, 100);
    rig_run(&r, 11000);
    assert_int_equal(rig_count(&r, AX_POWER_OFF), 0);
    assert_says(&r, POWER_STAGE_ABORTED, "op-1", "acknowledged");
    rig_end(&r);
}

static void test_acknowledged_by_an_old_controller(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    committed(&r, "op-1");
    r.term = 2;
    order_at(&r, POWER_ORDER_COMMIT, "op-1", "boot-1");
    assert_int_equal(rig_count(&r, AX_POWER_OFF), 0);
    rig_end(&r);
}

static void test_no_commit_comes(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    prepared(&r, "op-1");
    for (int i = 0; i < 125; i++) {
        rig_run(&r, 1000);
        if (r.asked)
            rig_agree(&r);
    }
    assert_says(&r, POWER_STAGE_ABORTED, "op-1", "no commit");
    order(&r, POWER_ORDER_COMMIT, "op-1"); /* too late */
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    rig_end(&r);
}

static void test_cancelled(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    prepared(&r, "op-1");
    order(&r, POWER_ORDER_CANCEL, "op-1");
    assert_says(&r, POWER_STAGE_NONE, "", "");
    order(&r, POWER_ORDER_COMMIT, "op-1");
    assert_says(&r, POWER_STAGE_ABORTED, "op-1", "not prepared");
    rig_end(&r);
}

static void test_cancelled_after_the_goodbye(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    committed(&r, "op-1");
    order_at(&r, POWER_ORDER_CANCEL, "op-1", "boot-1");
    assert_int_equal(rig_count(&r, AX_POWER_OFF), 0);
    assert_says(&r, POWER_STAGE_ABORTED, "op-1", "cancelled");
    rig_end(&r);
}

/* --- answers are kept ------------------------------------------------------------------------- */

static void test_answer_is_repeated(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    order(&r, POWER_ORDER_PREPARE, "op-1");
    checked(&r, "somebody is logged in: ada");
    assert_says(&r, POWER_STAGE_REFUSED, "op-1", "ada");
    for (int i = 2; i < 9; i++) { /* seven others in between */
        char op[16];

        (void)snprintf(op, sizeof(op), "op-%d", i);
        order(&r, POWER_ORDER_PREPARE, op);
        checked(&r, "no");
    }
    rig_forget_seen(&r);
    rig_new(&r, "boot-1"); /* and a restart */
    rig_tick(&r);
    order(&r, POWER_ORDER_PREPARE, "op-1");
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    assert_says(&r, POWER_STAGE_REFUSED, "op-1", "ada");
    order(&r, POWER_ORDER_COMMIT, "op-1");
    assert_says(&r, POWER_STAGE_REFUSED, "op-1", "ada");
    rig_end(&r);
}

static void test_executed_op_in_the_next_boot(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    committed(&r, "op-1");
    order_at(&r, POWER_ORDER_COMMIT, "op-1", "boot-1");
    assert_int_equal(rig_count(&r, AX_POWER_OFF), 1);
    rig_forget_seen(&r);
    rig_new(&r, "boot-2");
    rig_tick(&r);
    assert_says(&r, POWER_STAGE_NONE, "", "");
    rig_await_report(&r);
    order_at(&r, POWER_ORDER_COMMIT, "op-1", "boot-1"); /* out of a proxy */
    order(&r, POWER_ORDER_COMMIT, "op-1");
    assert_int_equal(rig_count(&r, AX_POWER_OFF), 0);
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    rig_end(&r);
}

static void test_restart_between_goodbye_and_power_off(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    committed(&r, "op-1");
    rig_new(&r, "boot-1");
    rig_tick(&r);
    assert_says(&r, POWER_STAGE_ABORTED, "op-1", "restarted");
    order(&r, POWER_ORDER_COMMIT, "op-1");
    assert_int_equal(rig_count(&r, AX_POWER_OFF), 0);
    assert_says(&r, POWER_STAGE_ABORTED, "op-1", "restarted");
    rig_end(&r);
}

static void test_power_off_fails(void **state)
{
    struct agent_event event = { .kind = AE_POWER_OFF };
    struct rig r;

    (void)state;
    quiet(&r);
    committed(&r, "op-1");
    order_at(&r, POWER_ORDER_COMMIT, "op-1", "boot-1");
    event.power_off.why = "exited with code 1";
    rig_step(&r, &event);
    assert_says(&r, POWER_STAGE_ABORTED, "op-1", "code 1");
    rig_end(&r);

    quiet(&r);
    committed(&r, "op-2");
    order_at(&r, POWER_ORDER_COMMIT, "op-2", "boot-1");
    event.power_off.why = ""; /* taken, and yet here it is */
    rig_step(&r, &event);
    rig_run(&r, 119000);
    assert_false(r.asked);
    assert_says(&r, POWER_STAGE_ABORTED, "op-2", "still runs");
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_without_prepare),
        cmocka_unit_test(test_commit_of_another_op),
        cmocka_unit_test(test_second_check_refuses),
        cmocka_unit_test(test_replica_wanted_between_the_keys),
        cmocka_unit_test(test_replica_wanted_after_the_goodbye),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_nobody_acknowledges),
        cmocka_unit_test(test_acknowledged_by_an_old_controller),
        cmocka_unit_test(test_no_commit_comes),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_cancelled_after_the_goodbye),
        cmocka_unit_test(test_answer_is_repeated),
        cmocka_unit_test(test_executed_op_in_the_next_boot),
        cmocka_unit_test(test_restart_between_goodbye_and_power_off),
        cmocka_unit_test(test_power_off_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
