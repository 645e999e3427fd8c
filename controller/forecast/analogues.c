/* Distances over all lags; a few of them are summed anew at each step, so that the rounding of the
 * running sums does not pile up. */
#include "controller/forecast/analogues.h"

#include <math.h>

#define STRETCH 24u
#define ANEW 4u /* lags summed anew at each step */

static float at(const struct series *s, int64_t step)
{
    return s->value[(uint64_t)step % SERIES_STEPS];
}

static float square(float x)
{
    return x * x;
}

/* Lags for which the stretch and its oldest term are held. */
static uint32_t lags_held(const struct series *s)
{
    uint32_t held = s->n > STRETCH + 1 ? s->n - STRETCH - 1 : 0;

    return held < ANALOGUES_LAG_MAX ? held : ANALOGUES_LAG_MAX;
}

static void sum_anew(struct analogues *a, const struct series *s, uint32_t lag)
{
    float sum = 0;

    for (uint32_t back = 0; back < STRETCH; back++)
        sum += square(at(s, s->last - back) - at(s, s->last - back - lag));
    a->distance[lag] = sum;
}

static void keep_nearest(struct analogues *a, uint32_t lag)
{
    uint32_t i = a->n_nearest;

    if (i == ANALOGUES_NEAREST) {
        if (a->distance[lag] >= a->distance[a->nearest[i - 1]])
            return;
        i--;
    } else {
        a->n_nearest++;
    }
    for (; i > 0 && a->distance[a->nearest[i - 1]] > a->distance[lag]; i--)
        a->nearest[i] = a->nearest[i - 1];
    a->nearest[i] = (uint16_t)lag;
}

void analogues_add(struct analogues *a, const struct past *p)
{
    const struct series *s = p->series;
    uint32_t top = lags_held(s);
    float newest = at(s, s->last), oldest = at(s, s->last - STRETCH);

    a->n_nearest = 0;
    if (top < ANALOGUES_LAG_MIN)
        return;
    for (uint32_t lag = ANALOGUES_LAG_MIN; lag < top; lag++)
        a->distance[lag] +=
            square(newest - at(s, s->last - lag)) - square(oldest - at(s, s->last - STRETCH - lag));
    if (top < ANALOGUES_LAG_MAX || s->n == ANALOGUES_LAG_MAX + STRETCH + 1)
        sum_anew(a, s, top); /* held for the first time */
    else
        a->distance[top] +=
            square(newest - at(s, s->last - top)) - square(oldest - at(s, s->last - STRETCH - top));
    for (uint32_t k = 0; k < ANEW; k++) {
        a->refreshed = a->refreshed >= top ? ANALOGUES_LAG_MIN : a->refreshed + 1;
        if (a->refreshed >= ANALOGUES_LAG_MIN)
            sum_anew(a, s, a->refreshed);
    }
    for (uint32_t lag = ANALOGUES_LAG_MIN; lag <= top; lag++)
        keep_nearest(a, lag);
}

float analogues_forecast(const struct analogues *a, const struct past *p, uint32_t h)
{
    float v[ANALOGUES_NEAREST];
    uint32_t n = 0;

    for (uint32_t i = 0; i < a->n_nearest; i++) {
        float x;
        uint32_t k = n;

        if (a->nearest[i] < h)
            continue; /* it has not come yet */
        x = series_bridged(p->series, p->origin - a->nearest[i] + h);
        for (; k > 0 && v[k - 1] > x; k--)
            v[k] = v[k - 1];
        v[k] = x;
        n++;
    }
    if (n == 0)
        return NAN;
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}
