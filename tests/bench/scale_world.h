/* A large made-up cluster for bench/scale: four classes of nodes (small and large ones without
 * devices, with four and with eight GPUs), models of very different popularity (Zipf) that want
 * CPU and memory, shares of a GPU, or several; some bound to a class, some spread over zones. About
 * half of everything is asked for. Seeded: the same numbers give the same cluster everywhere. */
#ifndef HUDDLE_BENCH_SCALE_WORLD_H
#define HUDDLE_BENCH_SCALE_WORLD_H

#include "controller/placement/plan.h"
#include "proto/base/random.h"

#define SCALE_CLASSES 4u

struct scale_world { /* plain data; what a snapshot borrows is here */
    uint32_t n_nodes, n_models, n_replicas, cap_replicas;
    struct snap_node *nodes;
    struct snap_model *models;
    struct snap_replica *replicas;
    struct served_model *specs;
    uint64_t *without_devices; /* bit per node, for models that may stand only there */
    struct observation *observations;
    char (*names)[16]; /* of nodes, then of models */
    char (*uids)[16];  /* parallel to replicas */
    struct power_pool pool_specs[SCALE_CLASSES];
    struct snap_pool pools[SCALE_CLASSES];
    struct power_policy policy_spec;
    struct snap_policy policy;
    struct random random;
    int64_t step;
    uint64_t version;
    uint32_t next_uid;
};

/* `spread`: every node is awake and the replicas stand where a scheduler that looks for the least
 * loaded node puts them; else nothing runs and every node sleeps. */
void scale_world_init(struct scale_world *w, uint32_t nodes, uint32_t replicas, bool spread,
                      uint64_t seed);
void scale_world_done(struct scale_world *w);

/* The present picture, with an observation of every model; it borrows from the world. One step of
 * time passes. `nodes` false: of the models alone, for a past without any plan. */
struct snapshot *scale_world_snapshot(struct scale_world *w, bool nodes);

/* Everything becomes as the plan wants it, at once. */
void scale_world_carry_out(struct scale_world *w, const struct plan *p);

/* One node in a hundred that are awake fails, those that had failed are back; models with one
 * replica in a hundred want half as much again, as many a third less. */
void scale_world_change(struct scale_world *w);

#endif
