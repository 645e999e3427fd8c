/* A packing instance from a file, and the cluster that it stands for: a bin is a node that sleeps,
 * a size is a model with as many replicas as there are pieces of it. */
#ifndef HUDDLE_BENCH_PACKING_INSTANCE_H
#define HUDDLE_BENCH_PACKING_INSTANCE_H

#include "controller/placement/bins.h"
#include "controller/placement/plan.h"
#include "proto/base/err.h"

struct instance {
    char name[64];
    uint32_t n_dimensions;
    int64_t capacity[BINS_DIMENSIONS];
    struct bins_kind *kinds;
    size_t n_kinds, cap_kinds;
    uint32_t n_pieces;
};

/* BPPLIB's one-dimensional form (number of pieces, capacity, sizes) or, when the name ends in
 * .vbp, vectors (dimensions, capacities, number of kinds, per kind its sizes and count). Pieces of
 * no size at all are left out. */
int instance_read(const char *path, struct instance *ret, struct err *e);
void instance_done(struct instance *i);

/* First fit decreasing, by the sum of shares: the peer. */
uint32_t instance_first_fit(const struct instance *i);

struct instance_cluster {
    struct snapshot snapshot;
    struct plan_model *models; /* with their targets */
    struct snap_node *nodes;
    struct snap_model *snap_models;
    struct served_model *specs;
    struct snap_gpu device;
    struct power_pool pool;
    struct power_policy policy;
    struct snap_pool snap_pool;
    struct snap_policy snap_policy;
    char (*names)[16];
};

/* Exact: dimensions become CPU, memory, memory of the node's one device and shares of it. -EINVAL:
 * there are four and none has a capacity that divides 1000. */
int instance_cluster_init(struct instance_cluster *c, const struct instance *i, uint32_t n_nodes,
                          struct err *e);
void instance_cluster_done(struct instance_cluster *c);

#endif
