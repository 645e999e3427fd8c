/* The source text's network: the 100 newest values in, 128 rectified units, one sigmoid out, which
 * is the next value; longer horizons by feeding its answers back. Inputs and output are logarithms
 * of the demand, scaled: the inputs are differences from the newest, in standard deviations of the
 * history, the newest itself is its distance from the mean; an output of one half is no change, and
 * its ends are five standard deviations of a step away (normalising each window by itself: Kim et
 * al., "Reversible instance normalization", ICLR 2022).
 *
 * It is not learned step by step: dense_trainer takes batches of windows and Adam steps (Kingma and
 * Ba, "Adam: a method for stochastic optimization", ICLR 2015) on the squared error; He's
 * initialisation (2015), seeded. The same bits everywhere (product.h). 13,057 weights, 51 KB; the
 * trainer is four times that. A forecast costs 13,000 multiplications a step ahead. Plain data. */
#ifndef HUDDLE_DENSE_H
#define HUDDLE_DENSE_H

#include <stdint.h>

#include "controller/forecast/past.h"

#define DENSE_INPUTS 100u
#define DENSE_UNITS 128u
#define DENSE_AHEAD 12u
#define DENSE_BATCH 32u

struct dense_weights {
    float first[DENSE_INPUTS + 1][DENSE_UNITS]; /* by input; the last row is the bias */
    float second[DENSE_UNITS];
    float bias;
};

struct dense {
    struct dense_weights w;
    float unit;         /* of the logarithms, as in struct past */
    float mean, spread; /* of the logarithms */
    float step;         /* spread of their differences from one value to the next */
    float most;         /* no forecast is above, req/s */
};

struct dense_trainer {
    struct dense net;
    struct dense_weights moment, square, gradient;
    float fade_moment, fade_square; /* 0.9^n, 0.999^n */
};

struct dense_batch {
    float input[DENSE_BATCH][DENSE_INPUTS + 1]; /* scaled, oldest first; the last is 1 */
    float truth[DENSE_BATCH];                   /* scaled */
    uint32_t n;
};

/* Scales to what the series holds. */
void dense_init(struct dense_trainer *t, const struct series *s, float unit, uint64_t seed);

/* The logarithms of what the series holds, at the places of its ring: for those who look at the
 * same values again and again. */
void dense_logs(const struct dense *d, const struct series *s, float ret_logs[SERIES_STEPS]);

/* The window that ends at `origin` and, where `truth` is wanted, the value behind it; false when
 * either is not held or the value was not observed. `logs`: dense_logs() of the series, or NULL. */
bool dense_window(const struct dense *d, const struct series *s, const float *logs, int64_t origin,
                  bool truth, struct dense_batch *b);

/* Mean squared error of the batch; `learn` takes an Adam step. */
float dense_pass(struct dense_trainer *t, const struct dense_batch *b, bool learn);

/* Demand 1 to DENSE_AHEAD steps behind `origin`, req/s; false when the window is not held. */
bool dense_forecast(const struct dense *d, const struct series *s, int64_t origin,
                    float ret_value[DENSE_AHEAD]);

/* The same from up to DENSE_BATCH origins at once, which is faster; NAN instead of false. */
void dense_forecasts(const struct dense *d, const struct series *s, const float *logs,
                     const int64_t *origins, uint32_t n, float ret_values[][DENSE_AHEAD]);

#endif
