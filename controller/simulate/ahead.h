/* What huddle foresees in a run, worked out ahead of it: forecasts depend on the demand, which is
 * given, and where each step has its plan they are asked for in an order that is known. So one
 * thread makes them (ahead_run), another one plays the run and takes them up, one step after the
 * other; the result is the same as in turns. Where plans are made before their time (steps shorter
 * than the policy's interval), what is learned beside the plans depends on the run: then there is
 * no such thing. */
#ifndef HUDDLE_SIMULATE_AHEAD_H
#define HUDDLE_SIMULATE_AHEAD_H

#include "controller/placement/brain.h"
#include "controller/simulate/rack.h"

struct ahead;

/* `s`: as the run's snapshots are in all that does not change; copied but for what its models,
 * nodes, pools and policies refer to. `load` is borrowed. */
struct ahead *ahead_new(const struct snapshot *s, const struct rack_load *load);
void ahead_free(struct ahead *a); /* accepts NULL */

/* Works out the forecasts of all steps. To be run beside the run that takes them up: it waits where
 * it is too far ahead. */
void ahead_run(struct ahead *a);

/* Those of the next step, for which it waits; valid until the next call, which is for the step
 * behind it. */
const struct foreseen *ahead_next(struct ahead *a);

/* What a front door tells of the interval of `steps` steps that ends where `step` begins, by model.
 */
void ahead_observe(const struct rack_load *load, int64_t step, int64_t steps,
                   struct observation *ret);

#endif
