/* What a node would draw doing nothing, learned from what it draws at work. Pure.
 *
 * The least seen is too much on a node that is never idle: a loaded node's base load would all be
 * called idle, and be charged to those who reserved, not to those who worked. So a straight line is
 * laid through the watts at the lowest utilizations seen and followed down to none. Power falls off
 * faster than a line below them on most servers (SPECpower_ssj2008), so the line is still rather
 * too high than too low; where it is steep it is cut off at a quarter of the least seen, since idle
 * servers draw no less (0.23 of half load: Dell R740, 20170829-00780). Without a spread of
 * utilizations nobody can tell, and the least seen is all there is. */
#ifndef HUDDLE_IDLE_POWER_H
#define HUDDLE_IDLE_POWER_H

#include <stdbool.h>
#include <stdint.h>

#define IDLE_POWER_BINS 20 /* of utilization, each 5 % */

struct idle_power { /* zero-initialise */
    double least_w; /* seen so far; 0: nothing */
    struct idle_power_bin {
        double seconds;     /* looked at, no more than counts: old ones are forgotten */
        double busy, watts; /* means */
    } bins[IDLE_POWER_BINS];
};

/* What was seen since watts could last be told: one interval, or short ones put together (meters
 * move in steps, so that a short one alone says nothing). */
struct watched { /* zero-initialise */
    int64_t length_ms;
    uint64_t energy_uj, busy_ns, whole_ns; /* CPU time used, and all there was */
};

/* Adds an interval; true when that is long enough to tell watts: the caller then begins anew with
 * zeros. */
bool watched_add(struct watched *w, const struct watched *interval);

/* An interval: the part of all CPU time that was used (0..1; NAN: unknown), mean watts, length. */
void idle_power_add(struct idle_power *p, double busy, double watts, double seconds);

/* 0: nothing seen yet. Never more than the least seen. */
double idle_power_w(const struct idle_power *p);

#endif
