/* Watts from utilization, where no counter can be read: named curves of published measurements,
 * integrated into an ESTIMATED zone "platform". Pure.
 *
 * A curve has eleven points at u = 0, 0.1, ... 1 (as SPECpower_ssj2008 publishes them), linear
 * between. `source` says where the watts come from; an assumption says that it is one. */
#ifndef HUDDLE_POWER_MODEL_H
#define HUDDLE_POWER_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/sample.h"

#define POWER_MODEL_POINTS 11

struct power_curve {
    const char *name, *source;
    bool per_cpu; /* the watts are of one CPU: a guest's share of a host */
    double watts[POWER_MODEL_POINTS];
};

const struct power_curve *power_curve_find(const char *name); /* NULL: unknown */
/* The one chosen by itself: "arm" on an ARM machine, else "guest". */
const struct power_curve *power_curve_auto(const char *architecture);
const char *power_curve_names(void); /* "arm, dell-r740, ..." for messages */

/* Watts at utilization u (clamped to 0..1) with `cpus` CPUs. */
double power_curve_watts(const struct power_curve *c, double u, uint32_t cpus);

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
