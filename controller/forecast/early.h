/* Quantiles while few errors are known. The 0.95 quantile of a dozen errors is the largest of them,
 * and the jumps of a start are among them. Until EARLY_FULL errors are known at a horizon, the
 * distance of a quantile from the point is shrunk towards that of normal errors (linear shrinkage
 * in the manner of James and Stein, 1961) whose scale is 1.4826 times the median of the absolute
 * errors at that horizon (Hampel 1974: up to half of them may be jumps), by Student's t, since the
 * scale itself is known from few. */
#ifndef HUDDLE_FORECAST_EARLY_H
#define HUDDLE_FORECAST_EARLY_H

#include <stdint.h>

#define EARLY_FULL 40u

/* The quantile `level` of Student's t with `freedom` degrees, to a few percent from 4 on
 * (Abramowitz and Stegun 26.2.23 and 26.7.5). */
float early_student(float level, uint32_t freedom);

/* 1.4826 times the median of the absolute values; 0 of none. Reads at most EARLY_FULL of them. */
float early_scale(const float *error, uint32_t n);

/* `distance`: of the quantile `level` from the point, by the `n` errors known at its horizon;
 * `scale`: early_scale() of them. */
float early_shrunk(float distance, uint32_t n, float level, float scale);

#endif
