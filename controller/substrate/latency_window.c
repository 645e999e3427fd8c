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

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

double latency_window_quantile(const struct latency_window *w, int64_t now_ms, double q)
{
    float value[LATENCY_SAMPLES];
    size_t n = 0, rank;

    for (uint32_t i = 0; i < w->n; i++)
        if (now_ms - w->sample[i].at_ms <= LATENCY_WINDOW_MS)
            value[n++] = w->sample[i].latency_ms;
    if (n == 0)
        return NAN;
    qsort(value, n, sizeof(*value), by_value);
    rank = (size_t)ceil(q * (double)n - 1e-9);
    return (double)value[rank > 0 ? rank - 1 : 0];
}
