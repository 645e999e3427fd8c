/* The two keys, seen from the agent: each refusal, every stale or repeated order, every way back,
 * and the one way that ends in the power going off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/agent_rig.h"

/* An agent that has been told to run nothing, and has watched itself for a while. */
static void quiet(struct rig *r)
{
    rig_start(r);
    rig_want(r, NULL, 0);
    for (int i = 0; i < 3; i++) {
        rig_run(r, 5000);
        rig_agree(r);
    }
    rig_await_report(r);
}

/* Answers the newest report with an order. */
static void order_at(struct rig *r, enum power_order_kind kind, const char *op, const char *boot)
{
    struct wire_reply reply = rig_reply(r);

    reply.power.kind = kind;
    reply.power.op = op;
    reply.power.boot_id = boot;
    reply.power.wake_by_wall_ms = 123456;
    rig_answer(r, &reply);
}

static void order(struct rig *r, enum power_order_kind kind, const char *op)
{
    rig_await_report(r);
    order_at(r, kind, op, "boot-1");
}

static void checked(struct rig *r, const char *refusal)
{
    struct agent_event event = { .kind = AE_SLEEP_CHECK };

    event.sleep_check.refusal = refusal;
    rig_step(r, &event);
}

static void assert_says(struct rig *r, enum power_stage stage, const char *op, const char *reason)
{
    if (r->asked)
        rig_agree(r);
    rig_await_report(r);
    assert_string_equal(power_stage_name(r->report->power.stage), power_stage_name(stage));
    assert_string_equal(r->report->power.op, op);
    if (!strstr(r->report->power.reason, reason))
        fail_msg("\"%s\" is not in \"%s\"", reason, r->report->power.reason);
}

static void prepared(struct rig *r, const char *op)
{
    order(r, POWER_ORDER_PREPARE, op);
    assert_int_equal(rig_count(r, AX_SLEEP_CHECK), 1);
    checked(r, "");
    assert_says(r, POWER_STAGE_READY, op, "");
    rig_forget_seen(r);
}

/* Up to the goodbye, which is in the report that waits for its reply. */
static void committed(struct rig *r, const char *op)
{
    prepared(r, op);
    order(r, POWER_ORDER_COMMIT, op);
    assert_int_equal(rig_count(r, AX_SLEEP_CHECK), 1);
    checked(r, "");
    rig_await_report(r);
    assert_int_equal(r->report->power.stage, POWER_STAGE_BYE);
    assert_int_equal(rig_count(r, AX_POWER_OFF), 0);
}

static void test_sleeps(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    committed(&r, "op-1");
    assert_non_null(strstr(r.state, "op-1"));           /* durable before the goodbye */
    order_at(&r, POWER_ORDER_COMMIT, "op-1", "boot-1"); /* the acknowledgement repeats it */
    assert_int_equal(rig_count(&r, AX_POWER_OFF), 1);
    assert_string_equal(rig_last(&r, AX_POWER_OFF)->power_off.op, "op-1");
    assert_int_equal(rig_last(&r, AX_POWER_OFF)->power_off.wake_by_wall_ms, 123456);
    rig_run(&r, 60000);
    assert_false(r.asked); /* nothing is said after the goodbye */
    assert_int_equal(rig_count(&r, AX_POWER_OFF), 1);
    rig_end(&r);
}

/* --- first key -------------------------------------------------------------------------------- */

static void test_configuration_forbids(void **state)
{
    struct agent_options options = { .sleep_not = "allowSleep is false", .sleeps_per_day = 4 };
    struct agent_event event = { .kind = AE_OPTIONS, .options = &options };
    struct rig r;

    (void)state;
    quiet(&r);
    rig_step(&r, &event);
    order(&r, POWER_ORDER_PREPARE, "op-1");
    assert_says(&r, POWER_STAGE_REFUSED, "op-1", "allowSleep");
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    rig_end(&r);
}

static void test_replica_is_here(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    quiet(&r);
    rig_want(&r, &d, 1);
    rig_started(&r, "m-1");
    order(&r, POWER_ORDER_PREPARE, "op-1");
    assert_says(&r, POWER_STAGE_REFUSED, "op-1", "m-1");
    rig_want(&r, NULL, 0); /* not wanted any more, but its process still runs */
    order(&r, POWER_ORDER_PREPARE, "op-2");
    assert_says(&r, POWER_STAGE_REFUSED, "op-2", "m-1");
    rig_exited(&r, "m-1", "exited with code 0", "");
    order(&r, POWER_ORDER_PREPARE, "op-3");
    checked(&r, "");
    assert_says(&r, POWER_STAGE_READY, "op-3", "");
    rig_end(&r);
}

static void test_own_check_refuses(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    order(&r, POWER_ORDER_PREPARE, "op-1");
    checked(&r, "somebody is logged in: ada");
    assert_says(&r, POWER_STAGE_REFUSED, "op-1", "ada");
    rig_end(&r);
}

static void test_own_check_is_silent(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    order(&r, POWER_ORDER_PREPARE, "op-1");
    rig_run(&r, 11000);
    assert_says(&r, POWER_STAGE_REFUSED, "op-1", "in time");
    checked(&r, ""); /* too late */
    assert_says(&r, POWER_STAGE_REFUSED, "op-1", "in time");
    rig_end(&r);
}

static void test_foreign_work(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    r.busy_permille = 100;
    for (int i = 0; i < 4; i++)
        rig_agree(&r);
    order(&r, POWER_ORDER_PREPARE, "op-1");
    assert_says(&r, POWER_STAGE_REFUSED, "op-1", "CPU");
    assert_true(r.report->foreign_busy_permille > 20);
    r.busy_permille = 0; /* it is forgotten a minute later, not before */
    for (int i = 0; i < 6; i++)
        rig_agree(&r);
    order(&r, POWER_ORDER_PREPARE, "op-2");
    assert_says(&r, POWER_STAGE_REFUSED, "op-2", "CPU");
    for (int i = 0; i < 10; i++)
        rig_agree(&r);
    order(&r, POWER_ORDER_PREPARE, "op-3");
    checked(&r, "");
    assert_says(&r, POWER_STAGE_READY, "op-3", "");
    rig_end(&r);
}

static void test_work_of_replicas_is_not_foreign(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    quiet(&r);
    rig_want(&r, &d, 1);
    rig_started(&r, "m-1");
    r.busy_permille = 250; /* one of four, all of it the replica's */
    r.n_groups = 1;
    r.groups[0] = (struct sample_group){ .id = agent_group_id("m-1"), .valid = true };
    for (int i = 0; i < 100; i++) {
        rig_run(&r, 200);
        r.groups[0].cpu_ns += 200000000;
        if (r.asked)
            rig_agree(&r);
    }
    rig_await_report(&r);
    assert_true(r.report->foreign_busy_permille < 20);
    rig_end(&r);
}

/* /proc/stat moves in ticks: a short look may show work before, or after, the replica's own. */
static void test_ticks_are_not_foreign(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct rig r;

    (void)state;
    quiet(&r);
    rig_want(&r, &d, 1);
    rig_started(&r, "m-1");
    r.n_groups = 1;
    r.groups[0] = (struct sample_group){ .id = agent_group_id("m-1"), .valid = true };
    for (int i = 0; i < 200; i++) {
        rig_advance(&r, 300);
        r.groups[0].cpu_ns += 300000000;
        r.busy_ns += i % 2 ? 600000000 : 0;
        r.idle_ns -= i % 2 ? 600000000 : 0;
        rig_tick(&r);
        if (r.asked)
            rig_agree(&r);
    }
    rig_await_report(&r);
    assert_true(r.report->foreign_busy_permille < 5);
    rig_end(&r);
}

static void test_not_watched_long_enough(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_want(&r, NULL, 0);
    order(&r, POWER_ORDER_PREPARE, "op-1");
    assert_says(&r, POWER_STAGE_REFUSED, "op-1", "long enough");
    rig_end(&r);
}

static void test_not_told_what_should_run(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r);
    for (int i = 0; i < 4; i++)
        rig_agree(&r); /* desired_present is false: a controller that warms up */
    order(&r, POWER_ORDER_PREPARE, "op-1");
    assert_true(rig_count(&r, AX_SLEEP_CHECK) == 1); /* rig_reply() carries a desired state */
    rig_end(&r);

    rig_start(&r);
    for (int i = 0; i < 4; i++)
        rig_agree(&r);
    rig_await_report(&r);
    struct wire_reply reply = rig_reply(&r);
    reply.desired_present = false;
    reply.power.kind = POWER_ORDER_PREPARE;
    reply.power.op = "op-1";
    reply.power.boot_id = "boot-1";
    rig_answer(&r, &reply);
    assert_says(&r, POWER_STAGE_REFUSED, "op-1", "not told");
    rig_end(&r);
}

static void test_sleeps_per_day(void **state)
{
    struct rig r;
    char op[32], boot[32];

    (void)state;
    quiet(&r);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(op, sizeof(op), "op-%d", i);
        (void)snprintf(boot, sizeof(boot), "boot-%d", i + 1);
        rig_await_report(&r);
        order_at(&r, POWER_ORDER_PREPARE, op, boot);
        if (i == 4)
            break;
        checked(&r, "");
        rig_await_report(&r);
        order_at(&r, POWER_ORDER_COMMIT, op, boot);
        checked(&r, "");
        rig_await_report(&r);
        order_at(&r, POWER_ORDER_COMMIT, op, boot);
        assert_int_equal(rig_count(&r, AX_POWER_OFF), i + 1);
        rig_advance(&r, 3600000);
        (void)snprintf(boot, sizeof(boot), "boot-%d", i + 2);
        rig_new(&r, boot);
        rig_tick(&r);
        for (int k = 0; k < 4; k++)
            rig_agree(&r);
    }
    assert_says(&r, POWER_STAGE_REFUSED, "op-4", "4 times");
    rig_end(&r);
}

/* --- orders that do not count ----------------------------------------------------------------- */

static void test_order_for_another_boot(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    rig_await_report(&r);
    order_at(&r, POWER_ORDER_PREPARE, "op-1", "boot-0");
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    prepared(&r, "op-2");
    rig_await_report(&r);
    order_at(&r, POWER_ORDER_COMMIT, "op-2", "boot-0");
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    assert_says(&r, POWER_STAGE_READY, "op-2", "");
    rig_end(&r);
}

static void test_reply_that_was_stuck(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    prepared(&r, "op-1");
    rig_await_report(&r);
    rig_advance(&r, 10001);
    order_at(&r, POWER_ORDER_COMMIT, "op-1", "boot-1");
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    assert_says(&r, POWER_STAGE_READY, "op-1", "");
    rig_end(&r);
}

static void test_reply_to_another_report(void **state)
{
    struct wire_reply reply;
    struct rig r;

    (void)state;
    quiet(&r);
    prepared(&r, "op-1");
    rig_await_report(&r);
    reply = rig_reply(&r);
    reply.sequence--;
    reply.power.kind = POWER_ORDER_COMMIT;
    reply.power.op = "op-1";
    reply.power.boot_id = "boot-1";
    rig_answer(&r, &reply);
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    rig_await_report(&r);
    reply = rig_reply(&r);
    reply.epoch++;
    reply.power.kind = POWER_ORDER_COMMIT;
    reply.power.op = "op-1";
    reply.power.boot_id = "boot-1";
    rig_answer(&r, &reply);
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    rig_end(&r);
}

static void test_older_term(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    prepared(&r, "op-1");
    r.term = 2;
    order(&r, POWER_ORDER_COMMIT, "op-1");
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    rig_await_report(&r);
    assert_int_equal(r.report->max_term, 3);
    r.term = 3;
    r.instance = 78; /* a copy of the controller's store */
    order_at(&r, POWER_ORDER_COMMIT, "op-1", "boot-1");
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    rig_await_report(&r);
    assert_true(r.report->n_problems > 0);
    rig_end(&r);
}

static void test_term_survives_a_restart(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    rig_new(&r, "boot-1");
    rig_tick(&r);
    r.term = 2;
    order(&r, POWER_ORDER_PREPARE, "op-1");
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    rig_end(&r);
}

static void test_another_cluster(void **state)
{
    struct rig r;

    (void)state;
    quiet(&r);
    r.cluster = "c2";
    r.term = 9;
    order(&r, POWER_ORDER_PREPARE, "op-1");
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    for (int i = 0; i < 130; i++) { /* ours has been silent for more than ten minutes */
        rig_run(&r, 5000);
        if (r.asked)
            rig_agree(&r);
    }
    rig_await_report(&r);
    assert_string_equal(r.report->cluster_id, "c2");
    rig_end(&r);
}

/* --- second key ------------------------------------------------------------------------------- */

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
    reply = rig_reply(&r); /* wanted, and committed, in one breath */
    reply.replicas = &d;
    reply.n_replicas = 1;
    reply.power.kind = POWER_ORDER_COMMIT;
    reply.power.op = "op-1";
    reply.power.boot_id = "boot-1";
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

/* --- between the keys it reports every second ------------------------------------------------- */

static void test_reports_every_second(void **state)
{
    int64_t before_ms;
    struct rig r;

    (void)state;
    quiet(&r);
    prepared(&r, "op-1");
    before_ms = r.now_ms;
    for (int i = 0; i < 10; i++)
        rig_agree(&r);
    assert_in_range(r.now_ms - before_ms, 8000, 11000);
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sleeps),
        cmocka_unit_test(test_configuration_forbids),
        cmocka_unit_test(test_replica_is_here),
        cmocka_unit_test(test_own_check_refuses),
        cmocka_unit_test(test_own_check_is_silent),
        cmocka_unit_test(test_foreign_work),
        cmocka_unit_test(test_work_of_replicas_is_not_foreign),
        cmocka_unit_test(test_ticks_are_not_foreign),
        cmocka_unit_test(test_not_watched_long_enough),
        cmocka_unit_test(test_not_told_what_should_run),
        cmocka_unit_test(test_sleeps_per_day),
        cmocka_unit_test(test_order_for_another_boot),
        cmocka_unit_test(test_reply_that_was_stuck),
        cmocka_unit_test(test_reply_to_another_report),
        cmocka_unit_test(test_older_term),
        cmocka_unit_test(test_term_survives_a_restart),
        cmocka_unit_test(test_another_cluster),
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
        cmocka_unit_test(test_reports_every_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
