/* See scale_world.h. */
#include "tests/bench/scale_world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/room.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define GB (INT64_C(1) << 30)
#define STEP_MS 60000
#define REPLICA_RPS 10.0
#define REPLICAS_A_MODEL 200u /* mean */
#define TRIES 8               /* nodes that the first scheduler compares */

static const struct snap_gpu four[] = {
    { "a10", 24 * GB }, { "a10", 24 * GB }, { "a10", 24 * GB }, { "a10", 24 * GB }
};
static const struct snap_gpu eight[] = { { "h100", 80 * GB }, { "h100", 80 * GB },
                                         { "h100", 80 * GB }, { "h100", 80 * GB },
                                         { "h100", 80 * GB }, { "h100", 80 * GB },
                                         { "h100", 80 * GB }, { "h100", 80 * GB } };

static const struct node_class {
    const char *name;
    int64_t cpu_milli, memory_bytes;
    const struct snap_gpu *gpus;
    uint32_t n_gpus;
    double idle_w, full_w, boot_s, cycle_j;
} classes[SCALE_CLASSES] = {
    { "small", 16000, 64 * GB, NULL, 0, 60, 160, 90, 9000 },
    { "large", 64000, 256 * GB, NULL, 0, 150, 520, 150, 30000 },
    { "four-gpu", 64000, 512 * GB, four, ARRAY_LEN(four), 350, 1400, 240, 100000 },
    { "eight-gpu", 128000, 1024 * GB, eight, ARRAY_LEN(eight), 900, 6500, 300, 300000 },
};

static struct string_pair zone_a = { (char *)"zone", (char *)"a" },
                          zone_b = { (char *)"zone", (char *)"b" },
                          zone_c = { (char *)"zone", (char *)"c" };
static const struct string_map zones[] = { { &zone_a, 1 }, { &zone_b, 1 }, { &zone_c, 1 } };

/* --- nodes --------------------------------------------------------------------------------------
 */

static void init_nodes(struct scale_world *w, bool awake)
{
    for (uint32_t i = 0; i < w->n_nodes; i++) {
        static const uint32_t class_of[10] = { 0, 1, 2, 0, 1, 0, 3, 1, 2, 0 };
        uint32_t k = class_of[i % 10];
        const struct node_class *c = &classes[k];

        (void)snprintf(w->names[i], sizeof(w->names[i]), "n%06u", i);
        w->nodes[i] = (struct snap_node){ .name = w->names[i],
                                          .pool = k,
                                          .state = awake ? NODE_AWAKE : NODE_ASLEEP,
                                          .schedulable = awake,
                                          .sleepable = awake,
                                          .wakeable = !awake,
                                          .why_not_asleep = "",
                                          .wake_proven = true,
                                          .cpu_milli = c->cpu_milli,
                                          .memory_bytes = c->memory_bytes,
                                          .gpus = c->gpus,
                                          .n_gpus = c->n_gpus,
                                          .curve = node_curve_linear(c->idle_w, c->full_w),
                                          .watts = NAN,
                                          .utilization = NAN,
                                          .labels = &zones[random_below(&w->random, 3)] };
        w->nodes[i].curve.standby_w = 5;
        w->nodes[i].curve.cycle_j = c->cycle_j;
        w->nodes[i].curve.boot_s = w->nodes[i].curve.boot_p99_s = c->boot_s;
        if (c->n_gpus == 0)
            w->without_devices[i / 64] |= UINT64_C(1) << (i % 64);
    }
}

static void init_pools(struct scale_world *w)
{
    w->policy_spec = (struct power_policy){
        .strategy = STRATEGY_PREDICTIVE,
        .interval_ms = STEP_MS,
        .horizon_ms = 3600000,
        .quantile = 0.95,
        .pool_quantile = 0.99,
        .confidence = 0.9,
        .budget = { .moves = -1, .sleeps = -1, .wakes = -1, .move_joules = 200 },
    };
    w->policy =
        (struct snap_policy){ .name = "policy", .spec = &w->policy_spec, .window_open = true };
    for (uint32_t k = 0; k < SCALE_CLASSES; k++) {
        w->pool_specs[k] = (struct power_pool){
            .min_awake = 1, .max_awake = -1, .spare = 1, .cycles_per_day = -1
        };
        w->pools[k] = (struct snap_pool){ classes[k].name, &w->pool_specs[k], 0,
                                          (int64_t)(1000 * classes[k].boot_s) };
    }
}

/* --- models -------------------------------------------------------------------------------------
 */

static int64_t one_of(struct scale_world *w, const int64_t *list, size_t n)
{
    return list[random_below(&w->random, n)];
}

static void ask_for_devices(struct scale_world *w, struct served_model *spec)
{
    static const int64_t shares[] = { 100, 200, 250, 330, 500 }, several[] = { 2000, 2000, 4000 };
    uint64_t kind = random_below(&w->random, 100);

    spec->resources.cpu_milli = 1000 * (int64_t)(1 + random_below(&w->random, 3));
    spec->resources.memory_bytes = 8 * GB;
    if (kind < 85) {
        spec->resources.gpu_milli = one_of(w, shares, ARRAY_LEN(shares));
        return;
    }
    spec->resources.gpu_milli = kind < 97 ? 1000 : one_of(w, several, ARRAY_LEN(several));
    spec->resources.cpu_milli = 8 * spec->resources.gpu_milli;
    spec->resources.memory_bytes = 64 * GB * (spec->resources.gpu_milli / 1000);
}

static void ask_for_cpu(struct scale_world *w, struct served_model *spec)
{
    static const int64_t milli[] = { 500, 1000, 1000, 2000, 2000, 4000 };

    spec->resources.cpu_milli = one_of(w, milli, ARRAY_LEN(milli));
    spec->resources.memory_bytes =
        spec->resources.cpu_milli * (2 + 2 * (int64_t)random_below(&w->random, 3)) * GB / 1000;
}

static void init_spec(struct scale_world *w, struct served_model *spec)
{
    uint64_t manner = random_below(&w->random, 100);

    *spec = (struct served_model){
        .replicas = { 1, 20000 },
        .resources = { .gpu_memory_bytes = -1 },
        .placement = { .spread = (char *)"", .max_per_node = -1, .min_nodes = 1 },
        .disruption = { .surge = 1, .min_available = 1 }
    };
    if (random_below(&w->random, 5) == 0)
        ask_for_devices(w, spec);
    else
        ask_for_cpu(w, spec);
    if (manner < 10)
        spec->placement.spread = (char *)"zone";
    else if (manner < 15)
        spec->placement.max_per_node = 4;
    else if (manner < 25)
        spec->placement.min_nodes = 2;
}

static void init_models(struct scale_world *w, uint32_t replicas)
{
    char(*names)[16] = w->names + w->n_nodes;
    double sum = 0;

    for (uint32_t m = 0; m < w->n_models; m++)
        sum += pow(m + 3, -0.9);
    for (uint32_t m = 0; m < w->n_models; m++) {
        double wanted = fmax(1, floor(replicas * pow(m + 3, -0.9) / sum));

        (void)snprintf(names[m], sizeof(names[m]), "m%06u", m);
        init_spec(w, &w->specs[m]);
        w->models[m] = (struct snap_model){ .name = names[m],
                                            .spec = &w->specs[m],
                                            .demand = 0.93 * REPLICA_RPS * wanted,
                                            .capacity = REPLICA_RPS,
                                            .latency_ms = NAN,
                                            .error_share = NAN,
                                            .load_p99_ms = 30000,
                                            .total = (uint32_t)wanted };
        if (w->specs[m].resources.gpu_milli == 0 && random_below(&w->random, 5) == 0)
            w->models[m].eligible = w->without_devices;
    }
}

/* --- where replicas stand -----------------------------------------------------------------------
 */

static void run_replica(struct scale_world *w, uint32_t model, uint32_t node, uint64_t mask)
{
    struct snap_replica *r = &w->replicas[w->n_replicas];

    if (w->n_replicas == w->cap_replicas) {
        (void)fputs("scale: more replicas than were asked for\n", stderr);
        exit(1);
    }
    (void)snprintf(w->uids[w->n_replicas], sizeof(w->uids[0]), "r%09u", w->next_uid++);
    *r = (struct snap_replica){ .model = model,
                                .node = node,
                                .phase = REPLICA_READY,
                                .gpu_mask = mask,
                                .load = NAN,
                                .in_flight = NAN,
                                .reason = "" };
    w->n_replicas++;
}

/* The least loaded of a few nodes with room, or NO_INDEX. */
static uint32_t schedule(struct scale_world *w, const struct room *rooms, uint32_t model,
                         uint64_t *ret_mask)
{
    uint32_t best = NO_INDEX;
    double most = 0;

    for (int found = 0, i = 0; found < TRIES && i < 64 * TRIES; i++) {
        uint32_t n = (uint32_t)random_below(&w->random, w->n_nodes);
        double left = (double)rooms[n].cpu_milli / (double)w->nodes[n].cpu_milli;
        uint64_t mask;

        if (!snapshot_eligible(&w->models[model], n) ||
            !room_fits(&rooms[n], &w->nodes[n], &w->specs[model], &mask) ||
            (w->specs[model].resources.gpu_milli == 0 && w->nodes[n].n_gpus > 0))
            continue;
        found++;
        if (left <= most)
            continue;
        most = left;
        best = n;
        *ret_mask = mask;
    }
    return best;
}

static void spread_out(struct scale_world *w)
{
    AUTO(mem) struct room *rooms = xcalloc(w->n_nodes + 1, sizeof(*rooms));
    AUTO(mem) struct room_gpu *gpus = xcalloc(8 * (size_t)w->n_nodes + 1, sizeof(*gpus));

    for (uint32_t n = 0; n < w->n_nodes; n++)
        room_init(&rooms[n], &w->nodes[n], gpus + 8 * (size_t)n);
    for (uint32_t m = 0; m < w->n_models; m++)
        for (uint32_t k = 0; k < w->models[m].total; k++) {
            uint64_t mask = 0;
            uint32_t n = schedule(w, rooms, m, &mask);

            if (n == NO_INDEX)
                continue;
            room_take(&rooms[n], &w->nodes[n], &w->specs[m], mask);
            run_replica(w, m, n, mask);
        }
}

/* ------------------------------------------------------------------------------------------------
 */

void scale_world_init(struct scale_world *w, uint32_t nodes, uint32_t replicas, bool spread,
                      uint64_t seed)
{
    uint32_t models = replicas / REPLICAS_A_MODEL < 10 ? 10 : replicas / REPLICAS_A_MODEL;

    *w = (struct scale_world){ .n_nodes = nodes,
                               .n_models = models,
                               .cap_replicas = 2 * replicas + 1000,
                               .random = random_stream(seed, nodes, replicas, 0) };
    w->nodes = xcalloc(nodes + 1, sizeof(*w->nodes));
    w->models = xcalloc(models + 1, sizeof(*w->models));
    w->specs = xcalloc(models + 1, sizeof(*w->specs));
    w->without_devices = xcalloc(nodes / 64 + 1, sizeof(*w->without_devices));
    w->observations = xcalloc(models + 1, sizeof(*w->observations));
    w->names = xcalloc((size_t)nodes + models + 1, sizeof(*w->names));
    w->replicas = xcalloc(w->cap_replicas, sizeof(*w->replicas));
    w->uids = xcalloc(w->cap_replicas, sizeof(*w->uids));
    init_nodes(w, spread);
    init_pools(w);
    init_models(w, replicas);
    if (spread)
        spread_out(w);
}

void scale_world_done(struct scale_world *w)
{
    free(w->nodes);
    free(w->models);
    free(w->specs);
    free(w->without_devices);
    free(w->observations);
    free(w->names);
    free(w->replicas);
    free(w->uids);
}

/* Demand breathes a little, so that there is something to forecast. */
static void observe(struct scale_world *w)
{
    for (uint32_t m = 0; m < w->n_models; m++) {
        double breath = 1 + 0.02 * (2 * random_unit(&w->random) - 1);

        w->observations[m] = (struct observation){ m, w->step, w->models[m].demand * breath };
    }
    w->step++;
}

static void count_replicas(struct scale_world *w)
{
    for (uint32_t m = 0; m < w->n_models; m++)
        w->models[m].ready = w->models[m].total = 0;
    for (uint32_t i = 0; i < w->n_replicas; i++) {
        w->replicas[i].uid = w->uids[i];
        w->models[w->replicas[i].model].total++;
        w->models[w->replicas[i].model].ready++;
    }
}

struct snapshot *scale_world_snapshot(struct scale_world *w, bool nodes)
{
    struct snapshot *s = xcalloc(1, sizeof(*s));

    observe(w);
    count_replicas(w);
    *s = (struct snapshot){
        .version = ++w->version,
        .now_ms = w->step * STEP_MS,
        .wall_ms = w->step * STEP_MS,
        .step_ms = STEP_MS,
        .nodes = w->nodes,
        .models = w->models,
        .replicas = w->replicas,
        .pools = w->pools,
        .policies = &w->policy,
        .observations = w->observations,
        .n_nodes = nodes ? w->n_nodes : 0,
        .n_models = w->n_models,
        .n_replicas = nodes ? w->n_replicas : 0,
        .n_pools = SCALE_CLASSES,
        .n_policies = 1,
        .n_observations = w->n_models,
        .references = 1,
    };
    return s;
}

void scale_world_carry_out(struct scale_world *w, const struct plan *p)
{
    AUTO(mem) bool *stays = xcalloc(w->n_replicas + 1, sizeof(*stays));
    uint32_t kept = 0;

    for (size_t i = 0; i < p->n_placements; i++)
        if (p->placements[i].replica != NO_INDEX)
            stays[p->placements[i].replica] = true;
    for (uint32_t i = 0; i < w->n_replicas; i++) {
        if (!stays[i])
            continue;
        w->replicas[kept] = w->replicas[i];
        memmove(w->uids[kept++], w->uids[i], sizeof(w->uids[0]));
    }
    w->n_replicas = kept;
    for (size_t i = 0; i < p->n_placements; i++) {
        const struct plan_placement *pp = &p->placements[i];

        if (pp->replica == NO_INDEX)
            run_replica(w, pp->model, pp->node, pp->gpu_mask);
    }
    for (uint32_t n = 0; n < w->n_nodes; n++) {
        struct snap_node *node = &w->nodes[n];
        bool awake = node->state == NODE_AWAKE ? p->nodes[n].verdict != PLAN_SLEEP
                                               : p->nodes[n].verdict == PLAN_WAKE;

        if (node->state == NODE_UNREACHABLE)
            continue;
        node->state = awake ? NODE_AWAKE : NODE_ASLEEP;
        node->schedulable = node->sleepable = awake;
        node->wakeable = !awake;
    }
}

/* --- change -------------------------------------------------------------------------------------
 */

static void fail_nodes(struct scale_world *w)
{
    uint32_t awake = 0, fail, kept = 0;

    for (uint32_t n = 0; n < w->n_nodes; n++) {
        if (w->nodes[n].state == NODE_UNREACHABLE) {
            w->nodes[n].state = NODE_AWAKE;
            w->nodes[n].schedulable = w->nodes[n].sleepable = true;
        }
        awake += w->nodes[n].state == NODE_AWAKE;
    }
    fail = (awake + 99) / 100;
    while (fail > 0) {
        struct snap_node *n = &w->nodes[random_below(&w->random, w->n_nodes)];

        if (n->state != NODE_AWAKE)
            continue;
        n->state = NODE_UNREACHABLE;
        n->schedulable = n->sleepable = false;
        fail--;
    }
    for (uint32_t i = 0; i < w->n_replicas; i++) {
        if (w->nodes[w->replicas[i].node].state == NODE_UNREACHABLE)
            continue;
        w->replicas[kept] = w->replicas[i];
        memmove(w->uids[kept++], w->uids[i], sizeof(w->uids[0]));
    }
    w->n_replicas = kept;
}

static void shift_demand(struct scale_world *w, double by)
{
    int64_t left = (w->n_replicas + 99) / 100;

    for (int tries = 0; left > 0 && tries < 1000; tries++) {
        struct snap_model *m = &w->models[random_below(&w->random, w->n_models)];

        if (m->total == 0 || m->total > 2 * left)
            continue;
        m->demand *= by;
        left -= m->total;
    }
}

void scale_world_change(struct scale_world *w)
{
    count_replicas(w);
    shift_demand(w, 1.5);
    shift_demand(w, 0.67);
    fail_nodes(w);
}
