/* A good plan is accepted; broken on purpose it is refused, by the guarantee that it breaks. Room
 * and losses have tests of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/plan_check_world.h"

static void the_good_plan_is_accepted(void **state)
{
    struct bench *b = *state;
    struct err e = ERR_INIT;

    assert_int_equal(plan_check(b->plan, &e), 0);
    assert_int_equal(b->plan->sleeps, 2);
    assert_true(b->plan->moves >= 1);
    assert_int_equal(b->plan->stops, 0);
    assert_int_equal(b->plan->awake_target, 2);
    assert_int_equal(b->plan->bound_nodes, 2);
    assert_true(b->plan->watts_after < b->plan->watts_now);
}

static void g1_a_node_that_may_not_sleep(void **state)
{
    struct bench *b = *state;

    b->w.nodes[a_sleeper(b->plan)].sleepable = false;
    assert_refused(b, "G1");
}

static void g1_a_sleeper_that_keeps_a_replica(void **state)
{
    struct bench *b = *state;

    b->plan->placements[a_move(b->plan)].node = a_sleeper(b->plan);
    assert_refused(b, "G1");
}

static void g2_break_before_make(void **state)
{
    struct bench *b = *state;

    b->plan->placements[a_move(b->plan)].replaces = NO_INDEX;
    assert_refused(b, "G2");
}

static void g2_an_unknown_demand_only_grows(void **state)
{
    struct bench *b = *state;
    struct err e = ERR_INIT;

    b->plan->models[0].floor = 0;
    b->plan->n_placements--; /* one is stopped */
    b->w.models[0].demand = 5;
    assert_int_equal(plan_check(b->plan, &e), 0);
    b->w.models[0].demand = NAN;
    assert_refused(b, "G2");
}

static void g2_a_frozen_model(void **state)
{
    struct bench *b = *state;

    b->w.models[0].slo_broken = true;
    assert_refused(b, "G2");
}

static void g5_fewer_than_minimum_and_spare(void **state)
{
    struct bench *b = *state;

    b->w.pool_spec.min_awake = 3;
    assert_refused(b, "G5");
}

static void g5_budgets(void **state)
{
    struct bench *b = *state;

    b->w.policy_spec.budget.sleeps = 1;
    assert_refused(b, "G5");
    b->w.policy_spec.budget.sleeps = -1;
    b->w.policy_spec.budget.moves = 0;
    assert_refused(b, "G5");
    b->w.policy_spec.budget.moves = -1;
    b->w.policy.window_open = false;
    assert_refused(b, "G5");
}

static void g6_too_short_to_pay(void **state)
{
    struct bench *b = *state;

    b->plan->nodes[a_sleeper(b->plan)].off_s = 1;
    assert_refused(b, "G6");
}

static void a_replica_named_twice(void **state)
{
    struct bench *b = *state;

    for (size_t i = 0; i < b->plan->n_placements; i++)
        if (b->plan->placements[i].replica != NO_INDEX)
            b->plan->placements[i].replaces = b->plan->placements[i].replica;
    assert_refused(b, "plan");
}

static void g1_nothing_sleeps_now(void **state)
{
    struct bench *b = *state;
    struct snap_node *n = &b->w.nodes[a_sleeper(b->plan)];

    b->plan->snapshot->paused = true;
    assert_refused(b, "G1");
    b->plan->snapshot->paused = false;
    b->plan->snapshot->warming_up = true;
    assert_refused(b, "G1");
    b->plan->snapshot->warming_up = false;
    n->state = NODE_HELD;
    assert_refused(b, "G1");
}

static void g2_each_floor(void **state)
{
    struct bench *b = *state;

    by_hand(b, 2);
    b->w.specs[0].disruption.min_available = 3;
    assert_refused(b, "G2");
    by_hand((b->w.specs[0].disruption.min_available = 1, b), 2);
    b->plan->models[0].floor = 3;
    assert_refused(b, "G2");
    by_hand(b, 2);
    b->w.models[0].demand = 25; /* of 10 each */
    assert_refused(b, "G2");
    by_hand(b, 2);
    b->plan->models[0].floor = 2;
    assert_accepted(b);
    b->w.replicas[0].phase = REPLICA_STARTING; /* counts for nothing yet */
    assert_refused(b, "G2");
    b->w.replicas[0].phase = REPLICA_READY;
    b->w.replicas[0].leaving = true;
    assert_refused(b, "G2");
}

/* The demand of now may wait where its requests may, whatever the plan believes of them. */
static void g2_demand_that_may_wait(void **state)
{
    struct bench *b = *state;

    by_hand(b, 2);
    b->w.models[0].demand = 25; /* of 10 each */
    b->plan->models[0].holds = true;
    assert_refused(b, "G2"); /* they may not */
    b->w.models[0].deadline_ms = 60000;
    b->w.models[0].waited_ms = 59999;
    assert_accepted(b);
    b->w.models[0].waited_ms = 60000;
    assert_refused(b, "G2");
    b->w.models[0].waited_ms = -1; /* nobody knows for how long they have */
    assert_refused(b, "G2");
    b->w.models[0].waited_ms = 0;
    assert_accepted(b);
    b->plan->models[0].holds = false;
    assert_refused(b, "G2");
}

static void g2_what_is_not_sure_only_grows(void **state)
{
    struct bench *b = *state;

    by_hand(b, 2);
    b->w.models[0].slo_broken = true;
    assert_refused(b, "G2: model m000 would fall");
    b->w.models[0].slo_broken = false;
    b->w.models[0].capacity = NAN;
    assert_refused(b, "G2: model m000 would fall");
    b->w.models[0].capacity = 10;
    b->plan->snapshot->warming_up = true;
    assert_refused(b, "G2: model m000 would fall");
    b->plan->snapshot->warming_up = false;
    b->plan->snapshot->paused = true;
    assert_refused(b, "G2: model m000 would fall");
    b->plan->snapshot->paused = false;
    move_by_hand(b, 0);
    assert_accepted(b);
    b->plan->snapshot->paused = true;
    assert_refused(b, "G2: model m000 is moved");
}

static void g5_what_a_pool_must_keep(void **state)
{
    struct bench *b = *state;

    b->w.pool_spec.spare = 2;
    assert_refused(b, "G5: pool pool would have 2");
    b->w.pool_spec.spare = 1;
    b->w.policy_spec.paused = true;
    assert_refused(b, "G5: pool pool: sleep outside");
    b->w.policy_spec.paused = false;
    b->w.pool_spec.cycles_per_day = 2;
    assert_accepted(b);
    b->w.nodes[a_sleeper(b->plan)].cycles_today = 2;
    assert_refused(b, "G5: node");
}

static void g5_what_is_under_way_counts(void **state)
{
    struct bench *b = *state;

    b->w.pool_spec.min_awake = b->w.pool_spec.spare = 0;
    b->w.policy_spec.budget.sleeps = 2;
    assert_accepted(b);
    for (uint32_t n = 0; n < 4; n++)
        if (b->plan->nodes[n].verdict == PLAN_STAY)
            b->w.nodes[n].state = NODE_DRAINING;
    b->plan->n_placements = 0; /* of no matter: the budget is asked for first */
    b->plan->models[0].floor = 0;
    b->w.specs[0].disruption.min_available = 0;
    b->w.models[0].demand = 0;
    assert_refused(b, "G5: pool pool: 4 sleeps at once");
}

static void g5_wakes(void **state)
{
    struct bench *b = *state;

    by_hand(b, 3);
    b->w.nodes[3].state = NODE_ASLEEP;
    b->plan->nodes[3].verdict = PLAN_WAKE;
    b->w.policy_spec.budget.wakes = 1;
    b->w.pool_spec.max_awake = 4;
    assert_accepted(b);
    b->w.pool_spec.max_awake = 3;
    assert_refused(b, "G5: pool pool would have 4 nodes awake");
    b->w.nodes[2].state = NODE_DRAINING; /* is on, still */
    assert_refused(b, "G5: pool pool would have 4 nodes awake");
    b->w.pool_spec.max_awake = -1;
    b->w.nodes[2].state = NODE_WAKING;
    assert_refused(b, "G5: pool pool: 2 wakes at once");
}

static void g6_waking_that_is_not_proven(void **state)
{
    struct bench *b = *state;
    struct snap_node *n = &b->w.nodes[a_sleeper(b->plan)];

    n->wake_proven = false;
    assert_refused(b, "G6");
    n->wake_proven = true;
    n->curve.standby_w = n->curve.watts[0];
    n->curve.cycle_j = -1; /* nothing is saved, whatever a cycle costs */
    assert_refused(b, "G6");
}

static void one_replica_in_two_places(void **state)
{
    struct bench *b = *state;

    by_hand(b, 3);
    b->plan->placements[1] = b->plan->placements[0];
    assert_refused(b, "plan: model m000: a replica that stays");
    by_hand(b, 3);
    for (uint32_t i = 0; i < 2; i++)
        b->plan->placements[i] = (struct plan_placement){ 0, 3, NO_INDEX, 0, 0, false };
    assert_refused(b, "plan: model m000: a move");
    by_hand(b, 3);
    b->plan->placements[1] = (struct plan_placement){ 0, 3, NO_INDEX, 0, 0, false };
    assert_refused(b, "plan: replica r0 both stays");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_good_plan_is_accepted),
        CASE(g1_a_node_that_may_not_sleep),
        CASE(g1_a_sleeper_that_keeps_a_replica),
        CASE(g2_break_before_make),
        CASE(g2_an_unknown_demand_only_grows),
        CASE(g2_a_frozen_model),
        CASE(g5_fewer_than_minimum_and_spare),
        CASE(g5_budgets),
        CASE(g6_too_short_to_pay),
        CASE(a_replica_named_twice),
        CASE(g1_nothing_sleeps_now),
        CASE(g2_each_floor),
        CASE(g2_demand_that_may_wait),
        CASE(g2_what_is_not_sure_only_grows),
        CASE(g5_what_a_pool_must_keep),
        CASE(g5_what_is_under_way_counts),
        CASE(g5_wakes),
        CASE(g6_waking_that_is_not_proven),
        CASE(one_replica_in_two_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
