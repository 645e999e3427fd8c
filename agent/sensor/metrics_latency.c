/* Histogram series made one: see metrics_latency.h. */
#include "agent/sensor/metrics_latency.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The place of the bound, or where it belongs. */
static size_t place_of(const struct metrics_latency *l, double bound_ms)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (l->bound_ms[middle] < bound_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int insert(struct metrics_latency *l, size_t at, double bound_ms, struct err *e)
{
    size_t behind = l->n - at;

    if (l->n == METRICS_BUCKETS_MAX)
        return err_set(e, -EFBIG, "the histogram has more than %u buckets", METRICS_BUCKETS_MAX);
    memmove(&l->bound_ms[at + 1], &l->bound_ms[at], behind * sizeof(l->bound_ms[0]));
    memmove(&l->count[at + 1], &l->count[at], behind * sizeof(l->count[0]));
    memmove(&l->series[at + 1], &l->series[at], behind * sizeof(l->series[0]));
    l->bound_ms[at] = bound_ms;
    l->count[at] = 0;
    l->series[at] = 0;
    l->n++;
    return 0;
}

/* The buckets of one series stand together and rise. */
static int check_order(struct metrics_latency *l, uint64_t series, double bound_ms, uint64_t count,
                       struct err *e)
{
    if (l->has_last && l->last_series == series) {
        if (bound_ms <= l->last_bound_ms)
            return err_set(e, -EBADMSG, "the buckets do not stand in ascending order of le");
        if (count < l->last_count)
            return err_set(e, -EBADMSG,
                           "a bucket counts %" PRIu64 ", the narrower one before it %" PRIu64,
                           count, l->last_count);
    }
    l->has_last = true;
    l->last_series = series;
    l->last_bound_ms = bound_ms;
    l->last_count = count;
    return 0;
}

static int add(uint64_t *sum, uint64_t more, struct err *e)
{
    if (__builtin_add_overflow(*sum, more, sum))
        return err_set(e, -EBADMSG, "the histogram's counts add up to more than 2^64");
    return 0;
}

int metrics_latency_bucket(struct metrics_latency *l, uint64_t series, double bound_ms,
                           uint64_t count, struct err *e)
{
    int r = check_order(l, series, bound_ms, count, e);

    if (r < 0)
        return r;
    if (isinf(bound_ms)) {
        l->n_series++;
        return add(&l->total, count, e);
    }
    size_t at = place_of(l, bound_ms);
    if (at == l->n || l->bound_ms[at] != bound_ms)
        r = insert(l, at, bound_ms, e);
    if (r < 0)
        return r;
    l->series[at]++;
    return add(&l->count[at], count, e);
}

int metrics_latency_count(struct metrics_latency *l, uint64_t count, struct err *e)
{
    l->n_counts++;
    return add(&l->counts, count, e);
}

void metrics_latency_sum(struct metrics_latency *l, double sum_ms)
{
    l->n_sums++;
    l->sum_ms += sum_ms;
}

int metrics_latency_finish(const struct metrics_latency *l, struct metrics_histogram *ret_histogram,
                           struct err *e)
{
    struct metrics_histogram h = { .total = l->total };

    if (l->n == 0 && l->n_series == 0)
        return 0; /* absent, or a summary: no share below a bound can be told from it */
    if (l->n_series == 0)
        return err_set(e, -EBADMSG, "the histogram has no bucket le=\"+Inf\"");
    if (l->n_counts > 0 && (l->n_counts != l->n_series || l->counts != l->total))
        return err_set(e, -EBADMSG,
                       "the histogram's _count is %" PRIu64 ", its bucket le=\"+Inf\" %" PRIu64,
                       l->counts, l->total);
    for (size_t i = 0; i < l->n; i++) {
        if (l->series[i] != l->n_series)
            continue; /* not all have this bound: their sum would not be the count below it */
        if (l->count[i] > h.total || (h.n > 0 && l->count[i] < h.count[h.n - 1]))
            return err_set(e, -EBADMSG, "the histogram's buckets do not rise");
        h.bound_ms[h.n] = l->bound_ms[i];
        h.count[h.n++] = l->count[i];
    }
    h.sum_known = l->n_sums == l->n_series && isfinite(l->sum_ms);
    h.sum_ms = h.sum_known ? l->sum_ms : 0;
    *ret_histogram = h;
    return 1;
}
