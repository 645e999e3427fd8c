/* A forecast of one model's demand, as plain data: req/s per step ahead, in quantiles that never
 * cross and never fall below 0. */
#ifndef HUDDLE_FORECAST_H
#define HUDDLE_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

#define FORECAST_STEPS_MAX 64
#define FORECAST_QUANTILES 5 /* of the levels below */
#define FORECAST_TEXT 160

/* 0.05, 0.5, 0.9, 0.95, 0.99 */
extern const double forecast_levels[FORECAST_QUANTILES];

/* The last contest of the small and the large network over this history (contest.h). */
struct forecast_networks {
    uint32_t steps;     /* of history; 0: none was held yet */
    uint32_t origins;   /* from which both were judged */
    float small, large; /* mean absolute error of their forecasts, req/s */
    float advantage;    /* of the large one, in standard errors */
    bool large_wins;
};

struct forecast {
    uint32_t n_steps;   /* 0: the forecaster has nothing to say */
    bool doubtful;      /* it says something, yet is not to be acted on: see `why` */
    int64_t first_step; /* step index of the first one ahead */
    float quantile[FORECAST_STEPS_MAX][FORECAST_QUANTILES];
    struct forecast_networks networks;
    char why[FORECAST_TEXT]; /* "season of 1440 steps, ..." or why it does not know */
};

/* Largest demand at quantile `level` over the steps ahead [from, to) (0 is the next one), read up
 * to the next level that is kept and interpolated between levels. NAN when nothing is known there.
 */
double forecast_peak(const struct forecast *f, double level, uint32_t from, uint32_t to);

/* Demand at quantile `level` at one step ahead; NAN beyond n_steps. */
double forecast_at(const struct forecast *f, double level, uint32_t step);

#endif
