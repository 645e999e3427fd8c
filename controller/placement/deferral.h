/* When demand that may wait (ServedModel.deferrable) is served: in the greenest window that still
 * meets the deadline of its oldest request, by what joules weigh (PowerPolicy.objective). Until
 * then the model is held at its least replicas. Pure.
 *
 * What is not known never makes anybody wait: without a weight for now, a queue, the age of its
 * oldest request or a capacity, all is served at once. */
#ifndef HUDDLE_DEFERRAL_H
#define HUDDLE_DEFERRAL_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/state/snapshot.h"

struct deferral {
    bool holds;       /* nothing is started for the queue before begin_ms */
    int64_t begin_ms; /* wall time: replicas are started, and nodes woken for them */
    uint32_t
        replicas;     /* wanted then for the queue and what arrives until then, within the limits */
    double now, then; /* weight of a kWh begun now, and begun then; NAN: unknown */
    const char *at_once; /* why nothing waits; static text; NULL: holds */
};

/* `arrivals` in req/s; `alive`: present replicas that count. */
struct deferral deferral_of(const struct snapshot *s, uint32_t model, double arrivals,
                            uint32_t alive);

/* May the model's waiting requests wait on, by the facts alone? (G2; whatever a plan says.) */
static inline bool deferral_may_wait(const struct snap_model *m)
{
    return m->deadline_ms > 0 && m->waited_ms >= 0 && m->waited_ms < m->deadline_ms;
}

#endif
