/* Sums over lags, and the search for the peak among them. */
#include "controller/forecast/season.h"

#include <math.h>

#define ALIKE 0.35f  /* least autocorrelation at the season */
#define VALLEY 0.25f /* by which it exceeds the lowest before it */
#define STICKY 0.1f  /* by which another lag must be better to replace the season */
#define PAIRS_FULL 60000u

static void fade(struct season *z, uint32_t lag)
{
    z->squares[lag] /= 2;
    z->pairs[lag] = (uint16_t)(z->pairs[lag] / 2);
}

void season_add(struct season *z, const struct series *s)
{
    float x = series_at(s, s->last);
    uint32_t reach = s->n > SEASON_MAX ? SEASON_MAX : s->n ? s->n - 1 : 0;

    if (isnan(x))
        return;
    z->sum += (double)x;
    z->sum_squares += (double)x * (double)x;
    z->n++;
    for (uint32_t lag = 1; lag <= reach; lag++) {
        float d = x - s->value[(uint64_t)(s->last - lag) % SERIES_STEPS];

        if (isnan(d))
            continue;
        z->squares[lag] += d * d;
        if (++z->pairs[lag] >= PAIRS_FULL)
            fade(z, lag);
    }
}

static float alike(const struct season *z, uint32_t lag, float variance)
{
    if (z->pairs[lag] < 4)
        return -1;
    return 1 - z->squares[lag] / (2 * (float)z->pairs[lag] * variance);
}

/* A quarter of a season must have been seen twice. */
static bool seen_enough(const struct season *z, uint32_t lag)
{
    return z->pairs[lag] * 4u >= lag;
}

static bool is_peak(const struct season *z, uint32_t lag, float variance)
{
    uint32_t reach = lag / 8;
    float here = alike(z, lag, variance);

    if (lag + reach / 2 <= SEASON_MAX && !seen_enough(z, lag + reach / 2))
        return false; /* it may still be rising */
    for (uint32_t k = 1; k <= reach; k++) {
        if (alike(z, lag - k, variance) > here)
            return false;
        if (lag + k <= SEASON_MAX && seen_enough(z, lag + k) && alike(z, lag + k, variance) > here)
            return false;
    }
    return true;
}

/* The same peak, better known. */
static bool is_near(uint32_t lag, uint32_t other)
{
    uint32_t apart = lag > other ? lag - other : other - lag;

    return apart * 8 <= other;
}

bool season_find(struct season *z)
{
    double mean = z->n ? z->sum / z->n : 0;
    float variance = z->n ? (float)(z->sum_squares / z->n - mean * mean) : 0;
    float lowest = 1, best = ALIKE, kept = -1;
    uint32_t found = 0;

    if (z->n < 2 * SEASON_MIN || !(variance > 0))
        return false;
    for (uint32_t lag = 2; lag <= SEASON_MAX && seen_enough(z, lag); lag++) {
        float here = alike(z, lag, variance);

        if (lag >= SEASON_MIN && here > best + (found ? 0.05f : 0) && here > lowest + VALLEY &&
            is_peak(z, lag, variance)) {
            best = here;
            found = lag;
        }
        if (here < lowest)
            lowest = here;
    }
    if (z->length && seen_enough(z, z->length))
        kept = alike(z, z->length, variance);
    if (z->length && kept > ALIKE && best < kept + STICKY && !is_near(found, z->length))
        found = z->length;
    if (found == z->length)
        return false;
    z->length = found;
    return true;
}
