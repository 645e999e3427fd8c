/* Requests of a model that wait at the front door: how long the oldest has, at most, and how the
 * carbon intensity changed between their coming and their being served. */
#ifndef HUDDLE_WAITING_H
#define HUDDLE_WAITING_H

#include "controller/state/cluster.h"

/* A look at the queue: `queue` requests wait now (NAN: unknown), `arrived` came since the look
 * before, at `seen_ms` (boot time). `grams`: gCO2/kWh of the model's nodes now; NAN: unknown. */
struct waiting_look {
    double queue;
    uint64_t arrived;
    int64_t seen_ms;
    int64_t from_wall_ms, wall_ms; /* of the time between the looks */
    double grams;
};
void model_see_queue(struct model *m, const struct waiting_look *look);

/* How long the oldest request has waited, at most; 0: none waits; -1: unknown. */
int64_t model_waited_ms(const struct model *m, int64_t now_ms);

/* How long a request may wait: what waits for longer at the front door is turned away. -1: not at
 * all. */
int64_t model_deadline_ms(const struct cluster *c, const struct model *m);

/* May what waits wait on, by what is known now? */
bool model_may_wait(const struct cluster *c, const struct model *m, int64_t now_ms);

#endif
