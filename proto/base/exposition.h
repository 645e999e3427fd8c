/* Prometheus text format 0.0.4, the writing side: families and their samples. Pure. What is not
 * known (NaN, infinite) gets no sample: absent is not zero. */
#ifndef HUDDLE_BASE_EXPOSITION_H
#define HUDDLE_BASE_EXPOSITION_H

#include <stddef.h>

#include "proto/base/strbuf.h"

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct label {
    const char *name, *value; /* name NULL: none */
};

/* The head of a family; its samples follow at once. */
void exposition_family(struct strbuf *page, const char *name, const char *type, const char *help);
void exposition_sample(struct strbuf *page, const char *name, const struct label *labels, size_t n,
                       double value);
/* A family of one sample without labels. */
void exposition_single(struct strbuf *page, const char *name, const char *type, const char *help,
                       double value);

#endif
