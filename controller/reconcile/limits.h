/* What budgets, windows and a pool's least allow, as a function of counts alone: asked by the
 * controller of its cluster (budget.c) and by the simulation of its virtual one. Pure. */
#ifndef HUDDLE_LIMITS_H
#define HUDDLE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/state/snapshot.h"
#include "proto/manifest.h"

struct limits {                        /* of one pool, now; borrows both */
    const struct power_pool *pool;     /* NULL: in none */
    const struct power_policy *policy; /* NULL: none */
    bool window_open;
    const char *passive; /* why nothing is done there (pool_passive()); NULL: it is */
    uint32_t awake, leaving, waking, coming; /* nodes; coming: sent for, not heard yet */
    uint32_t sleeps, wakes, moves;           /* in hand under the policy, of all its pools */
};

/* As what a node counts in its pool. */
enum limits_group {
    LIMITS_AWAKE,
    LIMITS_LEAVING,
    LIMITS_ASLEEP,
    LIMITS_WAKING,
    LIMITS_LOST,
    LIMITS_NONE
};
enum limits_group limits_group(enum node_state state);

/* Why no node may leave now, by the planner's wish; NULL: one may. Static text, as below. */
const char *limits_no_sleep(const struct limits *l);

/* Why a node that is empty already may not go off. */
const char *limits_no_commit(const struct limits *l);

/* May one more node be woken (dry run or not)? */
bool limits_wakes_left(const struct limits *l);

/* The same, however many of the pool are awake. */
bool limits_wakes_at_once(const struct limits *l);

/* Fewer are awake or coming than the pool asks for at least. */
bool limits_lacks(const struct limits *l);

/* Why no further move may begin of a model with so many replicas that do not leave. */
const char *limits_no_move(const struct limits *l, uint32_t alive, uint32_t target,
                           const struct served_model *spec);

#endif
