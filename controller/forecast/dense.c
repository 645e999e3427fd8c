/* Sums run over inputs, one unit beside the other: each unit's sum keeps its order. */
#include "controller/forecast/dense.h"

#include <math.h>
#include <string.h>

#include "controller/forecast/product.h"
#include "proto/base/random.h"

#define U DENSE_UNITS
#define RATE 0.0003f
#define DECAY_MOMENT 0.9f
#define DECAY_SQUARE 0.999f
#define TINY 1e-8f
#define LANES 8u
#define WIDE 10.0f /* standard deviations of a step from one end of the output to the other */

_Static_assert(U == PRODUCT_UNITS, "a row of weights is a row of a product");

struct activity { /* of a batch */
    float unit[DENSE_BATCH][U];
    float output[DENSE_BATCH];
};

/* --- scale --------------------------------------------------------------------------------------
 */

static float to_log(const struct dense *d, float x)
{
    return elementary_log(1 + x / d->unit);
}

static float log_at(const struct dense *d, const struct series *s, const float *logs, int64_t step)
{
    return logs && series_holds(s, step) ? logs[(uint64_t)step % SERIES_STEPS]
                                         : to_log(d, series_bridged(s, step));
}

/* The window that ends at `origin`, which is held. */
static void read_window(const struct dense *d, const struct series *s, const float *logs,
                        int64_t origin, float ret_x[DENSE_INPUTS])
{
    int64_t first = origin - DENSE_INPUTS + 1;
    uint32_t at = (uint64_t)first % SERIES_STEPS;
    uint32_t whole = SERIES_STEPS - at < DENSE_INPUTS ? SERIES_STEPS - at : DENSE_INPUTS;

    if (!logs) {
        for (uint32_t i = 0; i < DENSE_INPUTS; i++)
            ret_x[i] = to_log(d, series_bridged(s, first + i));
        return;
    }
    memcpy(ret_x, logs + at, whole * sizeof(*logs)); /* the ring's end may be within */
    memcpy(ret_x + whole, logs, (DENSE_INPUTS - whole) * sizeof(*logs));
}

void dense_logs(const struct dense *d, const struct series *s, float ret_logs[SERIES_STEPS])
{
    for (int64_t step = s->last - s->n + 1; step <= s->last; step++)
        ret_logs[(uint64_t)step % SERIES_STEPS] = to_log(d, series_bridged(s, step));
}

static float to_demand(const struct dense *d, float log)
{
    float x = d->unit * (elementary_exp(log) - 1);

    return x > d->most ? d->most : x > 0 ? x : 0;
}

/* In two passes: the mean, then the spread about it. */
static void scale(struct dense *d, const struct series *s)
{
    float before = NAN, squares = 0, steps = 0;

    for (int64_t step = s->last - s->n + 1; step <= s->last; step++)
        d->mean += to_log(d, series_bridged(s, step)) / (float)s->n;
    for (int64_t step = s->last - s->n + 1; step <= s->last; step++) {
        float log = to_log(d, series_bridged(s, step));

        squares += (log - d->mean) * (log - d->mean);
        steps += isnan(before) ? 0 : (log - before) * (log - before);
        before = log;
    }
    d->spread = sqrtf(squares / (float)s->n) + 1e-3f;
    d->step = sqrtf(steps / (float)s->n) + 1e-3f;
}

void dense_init(struct dense_trainer *t, const struct series *s, float unit, uint64_t seed)
{
    struct random r = random_stream(seed, 2, 0, 0);
    struct dense *d = &t->net;
    float first = sqrtf(6.0f / DENSE_INPUTS), second = 0.1f * sqrtf(6.0f / U);

    memset(t, 0, sizeof(*t));
    t->fade_moment = t->fade_square = 1;
    d->unit = unit;
    d->most = 1.5f * s->most;
    scale(d, s);
    for (uint32_t i = 0; i < DENSE_INPUTS; i++)
        for (uint32_t u = 0; u < U; u++)
            d->w.first[i][u] = first * (float)(2 * random_unit(&r) - 1);
    for (uint32_t u = 0; u < U; u++)
        d->w.second[u] = second * (float)(2 * random_unit(&r) - 1);
}

/* Logarithms become inputs. */
static void normalise(const struct dense *d, float x[DENSE_INPUTS + 1])
{
    float now = x[DENSE_INPUTS - 1], share = 1 / d->spread;

    for (uint32_t i = 0; i + 1 < DENSE_INPUTS; i++)
        x[i] = (x[i] - now) * share;
    x[DENSE_INPUTS - 1] = (now - d->mean) * share;
    x[DENSE_INPUTS] = 1;
}

bool dense_window(const struct dense *d, const struct series *s, const float *logs, int64_t origin,
                  bool truth, struct dense_batch *b)
{
    float *x = b->input[b->n];

    if (!series_holds(s, origin - DENSE_INPUTS + 1) || !series_holds(s, origin) ||
        (truth && !series_known(s, origin + 1)))
        return false;
    read_window(d, s, logs, origin, x);
    if (truth)
        b->truth[b->n] =
            0.5f + (log_at(d, s, logs, origin + 1) - x[DENSE_INPUTS - 1]) / (WIDE * d->step);
    normalise(d, x);
    b->n++;
    return true;
}

/* --- forward ------------------------------------------------------------------------------------
 */

static void rectify(float *unit)
{
    for (uint32_t u = 0; u < U; u++)
        unit[u] = unit[u] > 0 ? unit[u] : 0;
}

static float output_of(const struct dense_weights *w, const float unit[U])
{
    float lane[LANES] = { 0 }, sum = w->bias;

    for (uint32_t u = 0; u < U; u += LANES)
        for (uint32_t k = 0; k < LANES; k++)
            lane[k] += w->second[u + k] * unit[u + k];
    for (uint32_t k = 0; k < LANES; k++)
        sum += lane[k];
    return 1 / (1 + elementary_exp(-sum));
}

/* `input`: n rows of DENSE_INPUTS + 1. */
static void sum_units(const struct dense_weights *w, const float *input, uint32_t n,
                      float ret_unit[][U])
{
    product_multiply(&(struct product){ .out = ret_unit,
                                        .rows = n,
                                        .n = DENSE_INPUTS + 1,
                                        .x = input,
                                        .by_row = DENSE_INPUTS + 1,
                                        .by_sum = 1,
                                        .term = w->first });
}

static void forward(const struct dense_weights *w, const struct dense_batch *b, struct activity *a)
{
    sum_units(w, b->input[0], b->n, a->unit);
    for (uint32_t k = 0; k < b->n; k++) {
        rectify(a->unit[k]);
        a->output[k] = output_of(w, a->unit[k]);
    }
}

struct ahead { /* windows that grow by what is said of them */
    float line[DENSE_BATCH][DENSE_INPUTS + DENSE_AHEAD]; /* logarithms */
    float input[DENSE_BATCH][DENSE_INPUTS + 1], unit[DENSE_BATCH][U];
    uint32_t row[DENSE_BATCH]; /* in the answer */
    uint32_t n;
};

static void read_lines(const struct dense *d, const struct series *s, const float *logs,
                       const int64_t *origins, uint32_t n, struct ahead *a)
{
    a->n = 0;
    for (uint32_t k = 0; k < n; k++) {
        if (!series_holds(s, origins[k] - DENSE_INPUTS + 1) || !series_holds(s, origins[k]))
            continue;
        read_window(d, s, logs, origins[k], a->line[a->n]);
        a->row[a->n++] = k;
    }
}

void dense_forecasts(const struct dense *d, const struct series *s, const float *logs,
                     const int64_t *origins, uint32_t n, float ret_values[][DENSE_AHEAD])
{
    struct ahead a;

    for (uint32_t k = 0; k < n; k++)
        for (uint32_t h = 0; h < DENSE_AHEAD; h++)
            ret_values[k][h] = NAN;
    read_lines(d, s, logs, origins, n, &a);
    for (uint32_t h = 0; h < DENSE_AHEAD; h++) {
        for (uint32_t k = 0; k < a.n; k++) {
            memcpy(a.input[k], a.line[k] + h, DENSE_INPUTS * sizeof(float));
            normalise(d, a.input[k]);
        }
        sum_units(&d->w, a.input[0], a.n, a.unit);
        for (uint32_t k = 0; k < a.n; k++) {
            float *next = &a.line[k][DENSE_INPUTS + h];

            rectify(a.unit[k]);
            *next = next[-1] + WIDE * d->step * (output_of(&d->w, a.unit[k]) - 0.5f);
            ret_values[a.row[k]][h] = to_demand(d, *next);
        }
    }
}

bool dense_forecast(const struct dense *d, const struct series *s, int64_t origin,
                    float ret_value[DENSE_AHEAD])
{
    float values[1][DENSE_AHEAD];

    dense_forecasts(d, s, NULL, &origin, 1, values);
    if (isnan(values[0][0]))
        return false;
    memcpy(ret_value, values[0], sizeof(values[0]));
    return true;
}

/* --- backward -----------------------------------------------------------------------------------
 */

/* What the units and their weights get of one window's slope. In two loops, both become vectors. */
static void share_out(float slope, const float *restrict unit, const float *restrict weight,
                      float *restrict gradient, float *restrict back)
{
    for (uint32_t u = 0; u < U; u++) {
        gradient[u] += slope * unit[u];
        back[u] = slope * weight[u];
    }
    for (uint32_t u = 0; u < U; u++)
        back[u] = unit[u] > 0 ? back[u] : 0;
}

static void backward(const struct dense_weights *w, const struct dense_batch *b,
                     const struct activity *a, struct dense_weights *g)
{
    float back[DENSE_BATCH][U];

    memset(g->second, 0, sizeof(g->second));
    g->bias = 0;
    for (uint32_t k = 0; k < b->n; k++) {
        float out = a->output[k], slope = (out - b->truth[k]) * out * (1 - out) / (float)b->n;

        g->bias += slope;
        share_out(slope, a->unit[k], w->second, g->second, back[k]);
    }
    product_multiply(&(struct product){ .out = g->first,
                                        .rows = DENSE_INPUTS + 1,
                                        .n = b->n,
                                        .x = b->input[0],
                                        .by_row = 1,
                                        .by_sum = DENSE_INPUTS + 1,
                                        .term = (const float(*)[U])back });
}

static void adam_row(float *restrict w, float *restrict moment, float *restrict square,
                     const float *restrict g, uint32_t n, float rate, float square_scale)
{
    for (uint32_t i = 0; i < n; i++) {
        moment[i] += (1 - DECAY_MOMENT) * (g[i] - moment[i]);
        square[i] += (1 - DECAY_SQUARE) * (g[i] * g[i] - square[i]);
        w[i] -= rate * moment[i] / (sqrtf(square[i] * square_scale) + TINY);
    }
}

static void adam(struct dense_trainer *t)
{
    float rate, square_scale;

    t->fade_moment *= DECAY_MOMENT;
    t->fade_square *= DECAY_SQUARE;
    rate = RATE / (1 - t->fade_moment);
    square_scale = 1 / (1 - t->fade_square);
    for (uint32_t i = 0; i <= DENSE_INPUTS; i++)
        adam_row(t->net.w.first[i], t->moment.first[i], t->square.first[i], t->gradient.first[i], U,
                 rate, square_scale);
    adam_row(t->net.w.second, t->moment.second, t->square.second, t->gradient.second, U, rate,
             square_scale);
    adam_row(&t->net.w.bias, &t->moment.bias, &t->square.bias, &t->gradient.bias, 1, rate,
             square_scale);
}

float dense_pass(struct dense_trainer *t, const struct dense_batch *b, bool learn)
{
    struct activity a;
    float sum = 0;

    forward(&t->net.w, b, &a);
    for (uint32_t k = 0; k < b->n; k++)
        sum += (a.output[k] - b->truth[k]) * (a.output[k] - b->truth[k]);
    if (learn && b->n > 0) {
        backward(&t->net.w, b, &a, &t->gradient);
        adam(t);
    }
    return b->n ? sum / (float)b->n : 0;
}
