/* Requests and errors of a model, by the source that its manifest names, into every total. */
#ifndef HUDDLE_MODEL_REQUESTS_H
#define HUDDLE_MODEL_REQUESTS_H

#include "controller/state/cluster.h"

/* They came in [from_ms, to_ms] of wall time. Zero requests are known to be none. */
void model_count_requests(struct cluster *c, struct model *m, int64_t from_ms, int64_t to_ms,
                          uint64_t requests, uint64_t errors);

#endif
