/* A replica's own counters, read raw from its metrics page, made cumulative since the epoch. Pure.
 *
 * Raw counters start over when the replica's process does: a value that fell is counted from zero.
 * Of a process that ran before this agent did, the first reading is only a base. What a page does
 * not show is not known, never 0. */
#ifndef HUDDLE_SERVICE_COUNTERS_H
#define HUDDLE_SERVICE_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/sensor/metrics.h"
#include "proto/wire.h"

struct service_counter {
    bool based; /* `last` is a reading of this process, or 0 for one that has just started */
    uint64_t last, total;
};

struct service_counters {
    struct service_counter requests, errors, tokens;
    struct {
        bool based;
        struct metrics_histogram last, total;
    } latency;
    double in_flight, queue; /* of the newest page; meaningful if known */
    bool in_flight_known, queue_known;
    bool requests_known;
};

/* The process was started by this agent: it counts from zero. */
void service_counters_started(struct service_counters *c);
/* It has no process: nothing is in flight, nothing waits. */
void service_counters_idle(struct service_counters *c);
void service_counters_take(struct service_counters *c, const struct metrics *m);
/* A new epoch: totals become 0, bases stay. */
void service_counters_zero(struct service_counters *c);
/* The histogram since the epoch, in `ret`'s borrowed arrays; n = 0 when there is none. */
void service_counters_latency(struct service_counters *c, struct wire_histogram *ret);

#endif
