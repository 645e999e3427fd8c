/* The /metrics page: Prometheus text format 0.0.4, made from objects as the API shows them. Pure.
 *
 * What is not known (null in the objects) has no sample: absent is not zero. */
#ifndef HUDDLE_API_METRICS_H
#define HUDDLE_API_METRICS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/api/backend.h"
#include "proto/base/strbuf.h"

struct metrics_process { /* of the daemon itself; -1: unknown */
    double cpu_s, start_wall_s;
    int64_t resident_bytes, open_fds, most_fds;
};

struct metrics_source {                      /* all borrowed; NULL: not there */
    const json_t *clusters, *nodes, *models; /* arrays of objects */
    const json_t *report;                    /* of the last day */
    struct api_stats stats;
    const uint64_t *answers; /* [6], by the hundreds of their status */
    size_t watches;
    struct metrics_process process;
};

void metrics_render(const struct metrics_source *from, struct strbuf *page);

#endif
