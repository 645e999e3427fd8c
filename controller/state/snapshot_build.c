/* From the mutable cluster to an immutable picture. Everything a snapshot shows is decided here and
 * nowhere else, so that the planner, the API and the simulation see the same. */
#include "controller/state/snapshot_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/state/snapshot_memory.h"
#include "controller/state/waiting.h"
#include "proto/base/array.h"

#define BOOT_UNKNOWN_MS 600000
#define LOAD_UNKNOWN_MS 60000
#define INTERVAL_DEFAULT_MS 5000
#define LATENCY_KEEPS_MS 60000

int64_t node_interval_ms(const struct node *n)
{
    return n->interval_ms > 0 ? n->interval_ms : INTERVAL_DEFAULT_MS;
}

bool node_eligible(const struct node *n, const struct served_model *spec)
{
    if (!string_map_selects(&spec->placement.node_selector, &n->inventory.labels))
        return false;
    if (spec->process.command.n > 0)
        return n->inventory.allow_commands;
    if (!spec->runtime[0])
        return true;
    for (size_t i = 0; i < n->inventory.runtimes.n; i++)
        if (strcmp(n->inventory.runtimes.item[i], spec->runtime) == 0)
            return true;
    return false;
}

int64_t node_boot_p99_ms(const struct node *n)
{
    int64_t declared = n->pool ? pool_spec(n->pool)->boot.time_ms : -1;
    double own_ms = n->curve.boot_p99_s * 1000;

    if (n->curve.wakes >= 3 && own_ms > 0)
        return (int64_t)own_ms;
    if (declared > 0)
        return (double)declared > own_ms ? declared : (int64_t)own_ms;
    return own_ms > BOOT_UNKNOWN_MS ? (int64_t)own_ms : BOOT_UNKNOWN_MS;
}

bool node_wake_proven(const struct node *n, int64_t wall_ms)
{
    if (n->record.wake_refuted)
        return false;
    return (n->pool && pool_spec(n->pool)->wake_proven) ||
           (n->record.wake_proven &&
            !wake_proof_void(&n->record.proof, &n->inventory.identity, wall_ms));
}

bool node_schedulable(const struct cluster *c, const struct node *n, int64_t now_ms)
{
    return n->record.state == NODE_AWAKE && !n->record.cordoned && n->inventory.known &&
           node_seen(c, n) && !n->twin.told && !n->kube.closed &&
           node_age_ms(c, n, now_ms) <= 4 * node_interval_ms(n);
}

int64_t model_load_ms(const struct model *m)
{
    if (model_spec(m)->startup_ms >= 0)
        return model_spec(m)->startup_ms;
    return m->load_p99_ms >= 0 ? m->load_p99_ms : LOAD_UNKNOWN_MS;
}

double model_capacity(const struct model *m)
{
    double declared = model_spec(m)->capacity.requests_per_second;

    return isnan(declared) ? m->learned_capacity : declared;
}

bool replica_counts(const struct replica *r)
{
    return !r->model->deleting && r->node->record.state != NODE_UNREACHABLE &&
           r->node->record.state != NODE_QUARANTINED;
}

bool model_renews(const struct model *m, int64_t wall_ms)
{
    const struct rollout *o = &m->rollout;

    if (o->failures > 0 && o->retry_wall_ms > wall_ms &&
        o->retry_wall_ms - wall_ms <= ROLLOUT_RETRY_MAX_MS) /* more: by a clock that was wrong */
        return false;
    /* An SLO that broke after the change may be its doing; one that was broken before may be what
     * the change is to cure. */
    return m->slo_bad_since_ms == NEVER_MS || m->slo_bad_since_ms <= o->changed_ms;
}

struct builder {
    struct cluster *c;
    struct snapshot *s;
    struct snapshot_memory *memory;
    const struct snapshot_moment *at;
};

/* --- pools and policies -------------------------------------------------------------------------
 */

static struct intensity *policy_weight(const struct policy *p)
{
    switch (policy_spec(p)->objective) {
    case OBJECTIVE_CARBON:
        return p->carbon.series;
    case OBJECTIVE_COST:
        return p->price.series;
    default:
        return NULL;
    }
}

static void build_policies(struct builder *b)
{
    size_t n = b->c->policies.n_items;
    struct snap_policy *out = snapshot_alloc(b->memory, n, sizeof(*out));

    for (size_t i = 0; i < n; i++) {
        struct policy *p = cluster_policy(b->c, i);

        p->index = (uint32_t)i;
        out[i] = (struct snap_policy){
            .name = snapshot_text(b->memory, p->name),
            .spec = &snapshot_object(b->memory, p->revision)->policy,
            .window_open = p->window_open,
            .weight = snapshot_intensity(b->memory, policy_weight(p)),
        };
    }
    b->s->policies = out;
    b->s->n_policies = (uint32_t)n;
}

static void build_pools(struct builder *b)
{
    size_t n = b->c->pools.n_items;
    struct snap_pool *out = snapshot_alloc(b->memory, n, sizeof(*out));

    for (size_t i = 0; i < n; i++) {
        struct pool *p = cluster_pool(b->c, i);
        struct policy *policy = pool_policy(b->c, p);

        p->index = (uint32_t)i;
        out[i] = (struct snap_pool){
            .name = snapshot_text(b->memory, p->name),
            .spec = &snapshot_object(b->memory, p->revision)->pool,
            .policy = policy ? policy->index : NO_INDEX,
            .boot_p99_ms = pool_spec(p)->boot.time_ms > 0 ? pool_spec(p)->boot.time_ms : 0,
        };
    }
    for (size_t i = 0; i < b->c->nodes.n_items; i++) {
        const struct node *node = cluster_node(b->c, i);
        int64_t own_ms = node_boot_p99_ms(node);

        if (node->pool && own_ms > out[node->pool->index].boot_p99_ms)
            out[node->pool->index].boot_p99_ms = own_ms;
    }
    for (size_t i = 0; i < n; i++)
        if (out[i].boot_p99_ms == 0)
            out[i].boot_p99_ms = BOOT_UNKNOWN_MS;
    b->s->pools = out;
    b->s->n_pools = (uint32_t)n;
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static const struct string_map *copy_labels(struct builder *b, const struct string_map *labels)
{
    struct string_map *copy = snapshot_alloc(b->memory, 1, sizeof(*copy));

    copy->n = labels->n;
    copy->pair = snapshot_alloc(b->memory, labels->n, sizeof(*copy->pair));
    for (size_t i = 0; i < labels->n; i++) {
        copy->pair[i].key = (char *)snapshot_text(b->memory, labels->pair[i].key);
        copy->pair[i].value = (char *)snapshot_text(b->memory, labels->pair[i].value);
    }
    return copy;
}

static const struct snap_gpu *copy_gpus(struct builder *b, const struct inventory *i)
{
    struct snap_gpu *copy = snapshot_alloc(b->memory, i->n_gpus, sizeof(*copy));

    for (uint32_t g = 0; g < i->n_gpus; g++) {
        copy[g].model = snapshot_text(b->memory, i->gpus[g].model);
        copy[g].memory_bytes = i->gpus[g].memory_bytes;
    }
    return copy;
}

/* What the pool declares. How long a boot takes is measured with the first wake of this node; what
 * it draws never is, so that what is declared of that goes on counting. A boot that is shorter than
 * the curve's assumption costs less in proportion, unless its energy is declared. */
static void declare_boot(struct node_curve *curve, const struct power_pool *pool)
{
    double declared_s = (double)pool->boot.time_ms / 1000;

    if (pool->boot.time_ms >= 0 && curve->wakes == 0) {
        if (curve->boot_s > 0)
            curve->cycle_j *= declared_s / curve->boot_s;
        curve->boot_s = curve->boot_p99_s = declared_s;
    }
    if (pool->boot.energy_mj >= 0)
        curve->cycle_j = (double)pool->boot.energy_mj / 1000;
}

struct node_curve node_curve_in_pool(const struct node *n)
{
    struct node_curve curve = n->curve;

    if (!n->pool)
        return curve;
    if (pool_spec(n->pool)->standby_mw >= 0)
        curve.standby_w = (double)pool_spec(n->pool)->standby_mw / 1000;
    declare_boot(&curve, pool_spec(n->pool));
    return curve;
}

static bool is_wakeable(const struct node *n)
{
    return n->record.state == NODE_ASLEEP && n->pool &&
           strcmp(pool_spec(n->pool)->driver.type, "none") != 0;
}

/* What replicas of deleted models still hold is not for the planner to give away, nor what other
 * pods request. */
static void hold_back(struct builder *b, const struct node *n, struct snap_node *out)
{
    struct snap_held *held = NULL;

    out->cpu_milli -= n->kube.held_cpu_milli;
    out->memory_bytes -= n->kube.held_memory_bytes;
    for (size_t i = 0; i < n->n_replicas; i++) {
        const struct replica *r = n->replicas[i];

        if (!r->model->deleting)
            continue;
        out->cpu_milli -= replica_spec(r)->resources.cpu_milli;
        out->memory_bytes -= replica_spec(r)->resources.memory_bytes;
        if (r->gpu_mask == 0)
            continue;
        if (!held)
            held = snapshot_alloc(b->memory, n->n_replicas, sizeof(*held));
        held[out->n_held++] =
            (struct snap_held){ &snapshot_object(b->memory, r->revision)->model, r->gpu_mask };
    }
    out->held = held;
    if (out->cpu_milli < 0)
        out->cpu_milli = 0;
    if (out->memory_bytes < 0)
        out->memory_bytes = 0;
}

static bool is_switched(const struct cluster *c, const struct node *n)
{
    return !pool_passive(c, n->pool) && strcmp(pool_spec(n->pool)->driver.type, "none") != 0;
}

static void build_node(struct builder *b, struct node *n, struct snap_node *out)
{
    *out = (struct snap_node){
        .name = snapshot_text(b->memory, n->name),
        .address = snapshot_text(b->memory, n->inventory.address),
        .pool = n->pool ? n->pool->index : NO_INDEX,
        .state = n->record.state,
        .schedulable = node_schedulable(b->c, n, b->at->now_ms),
        .cordoned = n->record.cordoned,
        .occupied = node_kube_stays(n) && !n->kube.closed,
        .evacuate = n->record.drained,
        .sleepable = n->why_not_asleep == NULL,
        .why_not_asleep = snapshot_text(b->memory, n->why_not_asleep),
        .wakeable = is_wakeable(n),
        /* Where nothing is put to sleep it is planned as if waking worked. */
        .wake_proven =
            (b->c->kubernetes && !is_switched(b->c, n)) || node_wake_proven(n, b->at->wall_ms),
        .cpu_milli = n->inventory.cpu_milli,
        .memory_bytes = n->inventory.memory_bytes,
        .gpus = copy_gpus(b, &n->inventory),
        .n_gpus = n->inventory.n_gpus,
        .curve = node_curve_in_pool(n),
        .watts = n->watts,
        .watts_provenance = n->watts_provenance,
        .utilization = n->utilization,
        .cycles_today = node_record_cycles(&n->record, b->at->wall_ms),
        .labels = copy_labels(b, &n->inventory.labels),
    };
    hold_back(b, n, out);
}

static void build_nodes(struct builder *b)
{
    size_t n = b->c->nodes.n_items;
    struct snap_node *out = snapshot_alloc(b->memory, n, sizeof(*out));

    for (size_t i = 0; i < n; i++) {
        cluster_node(b->c, i)->index = (uint32_t)i;
        build_node(b, cluster_node(b->c, i), &out[i]);
    }
    b->s->nodes = out;
    b->s->n_nodes = (uint32_t)n;
}

/* --- models -------------------------------------------------------------------------------------
 */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_unfit(const struct model *m, const struct node *n)
{
    const struct string_list *l = &m->kube.unfit;

    return l->n > 0 && bsearch(&n->name, l->item, l->n, sizeof(*l->item), by_text);
}

static const uint64_t *build_eligible(struct builder *b, const struct model *m,
                                      const struct served_model *spec)
{
    size_t n = b->c->nodes.n_items;
    uint64_t *bits = snapshot_alloc(b->memory, (n + 63) / 64, sizeof(*bits));
    bool all = true;

    for (size_t i = 0; i < n; i++) {
        if (node_eligible(cluster_node(b->c, i), spec) && !is_unfit(m, cluster_node(b->c, i)))
            bits[i / 64] |= (uint64_t)1 << (i % 64);
        else
            all = false;
    }
    return all ? NULL : bits;
}

static void build_model(struct builder *b, struct model *m, struct snap_model *out)
{
    bool latency_known = b->at->now_ms - m->latency_at_ms <= LATENCY_KEEPS_MS;
    const struct served_model *spec = &snapshot_object(b->memory, m->revision)->model;

    *out = (struct snap_model){
        .name = snapshot_text(b->memory, m->name),
        .spec = spec,
        .eligible = build_eligible(b, m, spec),
        .demand = b->at->doubt ? NAN : demand_now(&m->demand, b->at->wall_ms),
        .fast = b->at->doubt ? NAN : demand_fast(&m->demand, b->at->wall_ms),
        .capacity = model_capacity(m),
        .latency_ms = latency_known ? m->latency_ms : NAN,
        .error_share = m->error_share,
        .deadline_ms = model_deadline_ms(b->c, m),
        .queue = b->at->doubt ? NAN : m->queue,
        .waited_ms = model_waited_ms(m, b->at->now_ms),
        .slo_broken =
            m->slo_bad_since_ms != NEVER_MS && b->at->now_ms - m->slo_bad_since_ms >= b->c->step_ms,
        .load_p99_ms = model_load_ms(m),
        .renews = model_renews(m, b->at->wall_ms),
        .renew_failures = m->rollout.failures,
    };
    if (!model_counted(m))
        return;
    out->counted = true;
    out->demand = out->fast = m->kube.wanted;
    out->capacity = 1;
}

static void build_models(struct builder *b)
{
    size_t n = b->c->models.n_items, kept = 0;
    struct snap_model *out = snapshot_alloc(b->memory, n, sizeof(*out));

    for (size_t i = 0; i < n; i++) {
        struct model *m = cluster_model(b->c, i);

        m->index = NO_INDEX;
        if (m->deleting)
            continue;
        m->index = (uint32_t)kept;
        build_model(b, m, &out[kept++]);
    }
    b->s->models = out;
    b->s->n_models = (uint32_t)kept;
}

/* --- replicas -----------------------------------------------------------------------------------
 */

/* Only while both are there and neither leaves: else there is nothing left to replace. */
static void pair_replicas(struct builder *b, struct snap_replica *out)
{
    struct snap_model *models = (struct snap_model *)b->s->models;

    for (size_t i = 0; i < b->c->replicas.n_items; i++)
        cluster_replica(b->c, i)->counter = 0;
    for (size_t i = 0; i < b->c->replicas.n_items; i++) {
        const struct replica *r = cluster_replica(b->c, i);
        struct replica *old;

        if (r->index == NO_INDEX || !r->replaces || r->leaving != LEAVING_NO)
            continue;
        old = named_find(&b->c->replicas, r->replaces);
        if (!old || old->index == NO_INDEX || old->leaving != LEAVING_NO || old->model != r->model)
            continue;
        out[r->index].follows = old->index + 1;
        if (out[r->index].phase != REPLICA_READY || out[old->index].phase != REPLICA_READY ||
            old->counter++ > 0) /* two may have been begun in place of one */
            continue;
        models[r->model->index].doubled++;
    }
}

static void build_replicas(struct builder *b)
{
    size_t n = b->c->replicas.n_items, kept = 0;
    struct snap_replica *out = snapshot_alloc(b->memory, n, sizeof(*out));
    struct snap_model *models = (struct snap_model *)b->s->models;

    for (size_t i = 0; i < n; i++) {
        struct replica *r = cluster_replica(b->c, i);

        r->index = NO_INDEX;
        if (!replica_counts(r))
            continue;
        r->index = (uint32_t)kept;
        out[kept++] = (struct snap_replica){
            .uid = snapshot_text(b->memory, r->name),
            .model = r->model->index,
            .node = r->node->index,
            .phase = r->reported ? r->phase : REPLICA_UNSPECIFIED,
            .leaving = r->leaving != LEAVING_NO,
            .since_ms = r->since_ms,
            .gpu_mask = r->gpu_mask,
            .load = r->load,
            .in_flight = r->door_in_flight,
            .cpu_use_known = cpu_use_known(&r->cpu_use),
            .cpu_use_milli = r->cpu_use.mean_milli,
            .cpu_use_variance = r->cpu_use.variance,
            .reason = snapshot_text(b->memory, r->reason),
        };
        if (replica_outdated(r))
            out[kept - 1].spec = &snapshot_object(b->memory, r->revision)->model;
        models[r->model->index].total++;
        models[r->model->index].ready +=
            r->reported && r->phase == REPLICA_READY && r->leaving == LEAVING_NO;
    }
    pair_replicas(b, out);
    b->s->replicas = out;
    b->s->n_replicas = (uint32_t)kept;
}

/* --- demand -------------------------------------------------------------------------------------
 */

static void build_observations(struct builder *b)
{
    struct observation *out;
    size_t n = 0, total = 0;

    for (size_t i = 0; i < b->c->models.n_items; i++) {
        struct model *m = cluster_model(b->c, i);
        int64_t first;

        if (m->handed > m->demand.open)
            m->handed = INT64_MIN; /* the clock was set back: the planner begins anew */
        first = m->handed > m->demand.first ? m->handed : m->demand.first;
        if (m->index != NO_INDEX && m->demand.open > first)
            total += (size_t)(m->demand.open - first);
    }
    out = snapshot_alloc(b->memory, total, sizeof(*out));
    for (size_t i = 0; i < b->c->models.n_items; i++) {
        struct model *m = cluster_model(b->c, i);
        int64_t step = m->handed > m->demand.first ? m->handed : m->demand.first;

        if (m->index == NO_INDEX)
            continue;
        for (; step < m->demand.open; step++)
            out[n++] = (struct observation){ m->index, step, demand_at(&m->demand, step) };
        m->handed = m->demand.open;
    }
    b->s->observations = out;
    b->s->n_observations = n;
}

struct snapshot *snapshot_build(struct cluster *c, const struct snapshot_moment *moment)
{
    struct snapshot *s = xcalloc(1, sizeof(*s));
    struct builder b = { c, s, snapshot_memory_new(), moment };

    *s = (struct snapshot){
        .version = moment->version,
        .now_ms = moment->now_ms,
        .wall_ms = moment->wall_ms,
        .step_ms = c->step_ms,
        .warming_up = moment->warming_up,
        .paused = c->paused,
        .memory = b.memory,
        .references = 1,
    };
    build_policies(&b);
    build_pools(&b);
    build_nodes(&b);
    build_models(&b);
    build_replicas(&b);
    if (moment->observations)
        build_observations(&b);
    return s;
}
