/* Reading a forecast. */
#include "controller/forecast/forecast.h"

#include <math.h>

const double forecast_levels[FORECAST_QUANTILES] = { 0.05, 0.5, 0.9, 0.95, 0.99 };

double forecast_at(const struct forecast *f, double level, uint32_t step)
{
    const float *q;
    uint32_t i = 1;

    if (step >= f->n_steps)
        return NAN;
    q = f->quantile[step];
    if (level <= forecast_levels[0])
        return (double)q[0];
    while (i < FORECAST_QUANTILES - 1 && forecast_levels[i] < level)
        i++;
    if (level >= forecast_levels[i])
        return (double)q[i];
    return (double)q[i - 1] + (double)(q[i] - q[i - 1]) * (level - forecast_levels[i - 1]) /
                                  (forecast_levels[i] - forecast_levels[i - 1]);
}

double forecast_peak(const struct forecast *f, double level, uint32_t from, uint32_t to)
{
    double peak = NAN;

    for (uint32_t k = from; k < to && k < f->n_steps; k++)
        peak = fmax(peak, forecast_at(f, level, k)); /* fmax skips the NAN */
    return peak;
}
