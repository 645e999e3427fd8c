/* What the fortnight arena found, as tables and as JSON. */
#ifndef HUDDLE_BENCH_FORTNIGHT_TABLES_H
#define HUDDLE_BENCH_FORTNIGHT_TABLES_H

#include <jansson.h>

#include "tests/bench/fortnight_arena.h"

#define FORTNIGHT_SEEDS_MAX 16

struct campaign { /* the outcomes of a data set in one setting */
    const char *name;
    char setting;
    uint32_t models, n_seeds;
    uint64_t seed[FORTNIGHT_SEEDS_MAX];
    struct outcome outcome[FORTNIGHT_SEEDS_MAX];
    double capacity, requests, first, most; /* check values of section 2.5, of the first seed */
    size_t n_gaps;
    double wanted; /* captured share that is aimed at; NAN: none for these conditions */
};

/* Means over the seeds; a gate is kept when it is in each. */
struct outcome campaign_mean(const struct campaign *c);

/* Did huddle keep the gate and reach what is wanted? */
bool campaign_reached(const struct campaign *c);

void campaign_print(const struct campaign *c);
json_t *campaign_json(const struct campaign *c);

#endif
