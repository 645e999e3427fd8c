/* The server's counters, and their page in Prometheus text format 0.0.4. One thread writes and
 * reads them, except in_flight, which the shutdown reads from another. */
#ifndef CLASSIFIER_METERS_H
#define CLASSIFIER_METERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/base/strbuf.h"

#define METERS_BUCKETS 12

struct meters {
    uint64_t requests; /* predictions asked for and answered, well or not */
    uint64_t errors;   /* those that were not answered with 200 */
    atomic_uint in_flight;
    uint64_t bucket[METERS_BUCKETS + 1]; /* not cumulative; the last one has no upper bound */
    double duration_sum_s;
};

void meters_observe(struct meters *m, int64_t duration_us, bool ok);
void meters_print(const struct meters *m, struct strbuf *out);

#endif
