/* Sums over lags, and the search for the peak among them. */
#include "controller/forecast/season.h"

#include <math.h>

#define DAY_MS 86400000
#define ALIKE 0.25f  /* least autocorrelation at the season */
#define VALLEY 0.15f /* by which it exceeds the lowest before it */
#define STICKY 0.1f  /* by which another lag must be better to replace the season */
#define FULL 4096.0f /* pairs after which the past counts half */
#define DAYS_SEEN 1.5f

void season_init(struct season *z, int64_t step_ms)
{
    int64_t day = step_ms > 0 && DAY_MS % step_ms == 0 ? DAY_MS / step_ms : 0;

    z->thinned = 1;
    z->day = day >= SEASON_MIN && day <= SEASON_MAX ? (uint32_t)day : 0;
}

static void fade(struct season *z)
{
    for (uint32_t lag = 1; lag <= SEASON_MAX; lag++)
        z->squares[lag] /= 2;
    z->sum /= 2;
    z->sum_squares /= 2;
    z->n /= 2;
    z->thinned /= 2;
}

void season_add(struct season *z, const struct series *s)
{
    float x = series_bridged(s, s->last), root;
    uint32_t reach = s->n > SEASON_MAX ? SEASON_MAX : s->n ? s->n - 1 : 0;

    if (isnan(x))
        return;
    root = sqrtf(x);
    z->sum += (double)root;
    z->sum_squares += (double)x;
    z->n += 1;
    for (uint32_t lag = 1; lag <= reach; lag++) {
        float d = root - sqrtf(s->value[(uint64_t)(s->last - lag) % SERIES_STEPS]);

        z->squares[lag] += d * d;
    }
    if (z->n >= FULL)
        fade(z);
}

static float pairs(const struct season *z, uint32_t lag)
{
    return z->n - z->thinned * (float)lag;
}

static float correlation(const struct season *z, uint32_t lag, float variance)
{
    return 1 - z->squares[lag] / (2 * pairs(z, lag) * variance);
}

/* Discounted where few pairs were seen. */
static float alike(const struct season *z, uint32_t lag, float variance)
{
    return correlation(z, lag, variance) * (0.5f + 0.5f * pairs(z, lag) / z->n);
}

/* The discount for few pairs leans to shorter lags: the top of the peak is found without it. */
static uint32_t refine(const struct season *z, uint32_t lag, uint32_t top, float variance)
{
    uint32_t best = lag;

    for (uint32_t k = lag - lag / 8; k <= lag + lag / 8 && k <= top; k++)
        if (correlation(z, k, variance) > correlation(z, best, variance))
            best = k;
    return best;
}

static bool is_peak(const struct season *z, uint32_t lag, uint32_t top, float variance)
{
    uint32_t reach = lag / 8;
    float here = alike(z, lag, variance);

    for (uint32_t k = 1; k <= reach; k++)
        if (alike(z, lag - k, variance) > here ||
            (lag + k <= top && alike(z, lag + k, variance) > here))
            return false;
    return true;
}

static uint32_t find_peak(const struct season *z, uint32_t top, float variance, float *ret_height)
{
    float lowest = 1, best = ALIKE;
    uint32_t found = 0;

    for (uint32_t lag = 2; lag <= top; lag++) {
        float here = alike(z, lag, variance);

        if (lag >= SEASON_MIN && here > best && here > lowest + VALLEY &&
            is_peak(z, lag, top, variance)) {
            best = here;
            found = lag;
        }
        lowest = here < lowest ? here : lowest;
    }
    *ret_height = best;
    return found ? refine(z, found, top, variance) : 0;
}

/* The same peak, better known. */
static bool is_near(uint32_t lag, uint32_t other)
{
    uint32_t apart = lag > other ? lag - other : other - lag;

    return apart * 8 <= other;
}

bool season_find(struct season *z)
{
    double mean = z->n > 0 ? z->sum / (double)z->n : 0;
    float variance = z->n > 0 ? (float)(z->sum_squares / (double)z->n - mean * mean) : 0;
    float half = z->n / (1 + z->thinned), height;
    uint32_t top = half < (float)SEASON_MAX ? (uint32_t)half : SEASON_MAX, found;

    if (z->n < 2 * SEASON_MIN || !(variance > 1e-12f))
        return false;
    if (z->day && z->n >= DAYS_SEEN * (float)z->day) {
        found = z->day;
    } else {
        found = find_peak(z, top, variance, &height);
        if (z->length && z->length <= top && !is_near(found, z->length) &&
            alike(z, z->length, variance) > ALIKE &&
            height < alike(z, z->length, variance) + STICKY)
            found = z->length;
    }
    if (found == z->length)
        return false;
    z->length = found;
    return true;
}
