/* Demand from a Prometheus server, by range queries of its HTTP API. A server answers with at most
 * 11,000 points of a series: longer ranges are asked for in parts, and in shorter ones where a part
 * holds more samples, bytes or work than the server allows. */
#ifndef HUDDLE_CLI_PROMETHEUS_H
#define HUDDLE_CLI_PROMETHEUS_H

#include <stdint.h>

#include "controller/cli/session.h"
#include "controller/simulate/trace.h"

struct prometheus_preset {
    const char *name;  /* "vllm" */
    const char *label; /* that names the model */
    const char *query; /* req/s of each model; %s stands for the window of rate() */
};

/* NULL: unknown. */
const struct prometheus_preset *prometheus_preset_find(const char *name);

/* All of them, closed by a NULL name. */
const struct prometheus_preset *prometheus_presets(void);

struct prometheus_range {
    int64_t start_ms, end_ms, step_ms;
};

/* `query` may hold one %s, which the window of rate() takes: two minutes, or the step when it is
 * longer. What rate() says at a time is of the window before it: it is laid where it was, so that
 * the last values are of a window and a step before the end. `told` (or NULL) hears of each part
 * that is asked for, in points. -EINVAL: the range is shorter than that, or what was answered is no
 * demand; -ENOENT: no series; -EACCES; -EPROTO: another refusal, with the server's own words. */
int prometheus_read(const struct session *server, const char *query, const char *label,
                    const struct prometheus_range *range,
                    void (*told)(void *data, size_t done, size_t all), void *data, struct traces *t,
                    struct err *e);

#endif
