/* The first of the two keys, seen from the agent: each refusal, and the one way that ends in the
 * power going off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/agent_sleep_rig.h"

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

static void test_configuration_forbids(void **state)
{
    struct agent_options options = { .sleep_not = "allowSleep is false",
                                     .sleeps_per_day = 4,
                                     .foreign_percent = 2 };
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
    struct wire_reply reply = rig_order(&r, POWER_ORDER_PREPARE, "op-1", "boot-1");
    reply.desired_present = false;
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
        cmocka_unit_test(test_reports_every_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
