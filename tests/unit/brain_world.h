/* A small virtual cluster for tests of the brain: it makes snapshots, carries plans out at once or
 * slowly, and keeps the truth. One pool, one policy. */
#ifndef HUDDLE_TEST_BRAIN_WORLD_H
#define HUDDLE_TEST_BRAIN_WORLD_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/placement/brain.h"
#include "controller/placement/plan_check.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

#define WORLD_NODES 64
#define WORLD_MODELS 8
#define WORLD_REPLICAS 512

struct world {
    struct snap_node nodes[WORLD_NODES];
    struct snap_model models[WORLD_MODELS];
    struct snap_replica replicas[WORLD_REPLICAS];
    struct served_model specs[WORLD_MODELS];
    struct power_pool pool_spec;
    struct power_policy policy_spec;
    struct snap_pool pool;
    struct snap_policy policy;
    struct observation observations[WORLD_MODELS];
    char node_names[WORLD_NODES][16], model_names[WORLD_MODELS][16], uids[WORLD_REPLICAS][16];
    struct snap_gpu gpus[4];
    uint32_t n_nodes, n_models, n_replicas, n_observations;
    int64_t step;
    uint64_t version;
    bool warming_up, paused;
};

static inline void world_init(struct world *w, uint32_t nodes, uint32_t models)
{
    memset(w, 0, sizeof(*w));
    w->n_nodes = nodes;
    w->n_models = models;
    w->policy_spec = (struct power_policy){
        .strategy = STRATEGY_PREDICTIVE,
        .interval_ms = 1000,
        .horizon_ms = 64000,
        .quantile = 0.95,
        .pool_quantile = 0.99,
        .confidence = 0.9,
        .budget = { .moves = -1, .sleeps = -1, .wakes = -1, .move_joules = 10 },
    };
    w->pool_spec =
        (struct power_pool){ .min_awake = 1, .max_awake = -1, .spare = 1, .cycles_per_day = -1 };
    w->policy =
        (struct snap_policy){ .name = "policy", .spec = &w->policy_spec, .window_open = true };
    w->pool = (struct snap_pool){ "pool", &w->pool_spec, 0, 3000 };
    for (uint32_t i = 0; i < nodes; i++) {
        snprintf(w->node_names[i], sizeof(w->node_names[i]), "n%03u", i);
        w->nodes[i] = (struct snap_node){
            .name = w->node_names[i],
            .state = NODE_AWAKE,
            .schedulable = true,
            .sleepable = true,
            .wake_proven = true,
            .why_not_asleep = "",
            .cpu_milli = 8000,
            .memory_bytes = (int64_t)16 << 30,
            .curve = node_curve_linear(100, 200),
            .watts = NAN,
            .utilization = NAN,
        };
        w->nodes[i].curve.cycle_j = 500;
        w->nodes[i].curve.boot_s = w->nodes[i].curve.boot_p99_s = 3;
    }
    for (uint32_t i = 0; i < models; i++) {
        snprintf(w->model_names[i], sizeof(w->model_names[i]), "m%03u", i);
        w->specs[i] = (struct served_model){
            .replicas = { 1, 100 },
            .resources = { .cpu_milli = 2000,
                           .memory_bytes = (int64_t)1 << 30,
                           .gpu_memory_bytes = -1 },
            .placement = { .max_per_node = -1, .min_nodes = 1 },
            .disruption = { .surge = 1, .min_available = 1 },
        };
        w->models[i] = (struct snap_model){ .name = w->model_names[i],
                                            .spec = &w->specs[i],
                                            .demand = 10,
                                            .capacity = 10,
                                            .latency_ms = NAN,
                                            .error_share = NAN,
                                            .load_p99_ms = 1000 };
    }
}

static inline void world_run(struct world *w, uint32_t model, uint32_t node, uint64_t mask,
                             enum replica_phase phase)
{
    uint32_t i = w->n_replicas++;

    snprintf(w->uids[i], sizeof(w->uids[i]), "r%u", i);
    w->replicas[i] = (struct snap_replica){ .model = model,
                                            .node = node,
                                            .phase = phase,
                                            .gpu_mask = mask,
                                            .load = NAN,
                                            .in_flight = NAN,
                                            .reason = "" };
}

/* The snapshot borrows from the world. */
static inline struct snapshot *world_snapshot(struct world *w)
{
    struct snapshot *s = xcalloc(1, sizeof(*s));

    for (uint32_t m = 0; m < w->n_models; m++)
        w->models[m].ready = w->models[m].total = 0;
    for (uint32_t i = 0; i < w->n_replicas; i++) {
        w->replicas[i].uid = w->uids[i];
        w->models[w->replicas[i].model].total++;
        w->models[w->replicas[i].model].ready += w->replicas[i].phase == REPLICA_READY;
    }
    *s = (struct snapshot){
        .version = ++w->version,
        .now_ms = w->step * 1000,
        .wall_ms = w->step * 1000,
        .step_ms = 1000,
        .warming_up = w->warming_up,
        .paused = w->paused,
        .nodes = w->nodes,
        .models = w->models,
        .replicas = w->replicas,
        .pools = &w->pool,
        .policies = &w->policy,
        .observations = w->observations,
        .n_nodes = w->n_nodes,
        .n_models = w->n_models,
        .n_replicas = w->n_replicas,
        .n_pools = 1,
        .n_policies = 1,
        .n_observations = w->n_observations,
        .references = 1,
    };
    return s;
}

static inline struct plan *world_plan(struct world *w, struct brain *b)
{
    struct snapshot *s = world_snapshot(w);
    struct plan *p = NULL;
    struct err e = ERR_INIT;

    if (brain_plan(b, s, 1000000000, &p, &e) < 0)
        fprintf(stderr, "brain_plan: %s\n", e.text);
    brain_study(b);
    snapshot_unref(s);
    return p;
}

/* Observes the demands and plans `steps` times, carrying nothing out: history. */
static inline void world_watch(struct world *w, struct brain *b, int steps)
{
    for (int k = 0; k < steps; k++) {
        struct plan *p;

        w->n_observations = w->n_models;
        for (uint32_t m = 0; m < w->n_models; m++)
            w->observations[m] = (struct observation){ m, w->step, w->models[m].demand };
        w->step++;
        p = world_plan(w, b);
        plan_free(p);
    }
    w->n_observations = 0;
}

#endif
