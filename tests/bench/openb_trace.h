/* The nodes and pods of the GPU arena (Alibaba's cluster-trace-gpu-v2023 and lists of that form).
 */
#ifndef HUDDLE_BENCH_OPENB_TRACE_H
#define HUDDLE_BENCH_OPENB_TRACE_H

#include "controller/state/snapshot.h"
#include "proto/base/err.h"

struct pod { /* one kind; how often it is in the list: count */
    int64_t cpu_milli, memory_bytes, gpu_milli;
    char *models; /* "T4|P100", "" : any */
    uint32_t count;
};

struct trace {
    struct snap_node *nodes;
    size_t n_nodes, cap_nodes;
    uint32_t left_out; /* nodes without a device */
    struct pod *pods;  /* kinds */
    size_t n_pods, cap_pods;
    uint32_t *list; /* kind of each pod, in the list's order */
    size_t n_list, cap_list;
    int64_t gpu_milli; /* of all nodes */
    char **names;      /* owned: device models, node names */
    size_t n_names, cap_names;
};

/* Columns are found by the header: cpu_milli, memory_mib, gpu, model and sn; cpu_milli, num_gpu,
 * gpu_milli, and memory_mib and gpu_spec where there are. Nodes without devices take no part unless
 * `all_nodes`. */
int trace_read(struct trace *t, const char *nodes, const char *pods, bool all_nodes, struct err *e);
void trace_done(struct trace *t);

/* Arrivals of one seed, kinds of pods: the list shuffled, and as many more drawn from it (or taken
 * away) until they ask for `share` of all devices. Returns how many; the caller frees. */
size_t trace_arrivals(const struct trace *t, uint64_t seed, double share, uint32_t **ret_kinds);

#endif
