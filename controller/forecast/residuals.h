/* The newest errors of a forecaster at one horizon, kept sorted, and quantiles of them. The
 * quantile is the conformal one, the ceil((n + 1) q)-th smallest: it covers what it says however
 * the errors are distributed. Plain data; zero-initialised is empty. */
#ifndef HUDDLE_RESIDUALS_H
#define HUDDLE_RESIDUALS_H

#include <stdint.h>

#define RESIDUALS 128u

struct residuals {
    float ring[RESIDUALS], sorted[RESIDUALS];
    uint32_t n, next;
};

void residuals_add(struct residuals *r, float error);

/* NAN when there is none. Where the sample is too small for `level`, its extreme and a tenth more.
 */
float residuals_quantile(const struct residuals *r, double level);

#endif
