/* huddle itself on the virtual cluster: once a minute, sooner when demand presses, a snapshot of
 * the rack goes to the brain (the controller's own: forecasts, sizing, packing, evacuation,
 * plan_check) and its plan is carried out as reconcile does: moves by make before break within the
 * policy's budget, nodes under the controller's life cycle (virtual_nodes.h), nothing but wakes
 * outside the policy's windows. Slots are devices, or CPUs. */
#ifndef HUDDLE_SIMULATE_PLANNED_H
#define HUDDLE_SIMULATE_PLANNED_H

#include "controller/simulate/ahead.h"
#include "controller/simulate/chronicle.h"
#include "controller/simulate/rack.h"
#include "proto/manifest.h"

struct planned;

struct planned_setting {               /* borrowed; zero is the default of each */
    const struct power_policy *policy; /* NULL: the defaults, and nodes do at once what a plan says:
                                          for arenas that have rules of their own */
    const struct power_pool *pool;     /* NULL: one awake node and one spare */
    bool plain;                        /* slots are CPUs: no model asks for devices */
    uint64_t seed;                     /* of what meters err by */
    double start_s;                    /* wall time of the first step */
    struct zone *const *zones;         /* of the policy's windows, one each */
    struct chronicle *chronicle;       /* told of forecasts */
};

/* The models of `load` must ascend by name, as those of a snapshot do: the brain plans nothing for
 * others. */
struct planned *planned_new(const struct rack_hardware *hw, const struct rack_load *load,
                            const struct planned_setting *set);
void planned_free(struct planned *p);

/* From now on its forecasts are made by ahead_run(), which is to be called in another thread; owned
 * by `p`. NULL where plans may be made before their time (ahead.h). */
struct ahead *planned_look_ahead(struct planned *p, const struct rack_hardware *hw,
                                 const struct rack_load *load);
void planned_look_back(struct planned *p); /* no longer */
void planned_act(void *p, struct rack *r); /* a rack_policy */

#endif
