/* The latency histogram of a page while it is read: the series of one metric, bucket by bucket as
 * their lines come, made one. Pure. Errors are -EBADMSG or -EFBIG, without the line. */
#ifndef HUDDLE_METRICS_LATENCY_H
#define HUDDLE_METRICS_LATENCY_H

#include <stdint.h>

#include "agent/sensor/metrics.h"

struct metrics_latency { /* zero-initialise */
    double bound_ms[METRICS_BUCKETS_MAX];
    uint64_t count[METRICS_BUCKETS_MAX];
    uint32_t series[METRICS_BUCKETS_MAX]; /* how many have this bound */
    size_t n;
    uint32_t n_series, n_counts, n_sums; /* lines le="+Inf", _count, _sum */
    uint64_t total, counts;
    double sum_ms;

    uint64_t last_series; /* of the bucket line before */
    double last_bound_ms;
    uint64_t last_count;
    bool has_last;
};

/* `series` identifies the labels without le; bound_ms may be infinite. */
int metrics_latency_bucket(struct metrics_latency *l, uint64_t series, double bound_ms,
                           uint64_t count, struct err *e);
int metrics_latency_count(struct metrics_latency *l, uint64_t count, struct err *e);
void metrics_latency_sum(struct metrics_latency *l, double sum_ms);

/* 1 and the histogram; 0 when the page had none. */
int metrics_latency_finish(const struct metrics_latency *l, struct metrics_histogram *ret_histogram,
                           struct err *e);

#endif
