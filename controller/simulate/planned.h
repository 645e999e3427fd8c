/* huddle itself on the virtual cluster: once a minute a snapshot of the rack goes to the brain (the
 * controller's own: forecasts, sizing, packing, evacuation, plan_check) and its plan is carried out
 * as reconcile does: wakes and starts at once, moves by make before break, nodes shut when empty.
 * Slots are devices. */
#ifndef HUDDLE_SIMULATE_PLANNED_H
#define HUDDLE_SIMULATE_PLANNED_H

#include "controller/simulate/chronicle.h"
#include "controller/simulate/rack.h"
#include "proto/manifest.h"

struct planned;

/* `policy` NULL: the defaults; `pool` NULL: one awake node and one spare. Both are copied. `seed`:
 * of what meters err by. `chronicle` is told of forecasts; may be NULL. */
struct planned *planned_new(const struct rack_hardware *hw, const struct rack_load *load,
                            const struct power_policy *policy, const struct power_pool *pool,
                            uint64_t seed, struct chronicle *chronicle);
void planned_free(struct planned *p);
void planned_act(void *p, struct rack *r); /* a rack_policy */

#endif
