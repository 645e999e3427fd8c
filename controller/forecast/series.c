/* The ring of a demand series. */
#include "controller/forecast/series.h"

#include <math.h>

void series_push(struct series *s, int64_t step, double value)
{
    bool known = isfinite(value) && value >= 0;

    s->value[(uint64_t)step % SERIES_STEPS] = known ? (float)value : NAN;
    s->last = step;
    s->n += s->n < SERIES_STEPS;
    s->seen += known && s->seen < UINT32_MAX;
}

float series_recent(const struct series *s, int64_t step, uint32_t reach)
{
    for (uint32_t back = 0; back <= reach; back++) {
        float x = series_at(s, step - back);

        if (!isnan(x))
            return x;
    }
    return NAN;
}

float series_mean(const struct series *s, int64_t step, uint32_t width)
{
    float sum = 0;
    uint32_t n = 0;

    for (uint32_t back = 0; back < width; back++) {
        float x = series_at(s, step - back);

        if (isnan(x))
            continue;
        sum += x;
        n++;
    }
    return n ? sum / (float)n : NAN;
}
