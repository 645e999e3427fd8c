/* A good plan is accepted; broken on purpose it is refused, by the guarantee that it breaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "controller/placement/plan_write.h"
#include "tests/unit/brain_world.h"

struct bench {
    struct world w;
    struct brain *brain;
    struct plan *plan;
};

/* Four nodes, one replica on each of the first three, little demand: two can be emptied. */
static int setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    world_init(&b->w, 4, 1);
    b->w.models[0].demand = 25;
    b->w.specs[0].replicas.min = 3;
    for (uint32_t n = 0; n < 3; n++)
        world_run(&b->w, 0, n, 0, REPLICA_READY);
    b->brain = brain_new(1);
    world_watch(&b->w, b->brain, 40);
    b->plan = world_plan(&b->w, b->brain);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    plan_free(b->plan);
    brain_free(b->brain);
    free(b);
    return 0;
}

static void assert_refused(struct bench *b, const char *by)
{
    struct err e = ERR_INIT;

    assert_true(plan_check(b->plan, &e) < 0);
    if (strncmp(e.text, by, strlen(by)) != 0)
        print_message("wanted %s, got: %s\n", by, e.text);
    assert_int_equal(strncmp(e.text, by, strlen(by)), 0);
}

static uint32_t a_sleeper(const struct plan *p)
{
    for (uint32_t n = 0; n < p->snapshot->n_nodes; n++)
        if (p->nodes[n].verdict == PLAN_SLEEP)
            return n;
    return NO_INDEX;
}

static size_t a_move(const struct plan *p)
{
    for (size_t i = 0; i < p->n_placements; i++)
        if (p->placements[i].replaces != NO_INDEX)
            return i;
    return p->n_placements;
}

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

/* Also of work that is not ours: what else runs on a node goes on after the plan. And an outdated
 * replica that stays goes on asking for what it asks for. */
static void where_nothing_changes_the_watts_do_not(void **state)
{
    struct bench *b = *state;
    struct served_model old = b->w.specs[0];
    struct plan *p = b->plan;
    double watts = 0, moved = 0;

    for (uint32_t n = 0; n < p->snapshot->n_nodes; n++) {
        b->w.nodes[n].utilization = 0.6;
        p->nodes[n].verdict = PLAN_STAY;
        watts += node_curve_watts(&p->snapshot->nodes[n].curve, 0.6);
    }
    for (size_t i = 0; i < p->n_placements; i++) {
        struct plan_placement *pp = &p->placements[i];

        if (pp->replaces == NO_INDEX)
            continue;
        moved++;
        pp->replica = pp->replaces;
        pp->node = p->snapshot->replicas[pp->replica].node;
        pp->replaces = NO_INDEX;
    }
    assert_true(moved > 0);
    old.resources.cpu_milli /= 2;
    b->w.replicas[0].spec = &old;
    b->w.nodes[3].state = NODE_UNMANAGED; /* in no pool, and yet it draws */
    plan_count(p);
    assert_int_equal(p->moves + p->starts + p->sleeps + p->wakes, 0);
    assert_true(fabs(p->watts_after - watts) < 1e-6);
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

static void g5_the_loss_of_one_node(void **state)
{
    struct bench *b = *state;

    for (uint32_t n = 0; n < 4; n++)
        b->w.nodes[n].cpu_milli = 4000; /* two replicas a node: three do not fit one */
    assert_refused(b, "G5: the loss");
}

static void g6_too_short_to_pay(void **state)
{
    struct bench *b = *state;

    b->plan->nodes[a_sleeper(b->plan)].off_s = 1;
    assert_refused(b, "G6");
}

static void capacity_overfull(void **state)
{
    struct bench *b = *state;

    b->w.nodes[b->plan->placements[a_move(b->plan)].node].memory_bytes = (int64_t)1 << 30;
    assert_refused(b, "capacity");
}

static void capacity_a_node_that_takes_none(void **state)
{
    struct bench *b = *state;

    b->w.nodes[b->plan->placements[a_move(b->plan)].node].schedulable = false;
    assert_refused(b, "capacity");
}

static void capacity_too_many_of_one_model(void **state)
{
    struct bench *b = *state;

    b->w.specs[0].placement.max_per_node = 1;
    assert_refused(b, "capacity");
    b->w.specs[0].placement.max_per_node = -1;
    b->w.specs[0].port = 8080;
    assert_refused(b, "capacity");
}

static void a_replica_named_twice(void **state)
{
    struct bench *b = *state;

    for (size_t i = 0; i < b->plan->n_placements; i++)
        if (b->plan->placements[i].replica != NO_INDEX)
            b->plan->placements[i].replaces = b->plan->placements[i].replica;
    assert_refused(b, "plan");
}

/* --- each condition by itself ------------------------------------------------------------------
 *
 * Small plans written by hand, each accepted before it is broken. */

static void assert_accepted(struct bench *b)
{
    struct err e = ERR_INIT;

    if (plan_check(b->plan, &e) < 0)
        fail_msg("%s", e.text);
}

/* Nothing sleeps or wakes, and the first `n` of the three replicas stay: the others are stopped. */
static void by_hand(struct bench *b, size_t n)
{
    for (uint32_t k = 0; k < b->w.n_nodes; k++)
        b->plan->nodes[k].verdict = PLAN_STAY;
    b->plan->n_placements = n;
    for (uint32_t i = 0; i < n; i++)
        b->plan->placements[i] =
            (struct plan_placement){ 0, b->w.replicas[i].node, i, NO_INDEX, 0, false };
    b->plan->models[0].floor = 0;
    b->w.models[0].demand = 5;
    assert_accepted(b);
}

/* The first replica moves to the fourth node. */
static void move_by_hand(struct bench *b, uint64_t mask)
{
    by_hand(b, 3);
    b->plan->placements[0] = (struct plan_placement){ 0, 3, NO_INDEX, 0, mask, false };
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

/* All three on the first node, the second is empty, the others are to sleep. */
static void g5_where_the_lost_ones_would_go(void **state)
{
    struct bench *b = *state;
    const uint64_t only_there = 1;

    b->w.replicas[1].node = b->w.replicas[2].node = b->w.replicas[0].node;
    by_hand(b, 3);
    b->plan->models[0].floor = 1;
    for (uint32_t n = 2; n < 4; n++) {
        b->plan->nodes[n].verdict = PLAN_SLEEP;
        b->plan->nodes[n].off_s = 3600;
    }
    assert_accepted(b);
    b->w.models[0].eligible = &only_there;
    assert_refused(b, "G5: the loss");
    b->w.pool_spec.spare = 0; /* a person does without */
    assert_accepted(b);
    b->w.pool_spec.spare = 1;
    b->w.models[0].eligible = NULL;
    b->w.nodes[1].memory_bytes = 1 << 20;
    assert_refused(b, "G5: the loss");
    b->w.nodes[1].memory_bytes = b->w.nodes[0].memory_bytes;
    b->w.specs[0].resources.gpu_milli = 1000; /* the second has no device */
    assert_refused(b, "G5: the loss");
}

/* As above, and one is left on the second node. */
static void g5_where_the_lost_ones_may_not_go(void **state)
{
    struct bench *b = *state;
    struct snap_gpu first = { "a", 0 }, second = { "b", 0 };
    char a[] = "a", *only_a = a;

    b->w.replicas[1].node = b->w.replicas[0].node;
    b->w.replicas[2].node = 1 - b->w.replicas[0].node;
    by_hand(b, 3);
    b->plan->models[0].floor = 3;
    for (uint32_t n = 2; n < 4; n++) {
        b->plan->nodes[n].verdict = PLAN_SLEEP;
        b->plan->nodes[n].off_s = 3600;
    }
    assert_accepted(b);
    b->w.specs[0].placement.max_per_node = 3;
    assert_accepted(b);
    b->w.specs[0].placement.max_per_node = 2;
    assert_refused(b, "G5: the loss");
    b->w.specs[0].placement.max_per_node = -1;
    b->w.specs[0].port = 8080; /* free once per node */
    assert_refused(b, "G5: the loss");
    b->w.specs[0].port = 0;
    b->plan->models[0].floor = 1;
    b->w.replicas[2].node = b->w.replicas[0].node;
    by_hand(b, 3);
    b->plan->models[0].floor = 1;
    for (uint32_t n = 2; n < 4; n++)
        b->plan->nodes[n].verdict = PLAN_SLEEP;
    b->w.specs[0].resources.gpu_milli = 300;
    b->w.nodes[0].gpus = &first;
    b->w.nodes[1].gpus = &second;
    b->w.nodes[0].n_gpus = b->w.nodes[1].n_gpus = 1;
    for (uint32_t i = 0; i < 3; i++)
        b->w.replicas[i].gpu_mask = 1;
    assert_accepted(b);
    b->w.specs[0].resources.gpu_models = (struct string_list){ &only_a, 1 };
    assert_refused(b, "G5: the loss");
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

static void capacity_of_each_kind(void **state)
{
    struct bench *b = *state;
    struct snap_node *n = &b->w.nodes[3], was = *n;
    const uint64_t others = 7;

    move_by_hand(b, 0);
    assert_accepted(b);
    n->cpu_milli = 1000;
    assert_refused(b, "capacity");
    *n = was;
    n->cordoned = true;
    assert_refused(b, "capacity");
    *n = was;
    n->evacuate = true;
    assert_refused(b, "capacity");
    *n = was;
    b->w.models[0].eligible = &others;
    assert_refused(b, "capacity: model m000 may not");
}

static void capacity_of_devices(void **state)
{
    struct bench *b = *state;
    struct snap_gpu gpu = { "gpu", (uint64_t)8 << 30 };
    char name[] = "another", *another = name;

    b->w.nodes[3].gpus = &gpu;
    b->w.nodes[3].n_gpus = 1;
    b->w.specs[0].resources.gpu_milli = 1000;
    move_by_hand(b, 1);
    assert_accepted(b);
    move_by_hand(b, 0);
    assert_refused(b, "capacity");
    move_by_hand(b, 2); /* a device that is not there */
    assert_refused(b, "capacity");
    move_by_hand(b, 1);
    b->w.specs[0].resources.gpu_memory_bytes = (int64_t)1 << 30;
    b->plan->placements[1] = (struct plan_placement){ 0, 3, NO_INDEX, 1, 1, false };
    assert_refused(b, "capacity"); /* both want the whole of it */
    move_by_hand(b, 1);
    b->w.specs[0].resources.gpu_memory_bytes = (int64_t)9 << 30;
    assert_refused(b, "capacity");
    b->w.specs[0].resources.gpu_memory_bytes = -1;
    assert_accepted(b);
    b->w.specs[0].resources.gpu_models = (struct string_list){ &another, 1 };
    assert_refused(b, "capacity: model m000 on node n003: not the devices");
}

/* What is there already is not held against a plan that adds nothing to it. */
static void too_many_already_are_left_alone(void **state)
{
    struct bench *b = *state;

    b->w.replicas[1].node = b->w.replicas[0].node;
    b->w.specs[0].placement.max_per_node = 1;
    by_hand(b, 3);
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

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_good_plan_is_accepted),
        CASE(where_nothing_changes_the_watts_do_not),
        CASE(g1_a_node_that_may_not_sleep),
        CASE(g1_a_sleeper_that_keeps_a_replica),
        CASE(g2_break_before_make),
        CASE(g2_an_unknown_demand_only_grows),
        CASE(g2_a_frozen_model),
        CASE(g5_fewer_than_minimum_and_spare),
        CASE(g5_budgets),
        CASE(g5_the_loss_of_one_node),
        CASE(g6_too_short_to_pay),
        CASE(capacity_overfull),
        CASE(capacity_a_node_that_takes_none),
        CASE(capacity_too_many_of_one_model),
        CASE(a_replica_named_twice),
        CASE(g1_nothing_sleeps_now),
        CASE(g2_each_floor),
        CASE(g2_demand_that_may_wait),
        CASE(g2_what_is_not_sure_only_grows),
        CASE(g5_what_a_pool_must_keep),
        CASE(g5_what_is_under_way_counts),
        CASE(g5_wakes),
        CASE(g5_where_the_lost_ones_would_go),
        CASE(g5_where_the_lost_ones_may_not_go),
        CASE(g6_waking_that_is_not_proven),
        CASE(capacity_of_each_kind),
        CASE(capacity_of_devices),
        CASE(too_many_already_are_left_alone),
        CASE(one_replica_in_two_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
