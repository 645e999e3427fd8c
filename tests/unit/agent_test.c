/* The agent's core: reports and their replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/agent_rig.h"
#include <cmocka.h>

static void test_first_report(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r);
    assert_true(r.asked); /* at once */
    assert_string_equal(r.report->node, "n1");
    assert_string_equal(r.report->boot_id, "boot-1");
    assert_int_equal(r.report->sequence, 1);
    assert_int_not_equal(r.report->epoch, 0);
    assert_non_null(r.report->inventory);
    assert_string_equal(r.report->features[0], "two_key");
    assert_int_equal(r.report->energy_measured_uj, 0);
    rig_end(&r);
}

static void test_counters_and_interval(void **state)
{
    int64_t before_ms;
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_agree(&r);
    before_ms = r.now_ms;
    rig_await_report(&r);
    assert_int_equal(r.now_ms - before_ms, 5000);
    assert_int_equal(r.report->sequence, 2);
    assert_null(r.report->inventory); /* acknowledged */
    assert_int_equal(r.report->energy_measured_uj, 5000 * 50 * 1000);
    assert_int_equal(r.report->energy_unattributed_uj, 5000 * 50 * 1000);
    assert_int_equal(r.report->zones[0].energy_uj, 5000 * 50 * 1000);
    rig_run(&r, 60000); /* the reply is late: only one report is under way */
    assert_int_equal(r.report->sequence, 2);
    rig_agree(&r);
    rig_await_report(&r);
    assert_int_equal(r.report->energy_measured_uj, (uint64_t)(r.now_ms - before_ms) * 50 * 1000);
    rig_end(&r);
}

static void test_inventory_until_acknowledged(void **state)
{
    struct wire_reply reply;
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_send_failed(&r, "connection refused", 0);
    rig_await_report(&r);
    assert_non_null(r.report->inventory);
    rig_agree(&r);
    rig_await_report(&r);
    assert_null(r.report->inventory);
    reply = rig_reply(&r);
    reply.send_inventory = true;
    rig_answer(&r, &reply);
    rig_await_report(&r);
    assert_non_null(r.report->inventory);
    assert_int_equal(r.report->inventory->cpu_milli, 4000);
    rig_end(&r);
}

static void test_new_epoch(void **state)
{
    struct wire_reply reply;
    uint64_t epoch;
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_agree(&r);
    rig_await_report(&r);
    epoch = r.report->epoch;
    reply = rig_reply(&r);
    reply.new_epoch = true;
    rig_answer(&r, &reply);
    rig_await_report(&r);
    assert_int_not_equal(r.report->epoch, epoch);
    assert_int_equal(r.report->sequence, 1);
    assert_true(r.report->energy_measured_uj < 1000 * 50 * 1000);
    assert_non_null(r.report->inventory);
    rig_end(&r);
}

/* Of two controllers one leads: whoever reports to the other one soon tries again, and not for
 * ever. */
static void test_looks_for_the_leader(void **state)
{
    int64_t before_ms, took_ms[20];
    struct rig r;

    (void)state;
    rig_start(&r);
    rig_agree(&r);
    for (int round = 0; round < 2; round++) {
        rig_await_report(&r);
        for (int i = 0; i < 20; i++) {
            before_ms = r.now_ms;
            rig_led_elsewhere(&r);
            for (int k = 0; k < 2000 && !r.asked; k++)
                rig_run(&r, 50);
            took_ms[i] = r.now_ms - before_ms;
        }
        for (int i = 0; i < 7; i++)
            assert_in_range(took_ms[i], 500, 1600);
        for (int i = 8; i < 20; i++)
            assert_true(took_ms[i] >= 1000); /* as of one in trouble */
        assert_true(took_ms[19] + took_ms[18] + took_ms[17] > 3 * 5000);
        rig_agree(&r); /* found */
        before_ms = r.now_ms;
        rig_await_report(&r);
        assert_int_equal(r.now_ms - before_ms, 5000);
        rig_agree(&r);
    }
    rig_end(&r);
}

static void test_backs_off(void **state)
{
    struct wire_reply reply;
    int64_t before_ms, longest_ms = 0, first_ms = 0;
    struct rig r;

    (void)state;
    rig_start(&r);
    reply = rig_reply(&r);
    reply.fleet_size = 10000;
    rig_answer(&r, &reply);
    for (int i = 0; i < 30; i++) {
        rig_await_report(&r);
        before_ms = r.now_ms;
        rig_send_failed(&r, "no route to host", 0);
        for (int k = 0; k < 1000 && !r.asked; k++)
            rig_run(&r, 1000);
        if (i == 0)
            first_ms = r.now_ms - before_ms;
        longest_ms = r.now_ms - before_ms > longest_ms ? r.now_ms - before_ms : longest_ms;
    }
    assert_true(first_ms <= 20001);  /* 10,000 agents at 500 a second */
    assert_true(longest_ms > 20000); /* further apart while it stays away */
    assert_true(longest_ms <= 200001);
    rig_send_failed(&r, "HTTP 503", 400000); /* it said itself when to come again */
    before_ms = r.now_ms;
    for (int k = 0; k < 1000 && !r.asked; k++)
        rig_run(&r, 1000);
    assert_in_range(r.now_ms - before_ms, 400000, 401000);
    rig_agree(&r);
    before_ms = r.now_ms;
    rig_await_report(&r);
    assert_int_equal(r.now_ms - before_ms, 5000);
    assert_true(r.report->energy_measured_uj > 0);
    rig_end(&r);
}

static void test_reply_to_another_report_is_a_failure(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    struct wire_reply reply;
    struct rig r;

    (void)state;
    rig_start(&r);
    reply = rig_reply(&r);
    reply.sequence = 17;
    reply.replicas = &d;
    reply.n_replicas = 1;
    rig_answer(&r, &reply);
    assert_int_equal(rig_count(&r, AX_START), 0);
    rig_await_report(&r); /* it goes on */
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_report),
        cmocka_unit_test(test_counters_and_interval),
        cmocka_unit_test(test_inventory_until_acknowledged),
        cmocka_unit_test(test_new_epoch),
        cmocka_unit_test(test_looks_for_the_leader),
        cmocka_unit_test(test_backs_off),
        cmocka_unit_test(test_reply_to_another_report_is_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
