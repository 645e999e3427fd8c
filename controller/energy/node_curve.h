/* A node's power as a function of its utilization, and what a power cycle costs: learned online
 * from the node's own joules, started from a named curve or a declared one.
 *
 * Eleven points at u = 0, 0.1, ... 1 (the form in which SPECpower_ssj2008 publishes), linear
 * between. Pure: no clock, no I/O. Plain data, copied by value. */
#ifndef HUDDLE_NODE_CURVE_H
#define HUDDLE_NODE_CURVE_H

#include <stdint.h>

#include "proto/power_curve.h"
#include "proto/wire.h"

#define CURVE_POINTS POWER_CURVE_POINTS

struct node_curve {
    double watts[CURVE_POINTS];  /* ascending */
    double weight[CURVE_POINTS]; /* evidence behind each point: 0 = prior only */
    double standby_w;            /* asleep */
    double boot_s, boot_p99_s;   /* typical, and p99 of a wake */
    double cycle_j; /* joules of one sleep and wake beyond standby: shutdown and boot; estimated */
    uint32_t wakes; /* own wakes behind boot_s */
    enum provenance provenance; /* of the watts: measured once the node's own joules dominate */
};

/* The prior: an affine curve from idle to full watts. */
struct node_curve node_curve_linear(double idle_w, double full_w);

/* Another prior: a named curve of a node with `cpus` CPUs. */
struct node_curve node_curve_named(const struct power_curve *named, uint32_t cpus);

/* Another prior under a curve that may have learned: it keeps watts of which it has any evidence,
 * and the cycle once it has seen a wake. */
void node_curve_suppose(struct node_curve *c, const struct node_curve *prior);

/* Watts at utilization u (clamped to 0..1). */
double node_curve_watts(const struct node_curve *c, double u);

/* Utilization at which a unit of work draws least on a node that could as well be asleep: where
 * (P(u) - standby) / u is least, or as good as (the highest such u: fewer nodes). 1 for a linear or
 * concave curve. Of a curve that has learned, by what it has learned alone. */
double node_curve_best_use(const struct node_curve *c);

/* Learns from one interval: mean utilization u and mean watts over `seconds`. Ignores what is not
 * finite, not positive or implausible (more than 4 x or less than 1/4) against two minutes of the
 * node's own joules; against less it is the curve that is wrong, and is scaled to fit. Keeps the
 * points ascending (isotonic). */
void node_curve_learn(struct node_curve *c, double u, double watts, double seconds,
                      enum provenance p);

/* Learns from one completed wake: its time, as measured, and its joules, as estimated (no counter
 * sees a boot). NAN: unknown. */
void node_curve_learn_wake(struct node_curve *c, double boot_s, double boot_j);

/* Seconds asleep from which a power cycle saves: cycle_j / (idle - standby). INFINITY when it never
 * does. */
double node_curve_break_even_s(const struct node_curve *c);

#endif
