/* What most clusters run today: a horizontal pod autoscaler on the load of now (Kubernetes: sync
 * every 15 s, tolerance 10 %, five minutes of memory before it shrinks) and a cluster autoscaler
 * (a node goes after ten minutes below half, its replicas evicted: break before make). Without the
 * node loop and spread over all nodes it is `always-on`. */
#ifndef HUDDLE_SIMULATE_REACTIVE_H
#define HUDDLE_SIMULATE_REACTIVE_H

#include "controller/simulate/rack.h"

#define REACTIVE_SYNC_S 15.0
#define REACTIVE_MEMORY 20 /* most that can be remembered: five minutes of syncs */

struct reactive {
    double target;                /* utilization that replicas are to have */
    uint32_t spare;               /* free slots that are kept (placeholder pods) */
    bool fixed, spread;           /* fixed: no node loop */
    double seen[RACK_MODELS_MAX]; /* demand, as last known */
    uint32_t desired[RACK_MODELS_MAX][REACTIVE_MEMORY];
    uint32_t n_desired[RACK_MODELS_MAX];
    int64_t last_wake;
};

void reactive_init(struct reactive *p, double target, uint32_t spare);
void reactive_act(void *p, struct rack *r); /* a rack_policy */

#endif
