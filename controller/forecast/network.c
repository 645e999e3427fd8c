/* Forward and backward by hand: two small dense layers. */
#include "controller/forecast/network.h"

#include <math.h>
#include <string.h>

#include "proto/base/random.h"

#define HIDDEN ((size_t)NETWORK_UNITS * NETWORK_INPUTS) /* weights of the first layer */
#define HUBER 0.3f
#define RATE 0.002f
#define DECAY_MOMENT 0.9f
#define DECAY_SQUARE 0.999f
#define TINY 1e-8f
/* What is fainter is nothing to any weight. Of units that are never active it would fade on into
 * numbers so small that each operation on them costs a processor a hundred. */
#define FAINT 1e-30f
#define WINDOWS 4u  /* in a batch; the first is the newest */
#define REACH 1200u /* old windows are drawn from so many steps */
#define WINDOWS_MIN 12u
#define TOGETHER 4u /* units whose sums do not wait for each other */
#define STRIDE ((size_t)TOGETHER * NETWORK_INPUTS)
_Static_assert(NETWORK_UNITS % TOGETHER == 0, "units are summed up some at a time");

struct pass { /* one window on its way through */
    float input[NETWORK_INPUTS], unit[NETWORK_UNITS], output[NETWORK_OUTPUTS];
};

void network_init(struct network *n, uint64_t seed)
{
    struct random r = random_stream(seed, 1, 0, 0);
    float first = sqrtf(6.0f / NETWORK_INPUTS), second = sqrtf(1.0f / NETWORK_UNITS);

    memset(n, 0, sizeof(*n));
    n->fade_moment = n->fade_square = 1;
    for (uint32_t i = 0; i < NETWORK_WEIGHTS; i++)
        n->weight[i] = (i < HIDDEN ? first : 0.1f * second) * (float)(2 * random_unit(&r) - 1);
}

static void inputs(const struct past *p, int64_t origin, float x[NETWORK_INPUTS])
{
    float turns = (float)fmod((double)origin, p->turn) / (float)p->turn;
    float now = past_log_at(p, origin);

    /* The level, with the average demand at 0. */
    x[0] = now - 2.3978953f;
    for (uint32_t lag = 1; lag < NETWORK_LAGS; lag++)
        x[lag] = past_log_at(p, origin - lag) - now;
    x[NETWORK_LAGS] = elementary_sine(turns);
    x[NETWORK_LAGS + 1] = elementary_sine(turns + 0.25f);
    x[NETWORK_LAGS + 2] = 1;
}

static void forward(const struct network *n, struct pass *w)
{
    const float *weight = n->weight;

    for (uint32_t u = 0; u < NETWORK_UNITS; u += TOGETHER, weight += STRIDE) {
        float sum[TOGETHER] = { 0 };

        for (uint32_t i = 0; i < NETWORK_INPUTS; i++)
            for (uint32_t k = 0; k < TOGETHER; k++)
                sum[k] += weight[k * NETWORK_INPUTS + i] * w->input[i];
        for (uint32_t k = 0; k < TOGETHER; k++)
            w->unit[u + k] = sum[k] > 0 ? sum[k] : 0;
    }
    for (uint32_t o = 0; o < NETWORK_OUTPUTS; o++, weight += NETWORK_UNITS + 1) {
        float sum = weight[NETWORK_UNITS];

        for (uint32_t u = 0; u < NETWORK_UNITS; u++)
            sum += weight[u] * w->unit[u];
        w->output[o] = sum;
    }
}

/* Adds the window's gradient; `slope` is that of the loss at each output. */
static void backward(const struct network *n, const struct pass *w,
                     const float slope[NETWORK_OUTPUTS], float gradient[NETWORK_WEIGHTS])
{
    float back[NETWORK_UNITS] = { 0 };

    for (uint32_t o = 0; o < NETWORK_OUTPUTS; o++) {
        const float *weight = n->weight + HIDDEN + (size_t)o * (NETWORK_UNITS + 1);
        float *g = gradient + HIDDEN + (size_t)o * (NETWORK_UNITS + 1);

        for (uint32_t u = 0; u < NETWORK_UNITS; u++) {
            g[u] += slope[o] * w->unit[u];
            back[u] += slope[o] * weight[u];
        }
        g[NETWORK_UNITS] += slope[o];
    }
    for (uint32_t u = 0; u < NETWORK_UNITS; u++) {
        float *g = gradient + (size_t)u * NETWORK_INPUTS;

        for (uint32_t i = 0; w->unit[u] > 0 && i < NETWORK_INPUTS; i++)
            g[i] += back[u] * w->input[i];
    }
}

static bool whole(const struct past *p, int64_t origin)
{
    for (uint32_t h = 0; h <= NETWORK_OUTPUTS; h++)
        if (!series_known(p->series, origin + h))
            return false;
    return series_holds(p->series, origin - NETWORK_LAGS + 1);
}

static bool learn_window(const struct network *n, const struct past *p, int64_t origin,
                         float gradient[NETWORK_WEIGHTS])
{
    struct pass w = { 0 };
    float slope[NETWORK_OUTPUTS], now;

    if (!whole(p, origin))
        return false;
    inputs(p, origin, w.input);
    forward(n, &w);
    now = past_log_at(p, origin);
    for (uint32_t o = 0; o < NETWORK_OUTPUTS; o++) {
        float error = w.output[o] - (past_log_at(p, origin + o + 1) - now);

        slope[o] = error > HUBER ? HUBER : error < -HUBER ? -HUBER : error;
    }
    backward(n, &w, slope, gradient);
    return true;
}

static void adam(struct network *n, const float gradient[NETWORK_WEIGHTS], float share)
{
    float moment_scale, square_scale;

    n->fade_moment *= DECAY_MOMENT;
    n->fade_square *= DECAY_SQUARE;
    moment_scale = RATE / (1 - n->fade_moment);
    square_scale = 1 / (1 - n->fade_square);
    for (uint32_t i = 0; i < NETWORK_WEIGHTS; i++) {
        float g = gradient[i] * share;

        float moment = n->moment[i] + (1 - DECAY_MOMENT) * (g - n->moment[i]);
        float square = n->square[i] + (1 - DECAY_SQUARE) * (g * g - n->square[i]);

        n->moment[i] = fabsf(moment) < FAINT ? 0 : moment;
        n->square[i] = square < FAINT ? 0 : square;
        n->weight[i] -= moment_scale * n->moment[i] / (sqrtf(n->square[i] * square_scale) + TINY);
    }
}

static void learn(struct network *n, const struct past *p)
{
    float gradient[NETWORK_WEIGHTS] = { 0 };
    uint32_t held = p->series->n, reach, windows = 0;
    int64_t newest = p->origin - NETWORK_OUTPUTS;

    if (held < NETWORK_LAGS + NETWORK_OUTPUTS + WINDOWS_MIN)
        return;
    reach = held - NETWORK_LAGS - NETWORK_OUTPUTS;
    reach = reach > REACH ? REACH : reach;
    windows += learn_window(n, p, newest, gradient);
    for (uint32_t k = 1; k < WINDOWS; k++) {
        uint64_t draw = random_mix((uint64_t)p->origin * WINDOWS + k);

        windows += learn_window(n, p, newest - (int64_t)(draw % reach), gradient);
    }
    if (windows > 0)
        adam(n, gradient, 1.0f / (float)windows);
}

void network_add(struct network *n, const struct past *p)
{
    struct pass w = { 0 };

    if (!p->gap)
        learn(n, p);
    if (p->series->n < NETWORK_LAGS)
        return;
    inputs(p, p->origin, w.input);
    forward(n, &w);
    memcpy(n->ahead, w.output, sizeof(n->ahead));
}

bool network_is_wild(const struct network *n, const struct past *p)
{
    for (uint32_t h = 1; h <= NETWORK_OUTPUTS && p->series->n >= NETWORK_LAGS; h++)
        if (past_is_wild(p, p->log_now + n->ahead[h - 1]))
            return true;
    return false;
}

float network_forecast(const struct network *n, const struct past *p, uint32_t h)
{
    if (h > NETWORK_OUTPUTS || n->fade_moment >= 1)
        return NAN;
    return past_value(p, p->log_now + n->ahead[h - 1]);
}
