/* Carries out what a policy wants (replicas of each model, awake nodes) once a minute: starts and
 * drains, wakes, and empties the emptiest node by make before break until it can be shut down. */
#ifndef HUDDLE_SIMULATE_EXECUTOR_H
#define HUDDLE_SIMULATE_EXECUTOR_H

#include "controller/simulate/rack.h"

/* It acts every so many steps. */
static inline size_t executor_steps(const struct rack_load *load)
{
    return (size_t)rack_steps(load, RACK_MINUTE_S);
}

struct targets {
    uint32_t replicas[RACK_MODELS_MAX];
    uint32_t nodes; /* awake; raised to what the replicas and a spare node need */
};

void executor_act(struct rack *r, const struct targets *wanted);

#endif
