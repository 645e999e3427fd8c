/* A model's demand as a series of steps (mean req/s), from request counts that arrive in pieces.
 *
 * Step k covers wall time [k * step_ms, (k + 1) * step_ms). A count for an interval is spread over
 * the steps that the interval touches. A step of which less than half was observed is missing
 * (NAN), never zero. Closed steps are kept in a ring of DEMAND_STEPS (four weeks of minutes). When
 * wall time goes back by more than a step, the steps after it are forgotten. */
#ifndef HUDDLE_DEMAND_H
#define HUDDLE_DEMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEMAND_STEPS 40320
#define DEMAND_CHUNK 512 /* steps per stored row */

struct demand {
    int64_t step_ms;
    int64_t open;                /* index of the step that is filling; INT64_MIN: none yet */
    double requests, covered_ms; /* of the open step */
    double last;                 /* req/s of the step before; NAN: missing */
    double fast;                 /* req/s over the last few seconds; NAN: unknown */
    int64_t fast_at_ms;          /* wall */
    float *ring;                 /* of closed steps, at index step % cap_ring */
    size_t cap_ring;
    int64_t first;  /* oldest closed step that is kept; == open when there is none */
    int64_t stored; /* closed steps before this one have been stored */
};

void demand_init(struct demand *d, int64_t step_ms);
void demand_done(struct demand *d);

/* Changes the step; the kept series is resampled. */
void demand_set_step(struct demand *d, int64_t step_ms);

/* `requests` arrived in [from_ms, to_ms] of wall time, evenly. What falls into closed steps is left
 * out: in the open one it would look like a burst. */
void demand_add(struct demand *d, int64_t from_ms, int64_t to_ms, double requests);

/* Closes the steps that have passed. True when at least one was closed. */
bool demand_advance(struct demand *d, int64_t wall_ms);

/* req/s of one closed step; NAN: missing or not kept. */
double demand_at(const struct demand *d, int64_t step);

/* req/s over one step's length until now; NAN: no observation. */
double demand_now(const struct demand *d, int64_t wall_ms);

/* req/s over the last few seconds; NAN: none of them was observed. */
double demand_fast(const struct demand *d, int64_t wall_ms);

/* Puts back what was stored: consecutive closed steps from `first`. */
void demand_restore(struct demand *d, int64_t first, const float *values, size_t n);

#endif
