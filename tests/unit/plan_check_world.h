/* Four nodes, one replica on each of the first three, little demand: two can be emptied. Its plan
 * is broken on purpose, or written by hand. */
#ifndef HUDDLE_TEST_PLAN_CHECK_WORLD_H
#define HUDDLE_TEST_PLAN_CHECK_WORLD_H

#include "tests/unit/plan_bench.h"

static inline int setup(void **state)
{
    struct bench *b = bench_new(4, 1);

    b->w.models[0].demand = 25;
    b->w.specs[0].replicas.min = 3;
    for (uint32_t n = 0; n < 3; n++)
        world_run(&b->w, 0, n, 0, REPLICA_READY);
    world_watch(&b->w, b->brain, 40);
    b->plan = world_plan(&b->w, b->brain);
    *state = b;
    return 0;
}

static inline uint32_t a_sleeper(const struct plan *p)
{
    for (uint32_t n = 0; n < p->snapshot->n_nodes; n++)
        if (p->nodes[n].verdict == PLAN_SLEEP)
            return n;
    return NO_INDEX;
}

static inline size_t a_move(const struct plan *p)
{
    for (size_t i = 0; i < p->n_placements; i++)
        if (p->placements[i].replaces != NO_INDEX)
            return i;
    return p->n_placements;
}

/* Nothing sleeps or wakes, and the first `n` of the three replicas stay: the others are stopped. */
static inline void by_hand(struct bench *b, size_t n)
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
static inline void move_by_hand(struct bench *b, uint64_t mask)
{
    by_hand(b, 3);
    b->plan->placements[0] = (struct plan_placement){ 0, 3, NO_INDEX, 0, mask, false };
}

#endif
