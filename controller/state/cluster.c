/* Making, finding, binding and freeing what the controller knows. No decision is taken here. */
#include "controller/state/cluster.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/zone.h"

#define DEFAULT_STEP_MS 60000
#define IDLE_W_DEFAULT 60.0
#define FULL_W_DEFAULT 200.0

struct revision *revision_new(const struct manifest *object)
{
    struct revision *r = xcalloc(1, sizeof(*r));

    r->references = 1;
    r->object = manifest_copy(object);
    return r;
}

struct revision *revision_ref(struct revision *r)
{
    __atomic_add_fetch(&r->references, 1, __ATOMIC_RELAXED);
    return r;
}

void revision_unref(struct revision *r)
{
    if (!r || __atomic_sub_fetch(&r->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    manifest_free(r->object);
    free(r);
}

struct cluster *cluster_new(void)
{
    struct cluster *c = xcalloc(1, sizeof(*c));

    c->step_ms = DEFAULT_STEP_MS;
    energy_history_init(&c->energy);
    series_init_wide(&c->awake);
    series_init_wide(&c->request_count);
    c->even_utilization = NAN;
    return c;
}

/* --- replicas -----------------------------------------------------------------------------------
 */

#define DIRTY_ADD(c, list, thing)        \
    do {                                 \
        if (!(thing)->dirty) {           \
            (thing)->dirty = true;       \
            *ARRAY_ADD(c, list) = thing; \
        }                                \
    } while (0)

#define DIRTY_DROP(c, list, thing)                                        \
    do {                                                                  \
        for (size_t i_ = 0; (thing)->dirty && i_ < (c)->n_##list; i_++) { \
            if ((c)->list[i_] == (thing)) {                               \
                ARRAY_REMOVE_SWAP(c, list, i_);                           \
                break;                                                    \
            }                                                             \
        }                                                                 \
    } while (0)

void node_reply_due(struct cluster *c, struct node *n)
{
    if (!n->reply_due)
        *ARRAY_ADD(c, due_nodes) = n;
    n->reply_due = true;
}

void model_door_due(struct cluster *c, struct model *m)
{
    m->door_due = c->door_due = true;
}

void node_touch(struct cluster *c, struct node *n)
{
    node_reply_due(c, n);
    DIRTY_ADD(c, dirty_nodes, n);
}

void replica_touch(struct cluster *c, struct replica *r)
{
    node_reply_due(c, r->node);
    model_door_due(c, r->model);
    DIRTY_ADD(c, dirty_replicas, r);
}

void model_touch(struct cluster *c, struct model *m)
{
    DIRTY_ADD(c, dirty_models, m);
}

struct replica *replica_add(struct cluster *c, const char *uid, struct model *m, struct node *n)
{
    struct replica *r = xcalloc(1, sizeof(*r));

    r->name = xstrdup(uid);
    r->model = m;
    r->node = n;
    r->revision = revision_ref(m->revision);
    r->reason = xstrdup("");
    r->ready_ms = NEVER_MS;
    r->quiet_since_ms = NEVER_MS;
    r->in_flight_told = r->load = r->door_in_flight = NAN;
    named_add(&c->replicas, r);
    *ARRAY_ADD(n, replicas) = r;
    *ARRAY_ADD(m, replicas) = r;
    return r;
}

static void replica_free(struct replica *r)
{
    revision_unref(r->revision);
    free(r->pod);
    free(r->pod_address);
    free(r->replaces);
    free(r->advised);
    free(r->reason);
    free(r->name);
    free(r);
}

void replica_set_revision(struct replica *r, struct revision *revision)
{
    struct revision *was = r->revision;

    r->revision = revision_ref(revision);
    revision_unref(was);
}

void replica_remove(struct cluster *c, struct replica *r)
{
    struct node *n = r->node;
    struct model *m = r->model;

    DIRTY_DROP(c, dirty_replicas, r);
    for (size_t i = 0; i < n->n_replicas; i++) {
        if (n->replicas[i] == r) {
            ARRAY_REMOVE_SWAP(n, replicas, i);
            break;
        }
    }
    for (size_t i = 0; i < m->n_replicas; i++) {
        if (m->replicas[i] == r) {
            ARRAY_REMOVE_SWAP(m, replicas, i);
            break;
        }
    }
    for (size_t i = 0; i < m->n_replicas; i++)
        if (m->replicas[i]->successor == r)
            m->replicas[i]->successor = NULL;
    named_remove(&c->replicas, r->name);
    replica_free(r);
}

struct replica *node_replica(const struct node *n, const char *uid)
{
    for (size_t i = 0; i < n->n_replicas; i++)
        if (strcmp(n->replicas[i]->name, uid) == 0)
            return n->replicas[i];
    return NULL;
}

/* --- nodes --------------------------------------------------------------------------------------
 */

struct node *node_add(struct cluster *c, const char *name)
{
    struct node *n = xcalloc(1, sizeof(*n));

    n->name = xstrdup(name);
    n->record.state = NODE_UNMANAGED;
    n->curve = node_curve_linear(IDLE_W_DEFAULT, FULL_W_DEFAULT);
    n->watts = n->utilization = NAN;
    n->watts_provenance = PROVENANCE_UNAVAILABLE;
    series_init(&n->joules);
    named_add(&c->nodes, n);
    return n;
}

static void node_free(struct node *n)
{
    inventory_done(&n->inventory);
    inventory_done(&n->kube.is);
    free(n->kube.closed);
    free(n->kube.stays);
    free(n->kube.guest);
    free(n->kube.first_left);
    free(n->kube.lacks);
    free(n->kube.pending);
    for (size_t i = 0; i < n->n_problems; i++) {
        free((char *)n->problems[i].what);
        free((char *)n->problems[i].fix);
    }
    free(n->problems);
    free(n->told_pods);
    series_done(&n->joules);
    marks_done(&n->power_marks);
    free(n->power_message);
    free(n->replicas);
    free(n->name);
    free(n);
}

void node_remove(struct cluster *c, struct node *n)
{
    while (n->n_replicas > 0)
        replica_remove(c, n->replicas[n->n_replicas - 1]);
    DIRTY_DROP(c, dirty_nodes, n);
    for (size_t i = 0; i < c->n_due_nodes; i++)
        if (c->due_nodes[i] == n) {
            ARRAY_REMOVE_SWAP(c, due_nodes, i);
            break;
        }
    named_remove(&c->nodes, n->name);
    node_free(n);
}

int64_t node_age_ms(const struct cluster *c, const struct node *n, int64_t now_ms)
{
    if (c->kubernetes && n->kube.known)
        return n->kube.ready ? 0 : now_ms - n->kube.unready_ms;
    return now_ms - (n->seen && !c->kubernetes ? n->seen_ms : c->start_ms);
}

int64_t node_agent_age_ms(const struct node *n, int64_t now_ms)
{
    return n->seen ? now_ms - n->seen_ms : INT64_MAX;
}

bool node_seen(const struct cluster *c, const struct node *n)
{
    return c->kubernetes ? n->kube.known : n->seen;
}

/* --- declared objects ---------------------------------------------------------------------------
 */

struct model *model_put(struct cluster *c, const struct manifest *object)
{
    struct model *m = named_find(&c->models, object->meta.name);

    if (!m) {
        m = xcalloc(1, sizeof(*m));
        m->name = xstrdup(object->meta.name);
        m->queue = m->latency_ms = m->error_share = m->learned_capacity = NAN;
        m->slo_bad_since_ms = NEVER_MS;
        m->handed = INT64_MIN;
        m->load_p99_ms = -1;
        demand_init(&m->demand, c->step_ms);
        series_init_wide(&m->idle_j);
        series_init_wide(&m->dynamic_j);
        series_init_wide(&m->request_count);
        series_init_wide(&m->error_count);
        series_init_wide(&m->deferred_count);
        series_init_wide(&m->relief);
        m->waiting.since_ms = NEVER_MS;
        named_add(&c->models, m);
    }
    m->deleting = false;
    revision_unref(m->revision);
    m->revision = revision_new(object);
    model_door_due(c, m);
    return m;
}

static void model_free(struct model *m)
{
    revision_unref(m->revision);
    free(m->kube.problem);
    free(m->kube.held);
    free(m->kube.loses);
    free(m->kube.pending_why);
    string_list_done(&m->kube.unfit);
    demand_done(&m->demand);
    series_done(&m->idle_j);
    series_done(&m->dynamic_j);
    series_done(&m->request_count);
    series_done(&m->error_count);
    series_done(&m->deferred_count);
    series_done(&m->relief);
    free(m->replicas);
    free(m->name);
    free(m);
}

void model_remove(struct cluster *c, struct model *m)
{
    DIRTY_DROP(c, dirty_models, m);
    named_remove(&c->models, m->name);
    model_free(m);
}

struct pool *pool_put(struct cluster *c, const struct manifest *object)
{
    struct pool *p = named_find(&c->pools, object->meta.name);

    if (!p) {
        p = xcalloc(1, sizeof(*p));
        p->name = xstrdup(object->meta.name);
        named_add(&c->pools, p);
    }
    revision_unref(p->revision);
    p->revision = revision_new(object);
    cluster_bind_pools(c);
    cluster_set_step(c);
    return p;
}

static void pool_free(struct pool *p)
{
    revision_unref(p->revision);
    free(p->name);
    free(p);
}

void pool_remove(struct cluster *c, struct pool *p)
{
    named_remove(&c->pools, p->name);
    for (size_t i = 0; i < c->nodes.n_items; i++)
        if (cluster_node(c, i)->pool == p)
            cluster_node(c, i)->pool = NULL;
    pool_free(p);
    cluster_bind_pools(c);
    cluster_set_step(c);
}

struct policy *policy_put(struct cluster *c, const struct manifest *object)
{
    struct policy *p = named_find(&c->policies, object->meta.name);

    if (!p) {
        p = xcalloc(1, sizeof(*p));
        p->name = xstrdup(object->meta.name);
        p->window_open = true;
        named_add(&c->policies, p);
    }
    revision_unref(p->revision);
    p->revision = revision_new(object);
    cluster_set_step(c);
    return p;
}

void policy_drop_zones(struct policy *p)
{
    for (size_t i = 0; i < p->n_zones; i++)
        zone_free(p->zones[i]);
    free(p->zones);
    p->zones = NULL;
    p->n_zones = 0;
}

static void policy_rate_done(struct policy_rate *r)
{
    intensity_unref(r->series);
    free(r->path);
}

static void policy_free(struct policy *p)
{
    policy_drop_zones(p);
    policy_rate_done(&p->price);
    policy_rate_done(&p->carbon);
    revision_unref(p->revision);
    free(p->name);
    free(p);
}

void policy_remove(struct cluster *c, struct policy *p)
{
    named_remove(&c->policies, p->name);
    policy_free(p);
    cluster_set_step(c);
}

/* --- bindings -----------------------------------------------------------------------------------
 */

/* Until its own joules are known, a node draws what its pool says, or the model by which its agent
 * estimates, or an ordinary server's watts. */
static void suppose_curve(struct node *n)
{
    const struct power_curve *named = n->pool ? power_curve_find(pool_spec(n->pool)->curve) : NULL;
    struct node_curve prior;

    if (!named && n->inventory.power_model)
        named = power_curve_find(n->inventory.power_model);
    prior = named ? node_curve_named(named, n->inventory.cpus)
                  : node_curve_linear(IDLE_W_DEFAULT, FULL_W_DEFAULT);

    node_curve_suppose(&n->curve, &prior);
}

bool node_is_selected(const struct node *n, const struct pool *p)
{
    return n->inventory.known && string_map_selects(&pool_spec(p)->selector, &n->inventory.labels);
}

/* Whose driver switches it, and whose mode decides whether it is woken, is that pool under which it
 * was put to sleep: a label, or a selector, that changes while it is off loses nobody, nor does a
 * controller that starts anew meanwhile. NULL: it keeps none. */
static struct pool *kept_pool(const struct cluster *c, const struct node *n)
{
    struct pool *named;

    if (!node_state_is_led(n->record.state))
        return NULL;
    named = n->record.pool[0] ? named_find(&c->pools, n->record.pool) : NULL;
    return named ? named : n->pool;
}

/* A name that is noted stays, also of a pool that is gone: it may be declared again. */
static void note_pool(struct cluster *c, struct node *n)
{
    bool led = node_state_is_led(n->record.state);

    if (led ? n->record.pool[0] || !n->pool : !n->record.pool[0])
        return;
    (void)snprintf(n->record.pool, sizeof(n->record.pool), "%s", led ? n->pool->name : "");
    node_touch(c, n);
}

void node_bind_pool(struct cluster *c, struct node *n)
{
    struct pool *found = kept_pool(c, n);

    for (size_t i = 0; i < c->pools.n_items && !found; i++) {
        struct pool *p = cluster_pool(c, i);

        if (node_is_selected(n, p))
            found = p;
    }
    if (n->pool != found)
        node_touch(c, n);
    n->pool = found;
    note_pool(c, n);
    suppose_curve(n);
}

void cluster_bind_pools(struct cluster *c)
{
    for (size_t i = 0; i < c->nodes.n_items; i++)
        node_bind_pool(c, cluster_node(c, i));
}

struct policy *pool_policy(const struct cluster *c, const struct pool *p)
{
    return p ? named_find(&c->policies, pool_spec(p)->policy) : NULL;
}

enum pool_mode pool_mode_now(const struct cluster *c, const struct pool *p)
{
    enum pool_mode mode = p ? pool_spec(p)->mode : POOL_MODE_AUTO;

    if (mode == POOL_MODE_AUTO)
        mode = c->kubernetes ? POOL_MODE_OBSERVE : POOL_MODE_ACT;
    return mode;
}

bool pool_is_released(const struct pool *p)
{
    return p && pool_spec(p)->mode == POOL_MODE_RELEASE;
}

const char *node_kube_stays(const struct node *n)
{
    bool evicts = n->pool && pool_spec(n->pool)->bystanders == POOL_BYSTANDERS_EVICT;

    return n->kube.stays || evicts ? n->kube.stays : n->kube.guest;
}

const char *pool_passive(const struct cluster *c, const struct pool *p)
{
    enum pool_mode mode = pool_mode_now(c, p);

    if (mode == POOL_MODE_OBSERVE)
        return "observe: huddle acts on nothing here; a PowerPool with mode: act lets it";
    if (mode == POOL_MODE_RECOMMEND)
        return "recommend: huddle tells what it would do; mode: act of the PowerPool lets it";
    if (mode == POOL_MODE_RELEASE)
        return "release: huddle wakes its nodes and does nothing else; mode: act of the PowerPool "
               "lets it";
    return c->kubernetes && !c->leads ? "another controller leads: this one only watches" : NULL;
}

const struct power_policy *cluster_default_policy(const struct cluster *c)
{
    return &c->defaults->policy;
}

const struct power_policy *node_policy(const struct cluster *c, const struct node *n)
{
    struct policy *p = pool_policy(c, n->pool);

    return p ? policy_spec(p) : cluster_default_policy(c);
}

void cluster_set_step(struct cluster *c)
{
    int64_t step = 0;

    for (size_t i = 0; i < c->pools.n_items; i++) {
        const struct policy *p = pool_policy(c, cluster_pool(c, i));
        int64_t interval = p ? policy_spec(p)->interval_ms : 0;

        if (interval > 0 && (step == 0 || interval < step))
            step = interval;
    }
    c->step_ms = step > 0 ? step : DEFAULT_STEP_MS;
    for (size_t i = 0; i < c->models.n_items; i++) {
        struct model *m = cluster_model(c, i);

        if (m->demand.step_ms != c->step_ms)
            m->handed = INT64_MIN; /* the planner knows other steps */
        demand_set_step(&m->demand, c->step_ms);
    }
}

void cluster_free(struct cluster *c)
{
    if (!c)
        return;
    while (c->nodes.n_items > 0)
        node_remove(c, cluster_node(c, c->nodes.n_items - 1));
    for (size_t i = 0; i < c->models.n_items; i++)
        model_free(cluster_model(c, i));
    for (size_t i = 0; i < c->pools.n_items; i++)
        pool_free(cluster_pool(c, i));
    for (size_t i = 0; i < c->policies.n_items; i++)
        policy_free(cluster_policy(c, i));
    named_done(&c->models);
    named_done(&c->pools);
    named_done(&c->policies);
    named_done(&c->nodes);
    named_done(&c->replicas);
    energy_history_done(&c->energy);
    series_done(&c->awake);
    series_done(&c->request_count);
    marks_done(&c->move_marks);
    manifest_free(c->defaults);
    free(c->due_nodes);
    free(c->dirty_nodes);
    free(c->dirty_replicas);
    free(c->dirty_models);
    free(c);
}
