/* See planned.h. */
#include "controller/simulate/planned.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/placement/brain.h"
#include "controller/placement/packing.h"
#include "controller/placement/policy.h"
#include "controller/simulate/clairvoyant.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define SEARCH_STEPS 1000000000u
#define REPLICAS_MOST 100000
#define NAME 16
#define CYCLES_PER_DAY 6 /* as a PowerPool's default */
#define HOURS 24
#define HOUR_S 3600.0
#define SLOW_S 15.0      /* a wait that misses the SLO: what is counted as late */
#define SLOW_INTERVALS 2 /* in a row, as the controller wants it */

struct planned {
    struct brain *brain;
    struct power_policy policy;
    struct power_pool pool;
    struct snap_pool snap_pool;
    struct snap_policy snap_policy;
    struct served_model *specs;
    struct snap_gpu *devices;
    struct snap_node *nodes;
    struct snap_model *models;
    struct observation *observations;
    char (*names)[NAME];
    struct snap_replica *replicas; /* of the snapshot in hand */
    size_t n_replicas, cap_replicas;
    uint32_t *number, *index; /* replica of the rack by index of the snapshot, and back */
    size_t cap_number;
    uint64_t *mask; /* devices, by number */
    char (*uids)[NAME];
    uint32_t *slow;           /* by model: intervals in a row with too long a wait */
    uint16_t (*slept)[HOURS]; /* sleeps by node and hour of the last day */
    int64_t hour;
    uint64_t version;
};

/* --- what does not change -----------------------------------------------------------------------
 */

static struct node_curve curve_of(const struct rack_hardware *hw)
{
    struct node_curve c = { .standby_w = hw->asleep_w,
                            .boot_s = (hw->boot_lo_s + hw->boot_hi_s) / 2,
                            .boot_p99_s = hw->boot_hi_s,
                            .provenance = PROVENANCE_MEASURED };

    for (uint32_t i = 0; i < CURVE_POINTS; i++)
        c.watts[i] = hw->watts[i];
    c.cycle_j = clairvoyant_break_even_s(hw) * (hw->watts[0] - hw->asleep_w);
    return c;
}

static void describe_nodes(struct planned *p, const struct rack_hardware *hw)
{
    p->names = xcalloc(hw->nodes, sizeof(*p->names));
    p->nodes = xcalloc(hw->nodes, sizeof(*p->nodes));
    p->devices = xcalloc(hw->slots, sizeof(*p->devices));
    p->slept = xcalloc(hw->nodes, sizeof(*p->slept));
    for (uint32_t g = 0; g < hw->slots; g++)
        p->devices[g] = (struct snap_gpu){ "slot", 1 };
    for (uint32_t n = 0; n < hw->nodes; n++) {
        (void)snprintf(p->names[n], NAME, "n%05u", n);
        p->nodes[n] = (struct snap_node){ .name = p->names[n],
                                          .address = "",
                                          .state_reason = "",
                                          .why_not_asleep = "",
                                          .wake_proven = true, /* asked is what comes after */
                                          .gpus = p->devices,
                                          .n_gpus = hw->slots,
                                          .curve = curve_of(hw),
                                          .watts = NAN,
                                          .utilization = NAN };
    }
}

static void describe_models(struct planned *p, const struct rack_hardware *hw,
                            const struct rack_load *load)
{
    double load_s = clairvoyant_load_p99_s(hw);

    p->specs = xcalloc(load->n_models, sizeof(*p->specs));
    p->models = xcalloc(load->n_models, sizeof(*p->models));
    p->slow = xcalloc(load->n_models, sizeof(*p->slow));
    p->observations = xcalloc(load->n_models, sizeof(*p->observations));
    for (uint32_t m = 0; m < load->n_models; m++) {
        uint32_t slots = load->model[m].slots;

        p->specs[m] = (struct served_model){
            .replicas = { load->model[m].least, REPLICAS_MOST },
            .resources = { .gpu_milli = 1000 * (int64_t)slots, .gpu_memory_bytes = 0 },
            .placement = { .max_per_node = -1, .min_nodes = 1 },
            .disruption = { .surge = 1, .min_available = 1 },
        };
        p->models[m] = (struct snap_model){ .name = load->model[m].name,
                                            .spec = &p->specs[m],
                                            .demand = NAN,
                                            .capacity = load->model[m].capacity,
                                            .latency_ms = NAN,
                                            .error_share = NAN,
                                            .load_p99_ms = (int64_t)(1000 * load_s *
                                                                     load->model[m].load_weight) };
    }
}

struct planned *planned_new(const struct rack_hardware *hw, const struct rack_load *load,
                            const struct power_policy *policy, const struct power_pool *pool)
{
    struct planned *p = xcalloc(1, sizeof(*p));

    p->brain = brain_new(1);
    p->policy = policy ? *policy : *policy_of_pool(&(struct snapshot){ 0 }, NO_INDEX);
    p->policy.strategy = STRATEGY_PREDICTIVE;
    p->pool = pool ? *pool
                   : (struct power_pool){ .min_awake = 1,
                                          .spare = 1,
                                          .cycles_per_day = CYCLES_PER_DAY,
                                          .max_awake = -1 };
    p->snap_policy = (struct snap_policy){ "default", &p->policy, true };
    p->snap_pool = (struct snap_pool){ "pool", &p->pool, 0, (int64_t)(1000 * hw->boot_hi_s) };
    describe_nodes(p, hw);
    describe_models(p, hw, load);
    return p;
}

void planned_free(struct planned *p)
{
    if (!p)
        return;
    brain_free(p->brain);
    free(p->specs);
    free(p->devices);
    free(p->nodes);
    free(p->models);
    free(p->observations);
    free(p->names);
    free(p->replicas);
    free(p->number);
    free(p->index);
    free(p->mask);
    free(p->uids);
    free(p->slept);
    free(p->slow);
    free(p);
}

/* --- the snapshot -------------------------------------------------------------------------------
 */

static enum node_state state_of(const struct rack_node *n)
{
    switch (n->power) {
    case RACK_OFF:
        return NODE_ASLEEP;
    case RACK_BOOTING:
        return NODE_WAKING;
    case RACK_STOPPING:
        return NODE_SLEEPING;
    case RACK_READY:
        break;
    }
    return n->evacuating ? NODE_DRAINING : NODE_AWAKE;
}

/* Hours that are a day old are forgotten. */
static void turn_hour(struct planned *p, const struct rack *r)
{
    int64_t hour = (int64_t)((double)r->step * r->load->step_s / HOUR_S);

    for (; p->hour < hour; p->hour++)
        for (uint32_t n = 0; n < r->hw->nodes; n++)
            p->slept[n][(p->hour + 1) % HOURS] = 0;
}

static int64_t slept_lately(const struct planned *p, uint32_t node)
{
    int64_t sum = 0;

    for (uint32_t h = 0; h < HOURS; h++)
        sum += p->slept[node][h];
    return sum;
}

static void see_nodes(struct planned *p, const struct rack *r)
{
    for (uint32_t n = 0; n < r->hw->nodes; n++) {
        struct snap_node *s = &p->nodes[n];

        s->pool = 0;
        s->state = state_of(&r->node[n]);
        s->schedulable = s->state == NODE_AWAKE;
        s->cycles_today = slept_lately(p, n);
        s->sleepable = s->state == NODE_AWAKE &&
                       (p->pool.cycles_per_day < 0 || s->cycles_today < p->pool.cycles_per_day);
        s->wakeable = rack_can_wake(r, n);
    }
}

static void make_room(struct planned *p, size_t numbers)
{
    size_t was = p->cap_number;

    if (numbers <= was)
        return;
    p->cap_number = 2 * numbers;
    p->number = xrealloc(p->number, p->cap_number * sizeof(*p->number));
    p->index = xrealloc(p->index, p->cap_number * sizeof(*p->index));
    p->mask = xrealloc(p->mask, p->cap_number * sizeof(*p->mask));
    p->uids = xrealloc(p->uids, p->cap_number * sizeof(*p->uids));
    for (size_t i = was; i < p->cap_number; i++) {
        p->mask[i] = 0;
        (void)snprintf(p->uids[i], NAME, "r%07u", (uint32_t)i);
    }
}

/* The devices that the replicas of a node hold. */
static uint64_t taken(const struct planned *p, const struct rack *r, uint32_t node, uint32_t but)
{
    uint64_t mask = 0;

    for (uint32_t i = 0; i < r->n_replica; i++)
        if (i != but && r->replica[i].phase != RACK_NONE && r->replica[i].node == node)
            mask |= p->mask[i];
    return mask;
}

/* Those that were there at the start take the first free devices. */
static void seat_first(struct planned *p, const struct rack *r, uint32_t i)
{
    uint64_t busy = taken(p, r, r->replica[i].node, i);
    uint32_t left = r->load->model[r->replica[i].model].slots;

    for (uint32_t g = 0; g < r->hw->slots && left > 0; g++)
        if (!(busy >> g & 1)) {
            p->mask[i] |= (uint64_t)1 << g;
            left--;
        }
}

static void see_replicas(struct planned *p, const struct rack *r)
{
    make_room(p, r->n_replica);
    p->n_replicas = 0;
    for (uint32_t m = 0; m < r->load->n_models; m++)
        p->models[m].ready = p->models[m].total = p->models[m].doubled = 0;
    for (uint32_t i = 0; i < r->n_replica; i++) {
        const struct rack_replica *x = &r->replica[i];
        struct snap_replica *s;

        p->index[i] = NO_INDEX;
        if (x->phase == RACK_NONE) {
            p->mask[i] = 0;
            continue;
        }
        if (p->mask[i] == 0)
            seat_first(p, r, i);
        p->index[i] = (uint32_t)p->n_replicas;
        p->number[p->n_replicas] = i;
        s = ARRAY_ADD(p, replicas);
        *s = (struct snap_replica){ .uid = p->uids[i],
                                    .model = x->model,
                                    .node = x->node,
                                    .phase = x->phase == RACK_LOADING   ? REPLICA_STARTING
                                             : x->phase == RACK_SERVING ? REPLICA_READY
                                                                        : REPLICA_DRAINING,
                                    .leaving = x->phase == RACK_DRAINING,
                                    .gpu_mask = p->mask[i],
                                    .load = NAN,
                                    .in_flight = NAN,
                                    .reason = "" };
        p->models[x->model].total++;
        p->models[x->model].ready += x->phase == RACK_SERVING;
    }
    for (uint32_t k = 0; k < p->n_replicas; k++) {
        uint32_t old = r->replica[p->number[k]].replaces;

        if (old != RACK_NO)
            p->replicas[k].follows = p->index[old] + 1;
    }
}

/* What the demand of the interval that just ended was, as a front door would tell. */
static void see_demand(struct planned *p, const struct rack *r, int64_t steps)
{
    int64_t interval = r->step / steps;

    for (uint32_t m = 0; m < r->load->n_models; m++) {
        double x = rack_mean(r->load, m, r->step - steps, r->step);

        if (!rack_told(r->load, r->step - 1))
            x = NAN;
        p->models[m].demand = x;
        p->observations[m] = (struct observation){ m, interval - 1, x };
    }
}

/* How long the newest request waits; two intervals above the SLO break it (G7). */
static void see_latency(struct planned *p, const struct rack *r)
{
    for (uint32_t m = 0; m < r->load->n_models; m++) {
        double can = r->serving[m] * r->load->model[m].capacity;
        double wait_s = can > 0 ? r->backlog[m] / can : 0;

        p->slow[m] = wait_s > SLOW_S ? p->slow[m] + 1 : 0;
        p->models[m].latency_ms = 1000 * wait_s;
        p->models[m].slo_broken = p->slow[m] >= SLOW_INTERVALS;
    }
}

static struct snapshot *see(struct planned *p, const struct rack *r, int64_t steps)
{
    struct snapshot *s = xcalloc(1, sizeof(*s));

    see_nodes(p, r);
    see_replicas(p, r);
    see_demand(p, r, steps);
    see_latency(p, r);
    *s = (struct snapshot){
        .version = ++p->version,
        .now_ms = (int64_t)(1000 * r->load->step_s * (double)r->step),
        .wall_ms = (int64_t)(1000 * r->load->step_s * (double)r->step),
        .step_ms = (int64_t)(1000 * r->load->step_s * (double)steps),
        .nodes = p->nodes,
        .models = p->models,
        .replicas = p->replicas,
        .pools = &p->snap_pool,
        .policies = &p->snap_policy,
        .observations = p->observations,
        .n_nodes = r->hw->nodes,
        .n_models = r->load->n_models,
        .n_replicas = (uint32_t)p->n_replicas,
        .n_pools = 1,
        .n_policies = 1,
        .n_observations = r->step > 0 ? r->load->n_models : 0,
        .references = 1,
    };
    return s;
}

/* --- carrying out -------------------------------------------------------------------------------
 */

static void steer_nodes(struct rack *r, const struct plan *plan)
{
    for (uint32_t n = 0; n < r->hw->nodes; n++) {
        if (plan->nodes[n].verdict == PLAN_WAKE && r->node[n].power == RACK_OFF)
            rack_wake(r, n);
        else if (plan->nodes[n].verdict == PLAN_WAKE)
            r->node[n].evacuating = false;
        else if (plan->nodes[n].verdict == PLAN_SLEEP && r->node[n].power == RACK_READY)
            r->node[n].evacuating = true;
    }
}

static void start_missing(struct planned *p, struct rack *r, const struct plan *plan)
{
    for (size_t k = 0; k < plan->n_placements; k++) {
        const struct plan_placement *pp = &plan->placements[k];
        uint32_t old = pp->replaces == NO_INDEX ? RACK_NO : p->number[pp->replaces], i;

        if (pp->replica != NO_INDEX || r->node[pp->node].power != RACK_READY ||
            r->node[pp->node].free < r->load->model[pp->model].slots ||
            (old != RACK_NO && (r->replica[old].replaced || r->replica[old].phase != RACK_SERVING)))
            continue;
        i = rack_start(r, pp->model, pp->node, old);
        make_room(p, r->n_replica);
        p->mask[i] = 0; /* what the node has free: other starts may have been put off */
        seat_first(p, r, i);
    }
}

/* Named nowhere, and nothing is on its way for it: surplus. */
static void drain_surplus(const struct planned *p, struct rack *r, const struct plan *plan)
{
    AUTO(mem) bool *named = xcalloc(p->n_replicas + 1, sizeof(*named));

    for (size_t k = 0; k < plan->n_placements; k++) {
        if (plan->placements[k].replica != NO_INDEX)
            named[plan->placements[k].replica] = true;
        if (plan->placements[k].replaces != NO_INDEX)
            named[plan->placements[k].replaces] = true;
    }
    for (uint32_t k = 0; k < p->n_replicas; k++)
        if (!named[k] && packing_counts(&p->replicas[k]) &&
            (r->replica[p->number[k]].phase == RACK_LOADING ||
             r->serving[p->replicas[k].model] > plan->models[p->replicas[k].model].floor))
            rack_drain(r, p->number[k]);
}

static void shut_empty(struct planned *p, struct rack *r)
{
    for (uint32_t n = 0; n < r->hw->nodes; n++)
        if (r->node[n].power == RACK_READY && r->node[n].evacuating && r->node[n].n_held == 0) {
            rack_shut(r, n);
            p->slept[n][p->hour % HOURS]++;
        }
}

void planned_act(void *policy, struct rack *r)
{
    struct planned *p = policy;
    int64_t steps = (int64_t)fmax(1, (double)p->policy.interval_ms / 1000 / r->load->step_s);
    AUTO(snapshot) struct snapshot *s = NULL;
    AUTO(plan) struct plan *plan = NULL;
    struct err e = ERR_INIT;

    turn_hour(p, r);
    shut_empty(p, r);
    if (r->step % steps != 0)
        return;
    s = see(p, r, steps);
    if (brain_plan(p->brain, s, SEARCH_STEPS, &plan, &e) < 0)
        return; /* only for a snapshot that contradicts itself */
    brain_study(p->brain);
    steer_nodes(r, plan);
    start_missing(p, r, plan);
    drain_surplus(p, r, plan);
}
