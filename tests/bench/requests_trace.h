/* Requests one by one, as the Azure LLM inference traces have them: a line of headings, then
 * "TIMESTAMP,ContextTokens,GeneratedTokens" for each. Source: Azure/AzurePublicDataset, 2023
 * (CC-BY), described in Patel et al., "Splitwise", ISCA 2024. */
#ifndef HUDDLE_BENCH_REQUESTS_TRACE_H
#define HUDDLE_BENCH_REQUESTS_TRACE_H

#include <stddef.h>

#include "proto/base/err.h"

#define REQUESTS_NAME_MAX 64

struct request {
    double at_s;               /* wall time */
    double context, generated; /* tokens */
};

struct service { /* owns its requests, which ascend by time */
    char name[REQUESTS_NAME_MAX];
    struct request *requests;
    size_t n_requests, cap_requests;
};

/* The name is that of the file, from its last '_' on: "conv". -EINVAL: a line is not of that form,
 * or there is none; -errno: it cannot be read. */
int service_read(const char *path, struct service *ret_s, struct err *e);
void service_done(struct service *s); /* accepts a zeroed one */

#endif
