/* The agent's core: whose joules a sample's were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/agent_rig.h"

static void report_after(struct rig *r, int64_t ms)
{
    if (r->asked)
        rig_agree(r);
    rig_advance(r, ms);
    rig_await_report(r);
}

static void test_gpu_joules_go_to_its_holder(void **state)
{
    struct wire_desired d[2] = { rig_replica("m-1"), rig_replica("m-2") };
    uint32_t gpus[] = { 0 };
    uint64_t before, idle, dynamic;
    int64_t from_ms;
    struct rig r;

    (void)state;
    d[0].gpus = gpus;
    d[0].n_gpus = 1;
    rig_start(&r);
    r.ready_at_once = true;
    r.gpu_watts = 30;
    rig_want(&r, d, 2);
    rig_started(&r, "m-1");
    rig_started(&r, "m-2");
    for (int i = 0; i < 3; i++)
        report_after(&r, 5000);
    before = rig_told(&r, "m-1")->energy_dynamic_uj;
    idle = rig_told(&r, "m-1")->energy_idle_uj;
    from_ms = r.report->boot_ms;
    dynamic = rig_told(&r, "m-2")->energy_dynamic_uj;
    r.gpu_watts = 230; /* it works: 200 W above idle */
    report_after(&r, 5000);
    /* The holder has all of the GPU, idle and not; of the node's own joules each has a quarter. */
    assert_in_range(rig_told(&r, "m-1")->energy_dynamic_uj - before, UINT64_C(999000000),
                    UINT64_C(1001000000));
    assert_int_equal(rig_told(&r, "m-1")->energy_idle_uj - idle,
                     (uint64_t)(r.report->boot_ms - from_ms) * (30000 + 50000 / 4));
    assert_int_equal(rig_told(&r, "m-2")->energy_dynamic_uj, dynamic);
    assert_int_equal(rig_told(&r, "m-1")->energy_idle_uj + rig_told(&r, "m-1")->energy_dynamic_uj +
                         rig_told(&r, "m-2")->energy_idle_uj +
                         rig_told(&r, "m-2")->energy_dynamic_uj + r.report->energy_unattributed_uj,
                     r.report->energy_measured_uj);
    rig_end(&r);
}

static void test_gpu_that_nobody_holds(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    uint64_t before;
    int64_t from_ms;
    struct rig r;

    (void)state;
    rig_start(&r);
    r.ready_at_once = true;
    r.gpu_watts = 30;
    rig_want(&r, &d, 1);
    rig_started(&r, "m-1");
    for (int i = 0; i < 3; i++)
        report_after(&r, 5000);
    before = rig_told(&r, "m-1")->energy_idle_uj;
    from_ms = r.report->boot_ms;
    r.gpu_watts = 500;
    report_after(&r, 4000);
    assert_int_equal(rig_told(&r, "m-1")->energy_idle_uj - before, /* a quarter of the node's own */
                     (uint64_t)(r.report->boot_ms - from_ms) * 50000 / 4);
    rig_end(&r);
}

/* A node that draws 100 W + 200 W x utilization, and is never below half: 100 W are idle, and not
 * the 200 W that were the least seen. The replica reserves a quarter of it and does all of its
 * work. */
static void test_idle_of_a_node_that_never_is(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    uint64_t idle, dynamic, length_ms;
    struct rig r;

    (void)state;
    rig_start(&r);
    r.ready_at_once = true;
    r.n_groups = 1;
    r.groups[0] = (struct sample_group){ .id = agent_group_id("m-1"), .valid = true };
    rig_want(&r, &d, 1);
    rig_started(&r, "m-1");
    for (int i = 0; i < 6; i++) {
        r.busy_permille = i % 2 ? 500 : 700;
        r.watts = i % 2 ? 200 : 240;
        report_after(&r, 5000);
    }
    rig_new(&r, "boot-1"); /* what was learned outlives the agent */
    rig_adopt(&r, &d, 4242);
    rig_tick(&r);
    report_after(&r, 1000);
    idle = rig_told(&r, "m-1")->energy_idle_uj;
    dynamic = rig_told(&r, "m-1")->energy_dynamic_uj;
    length_ms = (uint64_t)r.report->boot_ms;
    r.groups[0].cpu_ns += UINT64_C(20000000000); /* more than there was: all of it */
    r.busy_permille = 700;
    r.watts = 240;
    report_after(&r, 5000);
    length_ms = (uint64_t)r.report->boot_ms - length_ms;
    idle = rig_told(&r, "m-1")->energy_idle_uj - idle;
    dynamic = rig_told(&r, "m-1")->energy_dynamic_uj - dynamic;
    assert_in_range(idle, length_ms * 25000 - length_ms, length_ms * 25000 + length_ms);
    assert_in_range(dynamic, length_ms * 139000,
                    length_ms * 140000 + length_ms); /* of two samples */
    rig_end(&r);
}

static void hurried_reports(struct rig *r, int n)
{
    for (int i = 0; i < n; i++) {
        struct wire_reply reply = rig_reply(r);

        reply.desired_present = false;
        reply.next_interval_ms = 400;
        rig_answer(r, &reply);
        rig_await_report(r);
    }
}

/* Who reports so often that no interval alone can tell watts tells work from idling all the same,
 * on the node and on its GPU. */
static void test_short_intervals_are_put_together(void **state)
{
    struct wire_desired d = rig_replica("m-1");
    uint32_t gpus[] = { 0 };
    uint64_t before, joules_uj;
    int64_t from_ms;
    struct rig r;

    (void)state;
    d.gpus = gpus;
    d.n_gpus = 1;
    rig_start(&r);
    r.ready_at_once = true;
    r.gpu_watts = 30;
    r.n_groups = 1;
    r.groups[0] = (struct sample_group){ .id = agent_group_id("m-1"), .valid = true };
    rig_want(&r, &d, 1);
    rig_started(&r, "m-1");
    rig_await_report(&r);
    hurried_reports(&r, 8);
    before = rig_told(&r, "m-1")->energy_dynamic_uj;
    from_ms = r.report->boot_ms;
    r.busy_permille = 500;
    r.watts = 150;
    r.gpu_watts = 230;
    for (int i = 0; i < 4; i++) {
        r.groups[0].cpu_ns += UINT64_C(20000000000); /* all that there was */
        hurried_reports(&r, 1);
    }
    joules_uj = (uint64_t)(r.report->boot_ms - from_ms) * (100000 + 200000);
    /* The node's idle may be taken for a little less than the least seen. */
    assert_in_range(rig_told(&r, "m-1")->energy_dynamic_uj - before, joules_uj,
                    joules_uj + joules_uj / 10);
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpu_joules_go_to_its_holder),
        cmocka_unit_test(test_gpu_that_nobody_holds),
        cmocka_unit_test(test_idle_of_a_node_that_never_is),
        cmocka_unit_test(test_short_intervals_are_put_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
