/* A member that learns online: direct linear autoregression by recursive least squares with
 * forgetting (Haykin, Adaptive Filter Theory, "RLS"), on logarithms. One gain serves all horizons:
 * it is kept until the target of its step comes, so that h coefficient vectors cost one update of
 * the covariance. Plain data; regression_init() before use. */
#ifndef HUDDLE_REGRESSION_H
#define HUDDLE_REGRESSION_H

#include "controller/forecast/past.h"

#define REGRESSION_FEATURES 25u
#define REGRESSION_NEAR 12u /* a coefficient vector for each horizon up to here ... */
#define REGRESSION_FAR 24u  /* ... and one for this; linear between */
#define REGRESSION_TARGETS (REGRESSION_NEAR + 1)

struct regression {
    float inverse[REGRESSION_FEATURES][REGRESSION_FEATURES]; /* of the inputs' covariance */
    float theta[REGRESSION_TARGETS][REGRESSION_FEATURES];
    float error[REGRESSION_TARGETS]; /* faded mean absolute one */
    struct {                         /* ring over the newest origins */
        float input[REGRESSION_FEATURES], gain[REGRESSION_FEATURES];
        float log_now;
    } origin[REGRESSION_FAR];
    float ahead[REGRESSION_TARGETS]; /* forecast differences of the newest origin */
};

void regression_init(struct regression *r);

/* Learns from the newest step, then looks ahead from it. */
void regression_add(struct regression *r, const struct past *p);

/* One of its newest forecasts is wild (past_is_wild). */
bool regression_is_wild(const struct regression *r, const struct past *p);

/* From the newest step; NAN beyond REGRESSION_FAR. */
float regression_forecast(const struct regression *r, const struct past *p, uint32_t h);

#endif
