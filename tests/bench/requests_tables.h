/* What the arena of requests found, as a table and as JSON. */
#ifndef HUDDLE_BENCH_REQUESTS_TABLES_H
#define HUDDLE_BENCH_REQUESTS_TABLES_H

#include <jansson.h>

#include "tests/bench/requests_arena.h"

void requests_print(const struct arena *a, struct arena_seeds seeds,
                    const struct arena_score x[ARENA_POLICIES]);
json_t *requests_json(const struct arena *a, struct arena_seeds seeds,
                      const struct arena_score x[ARENA_POLICIES]);

#endif
