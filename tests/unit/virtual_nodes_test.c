/* Nodes of the virtual cluster under the controller's life cycle: settling, cool-down, budgets,
 * windows, the pool's least, and quarantine after boots that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/simulate/virtual_nodes.h"

#define NODES 4u

static const double load_s[] = { 20 };

static struct rack_hardware hw_of(double failed_share)
{
    return (
        struct rack_hardware){ .nodes_least = 1,
                               .nodes = NODES,
                               .slots = 4,
                               .watts = { 100, 110, 120, 130, 140, 150, 160, 170, 180, 190, 200 },
                               .asleep_w = 10,
                               .boot_w = 150,
                               .boot_lo_s = 60,
                               .boot_hi_s = 60,
                               .shutdown_lo_s = 30,
                               .shutdown_hi_s = 30,
                               .boot_failed_share = failed_share,
                               .boot_failed_s = 90,
                               .barred_s = 60,
                               .load_s = load_s,
                               .n_load_s = 1,
                               .load_scale = 1 };
}

static struct power_policy policy_of(void)
{
    return (struct power_policy){ .interval_ms = 60000,
                                  .budget = { .moves = -1, .sleeps = -1, .wakes = -1 },
                                  .timing = { .settle_ms = 10000,
                                              .cooldown_ms = 600000,
                                              .drain_ms = 1800000,
                                              .prepare_ms = 30000,
                                              .bye_ms = 90000,
                                              .wake_ms = 600000,
                                              .max_asleep_ms = 604800000 } };
}

struct world {
    struct rack_hardware hw;
    struct rack_load load;
    double rate[40000];
    struct power_policy policy;
    struct power_pool pool;
    struct rack r;
    struct virtual_nodes *v;
    struct plan plan;
    struct plan_node verdicts[NODES];
};

static void begin(struct world *w, double failed_share)
{
    *w = (struct world){ .hw = hw_of(failed_share),
                         .policy = policy_of(),
                         .pool = {
                             .min_awake = 1, .spare = 1, .max_awake = -1, .cycles_per_day = -1 } };
    w->load = (struct rack_load){ .n_models = 1,
                                  .n_steps = 40000,
                                  .step_s = 15,
                                  .rate = w->rate,
                                  .model = { { "m", 1, 0, 1, 1, NULL } } };
    w->plan.nodes = w->verdicts;
    rack_init(&w->r, &w->hw, &w->load, 1, false);
    w->v = virtual_nodes_new(&w->hw, &w->policy, &w->pool);
}

static void end(struct world *w)
{
    virtual_nodes_free(w->v);
    rack_done(&w->r);
}

static void want(struct world *w, enum plan_verdict verdict, bool open)
{
    for (uint32_t n = 0; n < NODES; n++)
        w->verdicts[n].verdict = verdict;
    virtual_nodes_plan(w->v, &w->plan, open);
}

static void pass(struct world *w, double seconds)
{
    for (int64_t k = 0; k < (int64_t)(seconds / 15); k++) {
        rack_due(&w->r);
        virtual_nodes_step(w->v, &w->r, (int64_t)(15000 * (double)w->r.step));
        rack_serve(&w->r);
    }
}

static enum node_state state(struct world *w, uint32_t node)
{
    struct snap_node s = { 0 };

    virtual_nodes_see(w->v, &w->r, node, (int64_t)(15000 * (double)w->r.step), &s);
    return s.state;
}

static uint32_t asleep(struct world *w)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < NODES; i++)
        n += state(w, i) == NODE_ASLEEP;
    return n;
}

static void empty_nodes_sleep_but_for_the_least(void **state_)
{
    static struct world w;

    (void)state_;
    begin(&w, 0);
    want(&w, PLAN_SLEEP, true);
    pass(&w, 15);
    assert_int_equal(state(&w, 0), NODE_DRAINING); /* it has to stay empty first */
    assert_int_equal(w.r.score.sleeps, 0);
    pass(&w, 300);
    assert_int_equal(asleep(&w), 2); /* one awake at least, and a spare one */
    assert_int_equal(w.r.score.sleeps, 2);
    pass(&w, 3600);
    assert_int_equal(asleep(&w), 2);
    end(&w);
}

static void it_wakes_and_cools_down(void **state_)
{
    static struct world w;

    (void)state_;
    begin(&w, 0);
    want(&w, PLAN_SLEEP, true);
    pass(&w, 300);
    want(&w, PLAN_WAKE, true);
    pass(&w, 30);
    assert_int_equal(state(&w, 0), NODE_WAKING);
    pass(&w, 60);
    assert_int_equal(asleep(&w), 0);
    assert_int_equal(state(&w, 0), NODE_AWAKE);
    assert_true(virtual_nodes_takes(w.v, 0));
    want(&w, PLAN_SLEEP, true);
    pass(&w, 480);
    assert_int_equal(state(&w, 0),
                     NODE_AWAKE); /* woken less than ten minutes ago; node 2 was not */
    assert_int_equal(asleep(&w), 2);
    end(&w);
}

static void budgets_and_windows_are_kept(void **state_)
{
    static struct world w;

    (void)state_;
    begin(&w, 0);
    want(&w, PLAN_SLEEP, false);
    pass(&w, 600);
    assert_int_equal(asleep(&w), 0); /* outside the window */
    w.policy.budget.sleeps = 1;
    want(&w, PLAN_SLEEP, true);
    pass(&w, 30);
    assert_int_equal(w.r.score.sleeps, 1);
    pass(&w, 300);
    assert_int_equal(asleep(&w), 2); /* one after the other */
    w.policy.budget.wakes = 1;
    want(&w, PLAN_WAKE, true);
    pass(&w, 30);
    assert_int_equal(w.r.score.wakes, 1);
    end(&w);
}

static void cycles_of_a_day_are_counted(void **state_)
{
    static struct world w;
    struct snap_node s = { 0 };

    (void)state_;
    begin(&w, 0);
    w.pool.cycles_per_day = 1;
    want(&w, PLAN_SLEEP, true);
    pass(&w, 300);
    assert_int_equal(state(&w, 0), NODE_ASLEEP);
    want(&w, PLAN_WAKE, true);
    pass(&w, 1200);
    virtual_nodes_see(w.v, &w.r, 0, (int64_t)(15000 * (double)w.r.step), &s);
    assert_int_equal(s.cycles_today, 1);
    assert_false(s.sleepable);
    assert_string_equal(s.why_not_asleep, "its power cycles of the day are used up");
    end(&w);
}

static void a_node_that_does_not_boot_is_quarantined(void **state_)
{
    static struct world w;

    (void)state_;
    begin(&w, 1); /* no boot succeeds */
    want(&w, PLAN_SLEEP, true);
    pass(&w, 300);
    want(&w, PLAN_WAKE, true);
    pass(&w, 660);
    assert_int_equal(state(&w, 0), NODE_QUARANTINED);
    assert_true(w.r.score.failed_boots >= 2);
    assert_false(virtual_nodes_takes(w.v, 0));
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_nodes_sleep_but_for_the_least),
        cmocka_unit_test(it_wakes_and_cools_down),
        cmocka_unit_test(budgets_and_windows_are_kept),
        cmocka_unit_test(cycles_of_a_day_are_counted),
        cmocka_unit_test(a_node_that_does_not_boot_is_quarantined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
