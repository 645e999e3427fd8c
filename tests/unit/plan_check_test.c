/* A good plan is accepted; broken on purpose it is refused, by the guarantee that it breaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
}

static void a_replica_named_twice(void **state)
{
    struct bench *b = *state;

    for (size_t i = 0; i < b->plan->n_placements; i++)
        if (b->plan->placements[i].replica != NO_INDEX)
            b->plan->placements[i].replaces = b->plan->placements[i].replica;
    assert_refused(b, "plan");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

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
        CASE(g5_the_loss_of_one_node),
        CASE(g6_too_short_to_pay),
        CASE(capacity_overfull),
        CASE(capacity_a_node_that_takes_none),
        CASE(capacity_too_many_of_one_model),
        CASE(a_replica_named_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
