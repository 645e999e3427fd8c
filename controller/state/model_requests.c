/* See model_requests.h. */
#include "controller/state/model_requests.h"

void model_count_requests(struct cluster *c, struct model *m, int64_t from_ms, int64_t to_ms,
                          uint64_t requests, uint64_t errors)
{
    m->requests += requests;
    m->errors += errors;
    series_add(&m->request_count, from_ms, to_ms, (double)requests);
    series_add(&m->error_count, from_ms, to_ms, (double)errors);
    series_add(&c->request_count, from_ms, to_ms, (double)requests);
}
