/* Orders to sleep that do not count: stale, repeated, of another boot, cluster or term. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/agent_sleep_rig.h"

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
    reply = rig_order(&r, POWER_ORDER_COMMIT, "op-1", "boot-1");
    reply.sequence--;
    rig_answer(&r, &reply);
    assert_int_equal(rig_count(&r, AX_SLEEP_CHECK), 0);
    rig_await_report(&r);
    reply = rig_order(&r, POWER_ORDER_COMMIT, "op-1", "boot-1");
    reply.epoch++;
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

/* It begins with a store of thousands of nodes, and answers before it has looked at this one. */
static void test_a_controller_that_has_just_begun(void **state)
{
    struct wire_reply reply;
    size_t problems;
    struct rig r;

    (void)state;
    quiet(&r);
    rig_await_report(&r);
    problems = r.report->n_problems;
    reply = rig_reply(&r);
    reply.cluster_id = "";
    reply.term = reply.instance = reply.generation = 0;
    reply.desired_present = false;
    reply.next_interval_ms = 1000;
    rig_answer(&r, &reply);
    for (int i = 0; i < 11 && !r.asked; i++)
        rig_run(&r, 100);
    assert_true(r.asked); /* it comes again when it was told to */
    assert_int_equal(r.report->n_problems, problems);
    assert_string_equal(r.report->cluster_id, "c1");
    assert_int_equal(r.report->max_term, 3);
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_for_another_boot),
        cmocka_unit_test(test_reply_that_was_stuck),
        cmocka_unit_test(test_reply_to_another_report),
        cmocka_unit_test(test_older_term),
        cmocka_unit_test(test_term_survives_a_restart),
        cmocka_unit_test(test_another_cluster),
        cmocka_unit_test(test_a_controller_that_has_just_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
