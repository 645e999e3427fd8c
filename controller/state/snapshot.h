/* What the planner and the metrics page see of the cluster: an immutable picture, taken by the loop
 * thread and shared by reference count with other threads. Plain data; nodes, models and replicas
 * refer to each other by index into the arrays of the same snapshot. All arrays are sorted by name
 * (replicas by uid), so that equal states give equal snapshots and equal plans.
 *
 * Left out are models that are being deleted, replicas of such models (their share of a node is
 * taken off what is allocatable, and the node is not sleepable) and replicas on nodes that are
 * unreachable or quarantined: they count for nothing until their node is back, where they then
 * appear again and are surplus if they were replaced meanwhile.
 *
 * Strings are owned by the snapshot (one arena). Absent is not zero: unknown numbers are NAN or -1
 * as said at each field. */
#ifndef HUDDLE_SNAPSHOT_H
#define HUDDLE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/energy/intensity.h"
#include "controller/energy/node_curve.h"
#include "proto/base/cleanup.h"
#include "proto/manifest.h"
#include "proto/wire.h"

#define NO_INDEX UINT32_MAX

/* Life-cycle states (DESIGN 5.4). The numbers are stored; never renumber. */
enum node_state {
    NODE_UNMANAGED = 0,
    NODE_AWAKE = 1,
    NODE_DRAINING = 2,
    NODE_EMPTY = 3,
    NODE_PREPARING = 4,
    NODE_SLEEPING = 5,
    NODE_ASLEEP = 6,
    NODE_WAKING = 7,
    NODE_HELD = 8,
    NODE_UNREACHABLE = 9,
    NODE_QUARANTINED = 10,
};
const char *node_state_name(enum node_state s); /* "awake", ... */

/* On its way to sleep? */
static inline bool node_state_is_leaving(enum node_state s)
{
    return s >= NODE_DRAINING && s <= NODE_SLEEPING;
}

/* Is it a state into which only the controller brings a node? */
static inline bool node_state_is_led(enum node_state s)
{
    return s != NODE_UNMANAGED && s != NODE_AWAKE && s != NODE_UNREACHABLE;
}

/* Awake, coming up or on its way to sleep: it draws, and counts against maxAwake. */
static inline bool node_state_is_on(enum node_state s)
{
    return s == NODE_AWAKE || s == NODE_HELD || s == NODE_WAKING || node_state_is_leaving(s);
}

#define SNAP_GPUS 64u /* of a node, at most: bits of a gpu_mask */

struct snap_gpu {
    const char *model;
    uint64_t memory_bytes;
};

/* A replica that is none of the planner's, on devices of a node. */
struct snap_held {
    const struct served_model *spec;
    uint64_t gpu_mask;
};

struct snap_node {
    const char *name;
    const char *address;
    uint32_t pool; /* or NO_INDEX */
    enum node_state state;
    bool schedulable; /* may take new replicas now (awake, not cordoned, fresh) */
    bool cordoned;    /* by a person */
    bool occupied;    /* by what is not ours and stays: it is awake whatever is placed on it */
    bool evacuate;    /* a person drains it: its replicas have to move elsewhere */
    bool sleepable;   /* everything but the plan allows sleep; else `why_not_asleep` */
    const char *why_not_asleep;
    bool wakeable;                   /* asleep, and not waiting after failures */
    bool wake_proven;                /* huddle has woken it before, or a person vouches */
    int64_t cpu_milli, memory_bytes; /* allocatable */
    const struct snap_gpu *gpus;
    uint32_t n_gpus, n_held;
    const struct snap_held *held; /* devices that replicas of deleted models have not left yet */
    struct node_curve curve;
    double watts; /* over the last interval; NAN: unknown */
    enum provenance watts_provenance;
    double utilization;   /* 0..1 of CPU over the last interval; NAN: unknown */
    int64_t cycles_today; /* sleeps in the last 24 h */
    const struct string_map *labels;
};

struct snap_model {
    const char *name;
    const struct served_model *spec; /* owned by the snapshot */
    const uint64_t
        *eligible; /* bit per node: selector and runtime allow it there; NULL: all nodes */
    double demand; /* req/s over the last interval; NAN: no observation */
    double fast;   /* req/s over the last seconds; NAN: unknown */
    bool counted;  /* how many replicas it has is said by others; demand and series are that number,
                      capacity is 1 */
    double capacity;       /* req/s per replica: declared or learned; NAN: unknown */
    double latency_ms;     /* at slo.quantile over the last interval; NAN: unknown */
    double error_share;    /* NAN: unknown */
    int64_t deadline_ms;   /* how long a request may wait, at the front door too; -1: not at all */
    double queue;          /* requests that wait; NAN: unknown */
    int64_t waited_ms;     /* the oldest of them, at most; 0: none waits; -1: unknown */
    bool slo_broken;       /* G7: measured worse than the target for two intervals */
    int64_t load_p99_ms;   /* start to ready: declared or learned */
    uint32_t ready, total; /* replicas */
    uint32_t doubled; /* of `ready`: both a replica and the one that replaces it (counted once) */
    bool renews;      /* its outdated replicas may be replaced now (rollout.h) */
    uint32_t renew_failures; /* of the newest version, in a row */
};

struct snap_replica {
    const char *uid;
    uint32_t model, node;
    enum replica_phase phase;
    bool leaving;                    /* already asked to drain or stop */
    const struct served_model *spec; /* of an outdated one: what it runs; NULL: the model's */
    uint32_t follows;  /* 1 + index of the present replica that this one replaces; 0: none */
    int64_t since_ms;  /* boot time of creation */
    uint64_t gpu_mask; /* devices it holds */
    double load;       /* req/s; NAN: unknown */
    double in_flight;  /* at the front door; NAN: unknown */
    bool cpu_use_known;
    double cpu_use_milli, cpu_use_variance; /* of CPU, lately (cpu_use.h), if known */
    const char *reason;
};

struct snap_pool {
    const char *name;
    const struct power_pool *spec;
    uint32_t policy; /* or NO_INDEX: the defaults */
    int64_t boot_p99_ms;
};

struct snap_policy {
    const char *name;
    const struct power_policy *spec;
    bool window_open; /* moves and sleeps are allowed now */
    const struct intensity
        *weight; /* of joules, by its objective; NULL: they weigh the same always */
};

/* One step of a model's demand series, for the forecasters. Step k covers wall time
 * [k * step_ms, (k + 1) * step_ms). */
struct observation {
    uint32_t model;
    int64_t step;
    double value; /* mean req/s; NAN: missing */
};

struct snapshot {
    uint64_t version; /* grows by one each time something changed */
    int64_t now_ms;   /* boot time */
    int64_t wall_ms;
    int64_t step_ms; /* of the demand series (= the policy's interval) */
    bool warming_up; /* shortly after a start: no sleep, no shrink */
    bool paused;
    const struct snap_node *nodes;
    const struct snap_model *models;
    const struct snap_replica *replicas;
    const struct snap_pool *pools;
    const struct snap_policy *policies;
    /* Demand not yet handed to the planner (all of history after a start), by model, then step. */
    const struct observation *observations;
    uint32_t n_nodes, n_models, n_replicas, n_pools, n_policies;
    size_t n_observations;
    void *memory;   /* private */
    int references; /* private, atomic */
};

struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* accepts NULL */
DEFINE_AUTO(snapshot, struct snapshot *, snapshot_unref);

/* Index by name (binary search), or NO_INDEX. */
uint32_t snapshot_node(const struct snapshot *s, const char *name);
uint32_t snapshot_model(const struct snapshot *s, const char *name);

/* Runs an older template than its model's newest. */
static inline bool snapshot_outdated(const struct snap_replica *r)
{
    return r->spec != NULL;
}

static inline const struct served_model *snapshot_replica_spec(const struct snapshot *s, uint32_t i)
{
    const struct snap_replica *r = &s->replicas[i];

    return r->spec ? r->spec : s->models[r->model].spec;
}

static inline bool snapshot_eligible(const struct snap_model *m, uint32_t node)
{
    return !m->eligible || ((m->eligible[node / 64] >> (node % 64)) & 1);
}

#endif
