/* The fortnight arena: the two hardware settings of the protocol (section 3), its policies, and one
 * run of all of them over one demand. */
#ifndef HUDDLE_BENCH_FORTNIGHT_ARENA_H
#define HUDDLE_BENCH_FORTNIGHT_ARENA_H

#include "proto/base/err.h"
#include "tests/bench/fortnight_demand.h"

#define FORTNIGHT_WINDOWS 2016u
#define FORTNIGHT_HPA_TARGET 0.7 /* utilization, of the autoscaler as it is */

/* The gate, by the protocol's section 5: at most so much more than always-on, in shares. */
#define FORTNIGHT_UNSERVED_MORE 0.001
#define FORTNIGHT_LATE_MORE 0.01

enum entrant { ALWAYS_ON, DEMAND, DEMAND_BEST, SKETCH, HUDDLE, CLAIRVOYANT, ENTRANTS };
const char *entrant_name(enum entrant e);

struct entry {                                /* what a policy reached, figures of section 5 */
    bool ran, gate;                           /* gate: the SLO is kept (against always-on) */
    double kwh, unserved, late, spare_broken; /* of requests, of requests, of steps; shares */
    double loads, moves, wakes;               /* wakes a node and day */
    double failed_boots, awake, awake_most;
    double a, b; /* of the tuned ones: what won; 0 otherwise */
};

struct outcome { /* of one setting, data set and seed */
    struct entry entry[ENTRANTS];
    double bound_kwh;
    double captured[ENTRANTS]; /* share of what clairvoyant saves on always-on */
};

struct load_times {
    double *s; /* ascending */
    size_t n_s, cap_s;
};

/* Column 2 (ms) of a file with one line of headings. */
int load_times_read(const char *path, struct load_times *ret_l, struct err *e);

/* 'G' or 'C'. */
struct rack_hardware fortnight_hardware(char setting, const struct load_times *l);
double fortnight_fill(char setting); /* v of the protocol: where the curve is best */

/* Always-on alone: the check value of section 7. */
struct entry fortnight_always_on(const struct rack_hardware *hw, const struct fortnight *f,
                                 uint64_t seed);

/* All of them. `quick`: without the two that are tuned in hindsight. */
void fortnight_run(char setting, const struct rack_hardware *hw, const struct fortnight *f,
                   uint64_t seed, bool quick, struct outcome *ret_o);

#endif
