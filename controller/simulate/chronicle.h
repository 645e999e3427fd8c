/* What is kept of a simulated run for people to look at: means over so many equal parts of time, a
 * fan of forecasts beside what came, and the worst hour step by step. Pure. */
#ifndef HUDDLE_SIMULATE_CHRONICLE_H
#define HUDDLE_SIMULATE_CHRONICLE_H

#include "controller/simulate/rack.h"

#define CHRONICLE_PARTS 480u
#define CHRONICLE_CLOSE_S 7200.0 /* the worst hour and the one before it */

struct chronicle_step { /* in nodes' worth of slots, but for `waiting` */
    double needed, serving, ready, awake;
    double waiting; /* requests */
};

struct chronicle_fan {        /* of one model at one time, made one lead time before */
    double low, median, high; /* NAN: none */
};

struct chronicle {
    size_t n_parts, n_steps;
    double step_s;
    double *joules;        /* by step */
    double *watts, *awake; /* by part, means */
    size_t n_models;
    double *demand; /* by model, then part: req/s, mean */
    struct chronicle_fan *fan;
    uint32_t *fans;               /* how many are in the mean */
    struct chronicle_step *close; /* the worst hour: n_close steps from `close_from` on */
    size_t n_close, close_from;
    double worst; /* requests that were late or not served in its last hour */
    /* private */
    struct chronicle_step *ring;
    size_t n_ring;
    double hour_bad, hour_tight, tightest;
    struct rack_score before;
};

void chronicle_init(struct chronicle *c, const struct rack *r);
void chronicle_done(struct chronicle *c); /* accepts a zeroed one */

/* After each step. */
void chronicle_note(struct chronicle *c, const struct rack *r);

/* A forecast of the demand at `step`. */
void chronicle_forecast(struct chronicle *c, uint32_t model, int64_t step,
                        const struct chronicle_fan *fan);

/* The last step was taken: sums become means. */
void chronicle_close(struct chronicle *c);

#endif
