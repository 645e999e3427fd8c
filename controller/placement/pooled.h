/* The demand of all models together as one series with a forecaster of its own. Models seldom surge
 * at the same time: the quantile of the sum asks for far fewer nodes than the sum of the models'
 * quantiles, and it is what nodes are kept awake for. A model counts by its dominant share (Ghodsi
 * et al., NSDI 2011): the largest part that its replicas take of all nodes' CPU, memory or devices.
 * Pure but for its own memory. */
#ifndef HUDDLE_POOLED_H
#define HUDDLE_POOLED_H

#include "controller/forecast/ensemble.h"
#include "controller/placement/plan.h"

struct pooled {
    struct ensemble *forecaster;
    int64_t step_ms;
    double newest; /* the newest sum, as it was counted then; NAN: was not known */
};

void pooled_done(struct pooled *p);

/* Is the model's demand part of the sum? Not while its capacity is unknown: then it is sized by
 * what runs; nor when its requests may wait for better hours. */
static inline bool pooled_counts(const struct snap_model *m)
{
    return m->capacity > 0 && m->deadline_ms <= 0;
}

/* Part that a replica of each model takes of all nodes together, into ret_share[n_models]. */
void pooled_shares(const struct snapshot *s, double *ret_share);

/* Takes in the steps that the models' series (parallel to the snapshot's models) have and it has
 * not. A step is missing when models with more than a tenth of the demand are unobserved. When
 * models came or went, or their capacity or the nodes changed so much that the past would count
 * differently, it begins anew from the series. */
void pooled_observe(struct pooled *p, const struct snapshot *s, const struct series *const *past);

/* n_steps 0: nothing is known. */
void pooled_forecast(const struct pooled *p, uint32_t n_steps, struct forecast *ret_f);

#endif
