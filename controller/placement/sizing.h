/* How many replicas a model needs: the demand that must be servable over the lead time (load, one
 * interval), and what waits already, divided by what a replica serves. The time of a boot is not
 * part of it: nodes are kept awake for all models together (reserve.h), which takes less than
 * keeping replicas of each. More than that where nodes draw least when they are not full
 * (easing.h). Up at once; down only when the demand is expected to stay below for
 * longer than stopping and starting again is worth. `demand` and `predictive` differ in the
 * forecast alone: without one the demand of now, and a margin, is what comes. */
#ifndef HUDDLE_SIZING_H
#define HUDDLE_SIZING_H

#include "controller/forecast/series.h"
#include "controller/placement/plan.h"

/* Fills everything of `m` but `placed`. `alive`: present replicas that count (packing_counts).
 * `m->forecast` (n_steps 0: unknown) and `m->best_load` are set by the caller; `past` may be NULL.
 */
void sizing(const struct snapshot *s, uint32_t model, uint32_t alive, const struct series *past,
            struct plan_model *m);

/* There is no room for more than the demand asks for: `m` is sized without them. */
void sizing_ease_none(struct plan_model *m);

/* Replicas for a demand: ceil, within the model's limits. Capacity must be known. */
uint32_t sizing_replicas(const struct snap_model *m, double demand);

#endif
