/* The ring of a demand series, and the rule that tells a gap from a fall to zero. */
#include "controller/forecast/series.h"

#include <math.h>
#include <string.h>

#define DEMAND_MOST 1e15 /* req/s: more is no demand, and its squares would leave the floats */
#define LOOKS 24u        /* newest believed values that are looked at */
#define FAR_FROM 0.2f    /* zeros are a gap when all of them are above this share of their median */

static void sort(float *v, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        float x = v[i];
        uint32_t at = i;

        for (; at > 0 && v[at - 1] > x; at--)
            v[at] = v[at - 1];
        v[at] = x;
    }
}

/* Demand that never came near zero does not fall to it within a step. */
static bool is_gap(const struct series *s)
{
    float v[LOOKS];
    uint32_t n = 0;

    if (s->gap > 0)
        return s->gap < SERIES_GAP_STEPS;
    for (int64_t step = s->last; n < LOOKS && series_holds(s, step); step--)
        if (series_known(s, step))
            v[n++] = series_bridged(s, step);
    if (n < LOOKS)
        return false;
    sort(v, n);
    return v[0] > FAR_FROM * (v[LOOKS / 2 - 1] + v[LOOKS / 2]) / 2;
}

bool series_push(struct series *s, int64_t step, double value)
{
    uint64_t at = (uint64_t)step % SERIES_STEPS, bit = (uint64_t)1 << (at % 64);
    float before = s->n ? s->value[(uint64_t)s->last % SERIES_STEPS] : NAN;
    bool told = isfinite(value) && value >= 0;
    bool known = told && !(value == 0 && is_gap(s));

    s->value[at] = known ? (float)value : before;
    s->known[at / 64] = known ? s->known[at / 64] | bit : s->known[at / 64] & ~bit;
    s->gap = known ? 0 : s->gap + 1;
    s->last = step;
    s->n += s->n < SERIES_STEPS;
    s->seen += known && s->seen < UINT32_MAX;
    if (known && (float)value > s->most)
        s->most = (float)value;
    return known;
}

float series_mean(const struct series *s, int64_t step, uint32_t width)
{
    float sum = 0;
    uint32_t n = 0;

    for (uint32_t back = 0; back < width; back++) {
        float x = series_bridged(s, step - back);

        if (isnan(x))
            continue;
        sum += x;
        n++;
    }
    return n ? sum / (float)n : NAN;
}

enum series_told series_told(const struct series *s, int64_t step, double *value)
{
    bool anew = s->n > 0 && step - s->last > SERIES_SILENCE_MAX;

    if (!(*value >= 0 && *value <= DEMAND_MOST))
        *value = NAN;
    if ((s->n > 0 && step <= s->last) || (s->n == 0 && isnan(*value)))
        return SERIES_IGNORED;
    return anew ? SERIES_ANEW : SERIES_TAKEN;
}

void series_take(struct series *s, int64_t step, double value)
{
    enum series_told told = series_told(s, step, &value);

    if (told == SERIES_ANEW)
        memset(s, 0, sizeof(*s));
    if (told == SERIES_IGNORED || (s->n == 0 && isnan(value)))
        return;
    while (s->n > 0 && s->last + 1 < step)
        (void)series_push(s, s->last + 1, NAN);
    (void)series_push(s, step, value);
}
