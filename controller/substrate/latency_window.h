/* Quantiles of the newest latencies of one model. Keeps at most LATENCY_SAMPLES of them, and looks
 * at those of the last LATENCY_WINDOW_MS: under more load than that it speaks of a shorter time.
 * Pure. */
#ifndef HUDDLE_LATENCY_WINDOW_H
#define HUDDLE_LATENCY_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_SAMPLES 1024u
#define LATENCY_WINDOW_MS 10000

struct latency_window { /* zero-initialise */
    struct {
        int64_t at_ms;
        float latency_ms;
    } sample[LATENCY_SAMPLES]; /* a ring; `next` is the oldest once it is full */
    uint32_t next, n;
};

void latency_window_add(struct latency_window *w, int64_t now_ms, double latency_ms);

/* The smallest sample that at least a share q of the samples does not exceed (0 < q <= 1). NAN when
 * the window holds none. */
double latency_window_quantile(const struct latency_window *w, int64_t now_ms, double q);

/* The latency that quantile q of the service exceeds with 95 % confidence: the sample at rank
 * q - 1.645 sqrt(q (1 - q) / n), the order-statistic bound of Conover, "Practical nonparametric
 * statistics", 3rd ed., section 3.2. A few slow ones among few are not yet a slow service. NAN when
 * the window holds none. */
double latency_window_at_least(const struct latency_window *w, int64_t now_ms, double q);

#endif
