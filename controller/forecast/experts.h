/* Quantiles from the ensemble's own errors: five experts, each a way of reading the past errors at
 * a horizon, weighted by their recent pinball loss (averaging quantiles: Lichtendahl,
 * Grushka-Cockayne and Winkler, "Is it better to average probabilities or quantiles?", 2013).
 * Errors are kept as they are and divided by the root of the level, so that the night's do not
 * judge the day.
 *
 *   alike in size    all scaled errors, fading by 0.998 a step
 *   alike in kind    as above, those made at a similar level, volatility and phase weigh more
 *   alike and new    as above, fading by 0.99
 *   as they are      unscaled errors
 *   what was         the quantile of the last 12 values, whatever the forecast
 *
 * Plain data of fixed size; zero-initialised is empty. */
#ifndef HUDDLE_EXPERTS_H
#define HUDDLE_EXPERTS_H

#include "controller/forecast/horizons.h"
#include "controller/forecast/past.h"

#define EXPERTS 5u
#define EXPERTS_ERRORS 160u /* kept at each horizon; fits a byte */
#define EXPERTS_JUDGED 2u   /* levels at which the experts are judged: 0.9, 0.95 */

extern const float experts_level[EXPERTS_JUDGED];

/* The circumstances under which a forecast was made. */
struct circumstances {
    float point, scale;       /* scale: root of the level */
    int8_t level, volatility; /* logarithms, in 16ths */
};

struct experts {
    struct {
        float error[EXPERTS_ERRORS], scaled[EXPERTS_ERRORS];
        int8_t level[EXPERTS_ERRORS], volatility[EXPERTS_ERRORS];
        uint16_t origin[EXPERTS_ERRORS];                             /* step, its low bits */
        uint8_t by_error[EXPERTS_ERRORS], by_scaled[EXPERTS_ERRORS]; /* ascending */
        float size;                                                  /* faded mean absolute error */
        uint32_t n, next;
    } horizon[HORIZONS];
    float loss[EXPERTS_JUDGED][EXPERTS];
};

/* Circumstances of a forecast of `point` at horizon k; `rough` is the mean absolute step of the
 * series. */
struct circumstances experts_circumstances(const struct experts *x, const struct past *p,
                                           uint32_t k, float point, float rough);

/* Each expert's quantiles of the demand at horizon k, at each of the levels; every one finite, or
 * false when there are too few errors. */
bool experts_quantiles(const struct experts *x, const struct past *p, uint32_t k,
                       const struct circumstances *now, const float *levels, uint32_t n_levels,
                       float ret_q[][EXPERTS]);

/* The combination; `judged` says whose losses count. */
float experts_combine(const struct experts *x, uint32_t judged, const float q[EXPERTS]);

/* Fades the losses: once a step. */
void experts_step(struct experts *x);

/* The truth has come of what was forecast from `origin`. */
void experts_judge(struct experts *x, uint32_t k, const float q[EXPERTS_JUDGED][EXPERTS],
                   float truth);
void experts_add(struct experts *x, const struct past *p, uint32_t k, int64_t origin,
                 const struct circumstances *then, float truth);

#endif
