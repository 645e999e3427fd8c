/* See limits.h. */
#include "controller/reconcile/limits.h"

#include <stddef.h>

enum limits_group limits_group(enum node_state state)
{
    switch (state) {
    case NODE_AWAKE:
    case NODE_HELD:
        return LIMITS_AWAKE;
    case NODE_DRAINING:
    case NODE_EMPTY:
    case NODE_PREPARING:
    case NODE_SLEEPING:
        return LIMITS_LEAVING;
    case NODE_ASLEEP:
        return LIMITS_ASLEEP;
    case NODE_WAKING:
        return LIMITS_WAKING;
    case NODE_UNREACHABLE:
    case NODE_QUARANTINED:
        return LIMITS_LOST;
    case NODE_UNMANAGED:
        break;
    }
    return LIMITS_NONE;
}

static int64_t least(const struct limits *l)
{
    return l->pool->min_awake + l->pool->spare;
}

const char *limits_no_sleep(const struct limits *l)
{
    if (!l->pool)
        return "in no pool";
    if (l->passive)
        return l->passive;
    if (l->policy && l->policy->paused)
        return "its policy is paused";
    if (l->policy && l->policy->dry_run)
        return "dry run";
    if (l->policy && !l->window_open)
        return "outside the policy's windows";
    if (l->policy && l->policy->budget.sleeps >= 0 && l->sleeps >= l->policy->budget.sleeps)
        return "as many nodes as allowed are going to sleep";
    if ((int64_t)l->awake - 1 < least(l))
        return "its pool needs every node that is awake";
    return NULL;
}

const char *limits_no_commit(const struct limits *l)
{
    if (!l->pool || (int64_t)l->awake < least(l))
        return "its pool needs every node that is awake";
    return NULL;
}

/* As many are on, or coming up, as its maxAwake allows. A silent node is not counted: it serves
 * nothing, and may have to be replaced. */
static bool pool_is_full(const struct limits *l)
{
    int64_t most = l->pool ? l->pool->max_awake : -1;

    return most >= 0 && (int64_t)l->awake + l->leaving + l->waking + l->coming >= most;
}

bool limits_wakes_left(const struct limits *l)
{
    return !pool_is_full(l) && limits_wakes_at_once(l);
}

bool limits_wakes_at_once(const struct limits *l)
{
    return !l->policy || l->policy->budget.wakes < 0 || l->wakes < l->policy->budget.wakes;
}

bool limits_lacks(const struct limits *l)
{
    return l->pool && (int64_t)l->awake + l->waking + l->coming < least(l);
}

const char *limits_no_move(const struct limits *l, uint32_t alive, uint32_t target,
                           const struct served_model *spec)
{
    if (l->policy && !l->window_open)
        return "outside the policy's windows";
    if (l->policy && l->policy->budget.moves >= 0 && l->moves >= l->policy->budget.moves)
        return "as many moves as allowed are in hand";
    if (alive >= target + (uint32_t)spec->disruption.surge)
        return "as many replicas above target as allowed";
    return NULL;
}
