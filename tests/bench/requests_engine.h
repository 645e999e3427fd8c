/* How long a request takes: a model on H100 GPUs with continuous batching. A replica has places; a
 * request takes one for its prefill and a decode iteration for each token that it generates. What
 * others do on the same GPUs lengthens that, so a replica's capacity is its GPUs' time: a request
 * costs its prefill and its share (one of `places`) of its decode iterations. The planner is given
 * that capacity. In the queues a request keeps its place for stretch * (prefill + decode): as on a
 * full replica, so that a replica with no place empty serves just its capacity (Little's law).
 *
 * Source of the times: SplitwiseSim's measurements of a DGX-H100 (data/perf_model.csv in
 * Mutinifni/splitwise-sim, commit 37808801; Patel et al., "Splitwise", ISCA 2024): medians of
 * prompt_time at batch 1 by prompt length, and of token_time at a batch of `places`. Places: what
 * the GPUs' memory holds besides the weights, in requests of these services' length. */
#ifndef HUDDLE_BENCH_REQUESTS_ENGINE_H
#define HUDDLE_BENCH_REQUESTS_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/bench/requests_trace.h"

#define ENGINE_POINTS 7

struct engine {
    const char *name;
    uint32_t gpus, places;
    double decode_s; /* an iteration with every place taken */
    struct {
        double tokens, s;
    } prefill[ENGINE_POINTS]; /* linear between, and on behind the last */
};

/* The first is the default; NULL: there is none of the name. */
const struct engine *engine_find(const char *name);
const struct engine *engine_default(void);

double engine_prefill_s(const struct engine *g, double tokens);

struct pace {        /* of a service's requests on an engine */
    double capacity; /* req/s of a replica */
    double stretch;
};
struct pace engine_pace(const struct engine *g, const struct service *s);

/* For how long a request keeps its place. */
double engine_busy_s(const struct engine *g, const struct pace *p, const struct request *x);

#endif
