/* What a controller knows of the virtual cluster, as its snapshot: see planned.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/simulate/clairvoyant.h"
#include "controller/simulate/planned_private.h"
#include "controller/simulate/variate.h"
#include "proto/base/array.h"

#define REPLICAS_MOST 100000
#define SLOT_MILLI INT64_C(1000)
#define HOUR_S 3600.0
#define STREAM_METERS 4
#define METERS 16u /* every so manyth is read at a time */

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
    p->busy = xcalloc(hw->nodes, sizeof(*p->busy));
    for (uint32_t g = 0; g < hw->slots; g++)
        p->devices[g] = (struct snap_gpu){ "slot", 1 };
    for (uint32_t n = 0; n < hw->nodes; n++) {
        (void)snprintf(p->names[n], NAME, "n%05u", n);
        p->nodes[n] = (struct snap_node){ .name = p->names[n],
                                          .address = "",
                                          .why_not_asleep = "",
                                          .wake_proven = true, /* asked is what comes after */
                                          .cpu_milli = p->plain ? SLOT_MILLI * hw->slots : 0,
                                          .gpus = p->devices,
                                          .n_gpus = p->plain ? 0 : hw->slots,
                                          .curve = curve_of(hw),
                                          .watts = NAN,
                                          .utilization = NAN };
    }
}

/* Whole devices, or CPUs. */
static void ask_for(struct served_model *spec, bool plain, uint32_t slots)
{
    spec->resources.cpu_milli = plain ? SLOT_MILLI * slots : 0;
    spec->resources.gpu_milli = plain ? 0 : SLOT_MILLI * slots;
    spec->resources.memory_bytes = spec->resources.gpu_memory_bytes = 0;
    spec->resources.gpu_models = (struct string_list){ 0 };
}

static struct served_model usual_spec(uint32_t least)
{
    return (struct served_model){
        .replicas = { least, REPLICAS_MOST },
        .placement = { .max_per_node = -1, .min_nodes = 1 },
        .disruption = { .surge = 1, .min_available = 1 },
    };
}

/* As declared, but that all nodes are alike and a replica takes slots of them. */
static struct served_model spec_of(const struct served_model *declared)
{
    struct served_model spec = *declared;

    spec.placement.node_selector = (struct string_map){ 0 };
    spec.placement.spread = NULL;
    return spec;
}

static void describe_models(struct planned *p, const struct rack_hardware *hw,
                            const struct rack_load *load)
{
    double load_s = clairvoyant_load_p99_s(hw);

    p->specs = xcalloc(load->n_models, sizeof(*p->specs));
    p->models = xcalloc(load->n_models, sizeof(*p->models));
    p->slow = xcalloc(load->n_models, sizeof(*p->slow));
    p->use = xcalloc(load->n_models, sizeof(*p->use));
    for (uint32_t m = 0; m < load->n_models; m++)
        p->slow[m] = -1;
    p->observations = xcalloc(load->n_models, sizeof(*p->observations));
    for (uint32_t m = 0; m < load->n_models; m++) {
        p->specs[m] =
            load->model[m].spec ? spec_of(load->model[m].spec) : usual_spec(load->model[m].least);
        ask_for(&p->specs[m], p->plain, load->model[m].slots);
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

void planned_describe(struct planned *p, const struct rack_hardware *hw,
                      const struct rack_load *load)
{
    describe_nodes(p, hw);
    describe_models(p, hw, load);
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

void planned_turn_hour(struct planned *p, const struct rack *r)
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
        if (p->life) {
            virtual_nodes_see(p->life, r, n, planned_wall_ms(p, r), s);
            continue;
        }
        s->state = state_of(&r->node[n]);
        s->schedulable = s->state == NODE_AWAKE;
        s->cycles_today = slept_lately(p, n);
        s->sleepable = s->state == NODE_AWAKE &&
                       (p->pool.cycles_per_day < 0 || s->cycles_today < p->pool.cycles_per_day);
        s->wakeable = rack_can_wake(r, n);
    }
}

/* A meter errs by its own share, always, and each reading by another one. Few nodes at a time, for
 * so long as the others were not read. */
static void read_meters(struct planned *p, const struct rack *r, int64_t steps)
{
    double noise = r->hw->meter_noise, seconds = METERS * (double)steps * r->load->step_s;

    for (uint32_t n = (uint32_t)(p->version % METERS); noise > 0 && n < r->hw->nodes; n += METERS) {
        struct random own = random_stream(p->seed, STREAM_METERS, n, 0);
        struct random now = random_stream(p->seed, STREAM_METERS, n, 1 + p->version);
        double error = 1 + noise * (variate_normal(&own) + variate_normal(&now));

        if (r->step > 0 && r->node[n].power == RACK_READY)
            node_curve_learn(&p->nodes[n].curve, r->busy_slots[n] / r->hw->slots,
                             rack_node_watts(r, n) * fmax(0, error), seconds, PROVENANCE_MEASURED);
    }
}

void planned_make_room(struct planned *p, size_t numbers)
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

int64_t planned_wall_ms(const struct planned *p, const struct rack *r)
{
    return (int64_t)(1000 * (p->start_s + r->load->step_s * (double)r->step));
}

void planned_seat(struct planned *p, const struct rack *r, uint32_t i)
{
    uint64_t *busy = &p->busy[r->replica[i].node];
    uint32_t left = p->plain ? 0 : r->load->model[r->replica[i].model].slots;

    for (uint32_t g = 0; g < r->hw->slots && left > 0; g++)
        if (!(*busy >> g & 1)) {
            p->mask[i] |= (uint64_t)1 << g;
            left--;
        }
    *busy |= p->mask[i];
}

/* Of those that are gone nothing is left. */
static void see_devices(struct planned *p, const struct rack *r)
{
    memset(p->busy, 0, r->hw->nodes * sizeof(*p->busy));
    for (uint32_t i = 0; i < r->n_replica; i++)
        if (r->replica[i].phase == RACK_NONE)
            p->mask[i] = 0;
        else
            p->busy[r->replica[i].node] |= p->mask[i];
}

/* CPU time of the last step, in nanoseconds: all replicas of a model are equally busy. What devices
 * are used, no agent tells. */
void planned_measure(struct planned *p, const struct rack *r)
{
    int64_t now_ms = rack_ms(r->load, r->step);

    for (uint32_t m = 0; p->plain && r->step > 0 && m < r->load->n_models; m++) {
        p->use[m].ns += 1e9 * r->load->step_s * r->load->model[m].slots * r->used[m];
        cpu_use_take(&p->use[m].lately, 1, now_ms, (uint64_t)p->use[m].ns);
    }
}

static void see_replicas(struct planned *p, const struct rack *r)
{
    planned_make_room(p, r->n_replica);
    if (p->cap_replicas < p->cap_number) {
        p->cap_replicas = p->cap_number;
        p->replicas = xrealloc(p->replicas, p->cap_replicas * sizeof(*p->replicas));
    }
    see_devices(p, r);
    p->n_replicas = 0;
    for (uint32_t m = 0; m < r->load->n_models; m++)
        p->models[m].ready = p->models[m].total = p->models[m].doubled = 0;
    for (uint32_t i = 0; i < r->n_replica; i++) {
        const struct rack_replica *x = &r->replica[i];
        const struct cpu_use *use = &p->use[x->model].lately;

        p->index[i] = NO_INDEX;
        if (x->phase == RACK_NONE)
            continue;
        if (p->mask[i] == 0)
            planned_seat(p, r, i);
        p->index[i] = (uint32_t)p->n_replicas;
        p->number[p->n_replicas] = i;
        p->replicas[p->n_replicas++] =
            (struct snap_replica){ .uid = p->uids[i],
                                   .model = x->model,
                                   .node = x->node,
                                   .phase = x->phase == RACK_LOADING   ? REPLICA_STARTING
                                            : x->phase == RACK_SERVING ? REPLICA_READY
                                                                       : REPLICA_DRAINING,
                                   .leaving = x->phase == RACK_DRAINING,
                                   .spec = NULL,
                                   .follows = 0,
                                   .gpu_mask = p->mask[i],
                                   .since_ms = rack_ms(r->load, x->since),
                                   .cpu_use_known = cpu_use_known(use),
                                   .cpu_use_milli = use->mean_milli,
                                   .cpu_use_variance = use->variance,
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
    bool told = rack_told(r->load, r->step - 1);

    ahead_observe(r->load, r->step, steps, p->observations);
    for (uint32_t m = 0; m < r->load->n_models; m++) {
        p->models[m].demand = p->observations[m].value;
        p->models[m].fast = told ? rack_mean(r->load, m, r->step - 1, r->step) : NAN;
        p->models[m].queue = r->backlog[m];
    }
}

/* How long the newest request waits; an interval above the SLO breaks it (G7), as in the
 * controller.
 */
static void see_latency(struct planned *p, const struct rack *r, int64_t steps)
{
    for (uint32_t m = 0; m < r->load->n_models; m++) {
        double can = r->serving[m] * r->load->model[m].capacity;
        double wait_s = can > 0 ? r->backlog[m] / can : 0;

        if (wait_s <= RACK_LATE_S)
            p->slow[m] = -1;
        else if (p->slow[m] < 0)
            p->slow[m] = r->step;
        p->models[m].latency_ms = 1000 * wait_s;
        p->models[m].slo_broken = p->slow[m] >= 0 && r->step - p->slow[m] >= steps;
    }
}

struct snapshot planned_frame(const struct planned *p, const struct rack_hardware *hw,
                              const struct rack_load *load, int64_t steps)
{
    return (struct snapshot){
        .step_ms = rack_ms(load, steps),
        .nodes = p->nodes,
        .models = p->models,
        .pools = &p->snap_pool,
        .policies = &p->snap_policy,
        .observations = p->observations,
        .n_nodes = hw->nodes,
        .n_models = load->n_models,
        .n_pools = 1,
        .n_policies = 1,
        .references = 1,
    };
}

struct snapshot *planned_see(struct planned *p, const struct rack *r, int64_t steps)
{
    struct snapshot *s = xcalloc(1, sizeof(*s));

    see_nodes(p, r);
    if (r->step % steps == 0)
        read_meters(p, r, steps);
    see_replicas(p, r);
    see_demand(p, r, steps);
    see_latency(p, r, steps);
    *s = planned_frame(p, r->hw, r->load, steps);
    s->version = ++p->version;
    s->now_ms = rack_ms(r->load, r->step);
    s->wall_ms = planned_wall_ms(p, r);
    s->replicas = p->replicas;
    s->n_replicas = (uint32_t)p->n_replicas;
    s->n_observations = r->step > 0 && r->step % steps == 0 ? r->load->n_models : 0;
    return s;
}
