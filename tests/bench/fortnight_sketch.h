/* The predictive sketch of the fortnight protocol (6.5): what a plain method reaches. Quantiles of
 * what followed similar minutes of the past week, for each model and for the pool as a whole. */
#ifndef HUDDLE_BENCH_FORTNIGHT_SKETCH_H
#define HUDDLE_BENCH_FORTNIGHT_SKETCH_H

#include "controller/simulate/executor.h"

struct sketch;

/* Quantiles for models and for the pool; `fill`: share of a replica's capacity that is used. */
struct sketch *sketch_new(const struct rack_hardware *hw, const struct rack_load *load,
                          double q_model, double q_pool, double fill);
void sketch_free(struct sketch *p);
void sketch_act(void *p, struct rack *r); /* a rack_policy */

#endif
