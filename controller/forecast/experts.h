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
#define EXPERTS_LEVELS 4u
#define EXPERTS_JUDGED 2u /* the first of them, at which the experts are judged */
#define EXPERTS_LAST 12u

extern const float experts_level[EXPERTS_LEVELS]; /* 0.9, 0.95, 0.05, 0.99 */

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

/* What all horizons of a step have in common. The weights of errors by their age stand twice, the
 * oldest first: from EXPERTS_ERRORS - next on they are by entry of a ring. */
struct experts_common {
    float slow[2 * EXPERTS_ERRORS], fast[2 * EXPERTS_ERRORS];
    float last[EXPERTS_LAST]; /* ascending */
    uint32_t n_last;
};

void experts_look(const struct past *p, struct experts_common *ret_c);

/* Each expert's quantiles of the demand at horizon k, by level; every one finite, or false when
 * there are too few errors. */
bool experts_quantiles(const struct experts *x, const struct past *p, uint32_t k,
                       const struct experts_common *c, const struct circumstances *now,
                       float ret_q[EXPERTS_LEVELS][EXPERTS]);

/* How much each one counts, by its losses at each judged level. */
struct experts_weights {
    float judged[EXPERTS_JUDGED][EXPERTS];
};

void experts_weigh(const struct experts *x, struct experts_weights *ret_w);

/* The combination of their quantiles. */
float experts_combine(const float weight[EXPERTS], const float q[EXPERTS]);

/* Fades the losses: once a step. */
void experts_step(struct experts *x);

/* The truth has come of what was forecast from `origin`. */
void experts_judge(struct experts *x, uint32_t k, const float q[EXPERTS_JUDGED][EXPERTS],
                   float truth);
void experts_add(struct experts *x, const struct past *p, uint32_t k, int64_t origin,
                 const struct circumstances *then, float truth);

#endif
