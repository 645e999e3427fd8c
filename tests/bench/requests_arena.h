/* The arena of bench/requests: the hour of a trace, played several times, as a fluid on the rack of
 * the fortnight (setting G) under each policy, and then request by request through the replicas
 * that the rack had. */
#ifndef HUDDLE_BENCH_REQUESTS_ARENA_H
#define HUDDLE_BENCH_REQUESTS_ARENA_H

#include "tests/bench/fortnight_arena.h"
#include "tests/bench/requests_engine.h"
#include "tests/bench/requests_lives.h"

#define ARENA_STEP_S 15.0
#define ARENA_SERVICES_MAX 8u
#define ARENA_FULLEST 0.8 /* share of always-on's nodes but one that the fullest minute takes */

enum arena_policy {
    ARENA_ALWAYS_ON,
    ARENA_DEMAND,
    ARENA_HUDDLE,
    ARENA_CLAIRVOYANT,
    ARENA_POLICIES
};
const char *arena_policy_name(enum arena_policy p);

/* The hour as it is, met by a forecast that knows nothing; then those that it has seen before. */
enum arena_span { ARENA_FIRST, ARENA_LATER, ARENA_SPANS };

struct arena { /* owns what `load` borrows; services are borrowed */
    const struct engine *engine;
    const struct service *service;
    uint32_t n_services, times;
    bool alike;    /* every request is played as its service's mean */
    double from_s; /* wall time of the first step */
    size_t once;   /* steps of the hour */
    struct rack_load load;
    double *rate;
    struct pace pace[ARENA_SERVICES_MAX];
    uint32_t nodes; /* of the pool, and of always-on */
};

/* From the earliest request to the latest, in whole steps, `times` over. Services ascend by name.
 */
void arena_init(struct arena *a, const struct engine *g, const struct service *s,
                uint32_t n_services, uint32_t times);
void arena_done(struct arena *a);

struct queue_score { /* of requests that came in a span; waits until they are served, s */
    uint64_t n;
    double p50, p95, p99, mean; /* INFINITY: refused; mean of those that were served */
    double late, unserved;      /* shares that wait over RACK_LATE_S; RACK_PATIENCE_S, or refused */
};

struct fluid_score {                 /* what the rack says of the same */
    double requests, late, unserved; /* late, unserved: shares */
};

struct service_score { /* of all runs */
    struct queue_score queue[PLAYER_QUEUES][ARENA_SPANS];
    struct fluid_score fluid[ARENA_SPANS];
};

struct arena_score {         /* of a policy; means of the runs */
    double kwh[ARENA_SPANS]; /* an hour of the trace */
    double awake, loads, moves, wakes;
    double cut[PLAYER_QUEUES]; /* requests that were still served when their replica was gone */
    struct service_score service[ARENA_SERVICES_MAX];
};

struct arena_seeds { /* first, first + 1, ...: a run each */
    uint64_t first;
    uint32_t runs;
};

/* Hardware: that of the setting; its nodes are replaced by the arena's. */
struct arena_score arena_run(const struct arena *a, const struct rack_hardware *hw,
                             enum arena_policy p, struct arena_seeds seeds);

/* Is the SLO kept beside always-on, by the protocol's margins? By the fluid; by requests. */
bool arena_fluid_keeps(const struct arena *a, const struct arena_score *x,
                       const struct arena_score *always_on, enum arena_span s);
bool arena_queue_keeps(const struct arena *a, const struct arena_score *x,
                       const struct arena_score *always_on, enum player_queue q, enum arena_span s);

#endif
