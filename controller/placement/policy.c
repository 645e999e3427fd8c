/* Looking up policies; defaults where none is named. */
#include "controller/placement/policy.h"

static const struct power_policy defaults = {
    .strategy = STRATEGY_PREDICTIVE,
    .interval_ms = 60000,
    .horizon_ms = 3600000,
    .quantile = 0.9,
    .pool_quantile = 0.99,
    .confidence = 0.9,
    .budget = { .moves = -1, .sleeps = -1, .wakes = -1, .move_joules = 200 },
};

const struct power_policy *policy_of_pool(const struct snapshot *s, uint32_t pool)
{
    if (pool >= s->n_pools || s->pools[pool].policy >= s->n_policies)
        return &defaults;
    return s->policies[s->pools[pool].policy].spec;
}

const struct intensity *policy_weight(const struct snapshot *s, uint32_t pool)
{
    if (pool >= s->n_pools || s->pools[pool].policy >= s->n_policies)
        return NULL;
    return s->policies[s->pools[pool].policy].weight;
}

bool policy_window_open(const struct snapshot *s, uint32_t pool)
{
    if (pool >= s->n_pools)
        return false;
    return s->pools[pool].policy >= s->n_policies || s->policies[s->pools[pool].policy].window_open;
}

uint32_t policy_pool_of_model(const struct snapshot *s, const struct snap_model *m)
{
    for (uint32_t i = 0; i < s->n_nodes; i++)
        if (s->nodes[i].pool < s->n_pools && snapshot_eligible(m, i))
            return s->nodes[i].pool;
    return NO_INDEX;
}

const struct power_policy *policy_of_model(const struct snapshot *s, const struct snap_model *m)
{
    return policy_of_pool(s, policy_pool_of_model(s, m));
}

int64_t policy_boot_ms(const struct snapshot *s, const struct snap_model *m)
{
    int64_t slowest_ms = 0, most_ms = 0;

    for (uint32_t i = 0; i < s->n_pools; i++)
        if (s->pools[i].boot_p99_ms > most_ms)
            most_ms = s->pools[i].boot_p99_ms;
    for (uint32_t i = 0; i < s->n_nodes && slowest_ms < most_ms; i++) {
        uint32_t pool = s->nodes[i].pool;

        if (pool < s->n_pools && s->pools[pool].boot_p99_ms > slowest_ms && snapshot_eligible(m, i))
            slowest_ms = s->pools[pool].boot_p99_ms;
    }
    return slowest_ms;
}
