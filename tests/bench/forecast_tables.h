/* Results of the forecasting arena, as tables for people and as JSON. */
#ifndef HUDDLE_BENCH_FORECAST_TABLES_H
#define HUDDLE_BENCH_FORECAST_TABLES_H

#include "tests/bench/forecast_arena.h"

struct results {
    struct result *rows;
    size_t n_rows, cap_rows;
};

/* Mean over the series whose name begins with `prefix`; n: how many. */
struct result results_mean(const struct results *r, const char *prefix, size_t *ret_n);

/* `small`: the same with the small network alone, or NULL. */
void results_print(const struct results *r, const struct results *small);
void results_print_json(const struct results *r, const struct results *small);

/* A row of the table of what the mean loses without a member; `all` is the mean with all. */
struct loss_row {
    const char *without;
    struct score mean;
};
void losses_print(const struct score *all, const struct loss_row *rows, size_t n, size_t n_series);
void losses_print_json(const struct score *all, const struct loss_row *rows, size_t n);

#endif
