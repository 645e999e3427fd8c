/* Which policy is in force for a pool or a model of a snapshot. */
#ifndef HUDDLE_PLACEMENT_POLICY_H
#define HUDDLE_PLACEMENT_POLICY_H

#include "controller/state/snapshot.h"

/* Never NULL: the defaults where a pool names no policy. */
const struct power_policy *policy_of_pool(const struct snapshot *s, uint32_t pool);
/* What a joule weighs there over time; NULL: the same always. */
const struct intensity *policy_weight(const struct snapshot *s, uint32_t pool);

bool policy_window_open(const struct snapshot *s, uint32_t pool);

/* The first pool that has a node on which the model may run, or NO_INDEX; and its policy. */
uint32_t policy_pool_of_model(const struct snapshot *s, const struct snap_model *m);
const struct power_policy *policy_of_model(const struct snapshot *s, const struct snap_model *m);

/* Slowest boot among pools with a node on which the model may run, ms. */
int64_t policy_boot_ms(const struct snapshot *s, const struct snap_model *m);

#endif
