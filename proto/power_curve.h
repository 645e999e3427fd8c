/* Named curves of power against utilization: what the agent estimates with where no counter can be
 * read, and what the controller supposes of a pool's nodes before their own joules are known. Pure.
 *
 * A curve has eleven points at u = 0, 0.1, ... 1 (as SPECpower_ssj2008 publishes them), linear
 * between. `source` says where the watts come from; an assumption says that it is one. */
#ifndef HUDDLE_POWER_CURVE_H
#define HUDDLE_POWER_CURVE_H

#include <stdbool.h>
#include <stdint.h>

#define POWER_CURVE_POINTS 11

struct power_curve {
    const char *name, *source;
    bool per_cpu; /* the watts are of one CPU: a guest's share of a host */
    double watts[POWER_CURVE_POINTS];
};

const struct power_curve *power_curve_find(const char *name); /* NULL: unknown */
/* The one chosen by itself: "arm" on an ARM machine, else "guest". */
const struct power_curve *power_curve_auto(const char *architecture);
const char *power_curve_names(void); /* "arm, dell-r740, ..." for messages */

/* Watts at utilization u (clamped to 0..1) with `cpus` CPUs. */
double power_curve_watts(const struct power_curve *c, double u, uint32_t cpus);

#endif
