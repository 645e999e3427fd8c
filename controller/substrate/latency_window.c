/* Quantiles of the newest latencies: see latency_window.h. */
#include "controller/substrate/latency_window.h"

#include <math.h>
#include <stdlib.h>

void latency_window_add(struct latency_window *w, int64_t now_ms, double latency_ms)
{
    w->sample[w->next].at_ms = now_ms;
    w->sample[w->next].latency_ms = (float)latency_ms;
    w->next = (w->next + 1) % LATENCY_SAMPLES;
    if (w->n < LATENCY_SAMPLES)
        w->n++;
}

#define CONFIDENT 1.645 /* standard deviations: 95 %, one side */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static size_t sorted(const struct latency_window *w, int64_t now_ms, float value[LATENCY_SAMPLES])
{
    size_t n = 0;

    for (uint32_t i = 0; i < w->n; i++)
        if (now_ms - w->sample[i].at_ms <= LATENCY_WINDOW_MS)
            value[n++] = w->sample[i].latency_ms;
    qsort(value, n, sizeof(*value), by_value);
    return n;
}

static double at_rank(const float *value, size_t n, double q)
{
    double rank = ceil(q * (double)n - 1e-9);

    return n == 0 ? NAN : (double)value[rank > 0 ? (size_t)rank - 1 : 0];
}

double latency_window_quantile(const struct latency_window *w, int64_t now_ms, double q)
{
    float value[LATENCY_SAMPLES] = { 0 };

    return at_rank(value, sorted(w, now_ms, value), q);
}

double latency_window_at_least(const struct latency_window *w, int64_t now_ms, double q)
{
    float value[LATENCY_SAMPLES] = { 0 };
    size_t n = sorted(w, now_ms, value);

    return at_rank(value, n, q - CONFIDENT * sqrt(q * (1 - q) / (double)(n > 0 ? n : 1)));
}
