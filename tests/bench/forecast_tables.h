/* Results of the forecasting arena, as tables for people and as JSON. */
#ifndef HUDDLE_BENCH_FORECAST_TABLES_H
#define HUDDLE_BENCH_FORECAST_TABLES_H

#include "tests/bench/forecast_pace.h"

struct wanted { /* of the mean of the series whose names begin so, at most */
    const char *prefix;
    double mase, pin90, pin95;
};

struct results {
    struct result *rows;
    size_t n_rows, cap_rows;
    struct pace pace; /* us 0: not measured */
    const struct wanted *wanted;
    size_t n_wanted; /* 0: nothing is judged */
};

/* Coverage within .02 of what the quantile says, every other figure at most what is wanted, 50 us a
 * series and step, 10,000 series in a second, 1 ms the longest step, 64 KB a series. */
bool results_reached(const struct results *r);

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
