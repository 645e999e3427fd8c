/* The forecasting arena: a recorded series, the protocol by which it is judged, and the scores. */
#ifndef HUDDLE_BENCH_FORECAST_ARENA_H
#define HUDDLE_BENCH_FORECAST_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/forecast/contest.h"
#include "proto/base/err.h"

#define ARENA_HORIZON 12

struct record { /* one series, as recorded */
    char name[64];
    double *value;
    size_t n_value, cap_value;
    int64_t step_ms;
};

struct score {
    double mase, pin90, pin95, cover90, cover95;
    size_t n; /* forecasts judged */
};

struct result {
    char name[64];
    struct score huddle, naive, best; /* best: the best peer of each figure, chosen afterwards */
    double us_per_step, worst_us;     /* CPU time, contests of the networks apart */
    double contests_s;
    uint32_t n_contests, n_large;      /* of them won by the large one */
    struct forecast_networks networks; /* the last */
};

struct arena {
    uint32_t without; /* members that are left out (ensemble_new_without) */
    bool no_contests; /* the small network alone */
};

/* Reads "t,value" lines; the caller frees value, on failure too. */
int record_read(const char *path, struct record *ret_record, struct err *e);

/* Fills all of `r` but `best`. */
void arena_run(const struct arena *a, const struct record *s, struct result *r);

/* The same series judged while it is young: it starts anew at YOUNG_STARTS places, each time behind
 * ten silent steps, and is judged from the 12th to the 60th step of demand. */
void arena_run_young(const struct record *s, struct result *r);

#endif
