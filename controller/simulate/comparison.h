/* What each policy would have made of a history on given nodes: always-on, a reactive autoscaler,
 * huddle, a clairvoyant, and the bound below all of them. The same seed gives the same figures. */
#ifndef HUDDLE_SIMULATE_COMPARISON_H
#define HUDDLE_SIMULATE_COMPARISON_H

#include "controller/simulate/chronicle.h"
#include "controller/simulate/rack.h"
#include "proto/manifest.h"

enum compared { COMPARED_ALWAYS_ON, COMPARED_DEMAND, COMPARED_PREDICTIVE, COMPARED_CLAIRVOYANT };
#define COMPARED 4

const char *compared_name(enum compared c); /* "always-on", ... */

struct beside_task {
    void (*run)(void *data);
    void *data;
    bool yields; /* others wait for none of it: where processors are few, they go first */
};

/* Runs all of them at the same time, each in a thread of its own, and returns when they have ended;
 * false: it cannot, and none was begun. */
typedef bool beside_fn(const struct beside_task *tasks, size_t n);

struct comparison_of { /* borrowed */
    const struct rack_hardware *hw;
    const struct rack_load *load;
    const struct power_policy *policy; /* NULL: the defaults */
    const struct power_pool *pool;     /* NULL: one awake and one spare */
    uint64_t seed;
    bool plain;                /* no model asks for devices */
    double start_s;            /* wall time of the first step */
    struct zone *const *zones; /* of the policy's windows; NULL: they are always open */
    bool planned_only;         /* the rest is as in a comparison that was made before */
    beside_fn *beside;         /* NULL: one thing after the other, with the same result */
    /* Told now and then how far it is, by one thread at a time; may be NULL. */
    void (*told)(void *data, size_t done, size_t all, const char *what);
    void *data;
};

struct comparison {
    struct rack_score score[COMPARED];
    double bound_j; /* INFINITY: not even all nodes could serve it */
    double steps, days;
    struct chronicle chronicle[COMPARED];
    double *bound_step_j; /* the bound's, by step */
    double *least;        /* by part of a chronicle: nodes awake under the bound, mean */
};

/* With `planned_only`, ret_c holds nothing of the other policies. */
void comparison_run(const struct comparison_of *of, struct comparison *ret_c);
void comparison_done(struct comparison *c);

#endif
