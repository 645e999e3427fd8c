/* The policy that knows the future: what a perfect forecast would save in the same cluster, under
 * the same boot and load times. A good reference, not a proven optimum; bound_joules() is below
 * any policy. */
#ifndef HUDDLE_SIMULATE_CLAIRVOYANT_H
#define HUDDLE_SIMULATE_CLAIRVOYANT_H

#include "controller/simulate/executor.h"

struct clairvoyant {
    struct targets *minute; /* by minute of the run, or by longer steps */
    size_t n_minutes;
};

/* `fill`: share of its capacity to which a replica is to be used, 0 < fill <= 1. */
void clairvoyant_init(struct clairvoyant *p, const struct rack_hardware *hw,
                      const struct rack_load *load, double fill);
void clairvoyant_done(struct clairvoyant *p);
void clairvoyant_act(void *p, struct rack *r); /* a rack_policy */

/* Seconds off from which a power cycle saves. */
double clairvoyant_break_even_s(const struct rack_hardware *hw);

/* p99 of the load times, s, of a model of weight 1. */
double clairvoyant_load_p99_s(const struct rack_hardware *hw);

/* Least energy of serving the demand minute by minute with fractional replicas, no boots, no loads
 * and one spare node (unless `unspared`), in J. */
double bound_joules(const struct rack_hardware *hw, const struct rack_load *load);

/* The same, with what there is to show of it; INFINITY J when not even all nodes could serve the
 * demand. */
struct bound_shown {
    double *joules; /* by step: that of its minute, evenly */
    size_t n_parts;
    double *nodes; /* awake, by each of n_parts equal parts of time: means */
};
double bound_joules_shown(const struct rack_hardware *hw, const struct rack_load *load,
                          struct bound_shown *ret);

#endif
