/* Watts from utilization, where no counter can be read: a named curve (proto/power_curve.h),
 * integrated into an ESTIMATED zone "platform". Pure. */
#ifndef HUDDLE_POWER_MODEL_H
#define HUDDLE_POWER_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/sample.h"
#include "proto/power_curve.h"

/* The integral. Zero-initialise, set `curve`. */
struct power_model {
    const struct power_curve *curve;
    bool seen;
    int64_t last_ms;
    struct sample_cpu last;
    double rest_uj; /* what is less than 1 uJ */
    uint64_t energy_uj;
};

/* Adds the energy since the last call, by the CPU time in between. An interval whose CPU counters
 * are invalid or run backwards adds nothing; nor does time in which the machine was suspended.
 * Appends the zone "platform" to `out`, which holds the CPU counters and the time. */
void power_model_read(struct power_model *m, struct sample *out);

#endif
