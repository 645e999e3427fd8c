/* What may leave, wake and move at one time, and what must stay: counts and floors from present
 * facts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/reconcile/reconcile.h"
#include "controller/state/snapshot_build.h"
#include "proto/base/array.h"

static void count_state(struct controller *c, const struct node *n, enum node_state state,
                        uint32_t step)
{
    struct policy *policy = pool_policy(c->cluster, n->pool);
    struct pool *p = n->pool;

    switch (limits_group(state)) {
    case LIMITS_AWAKE:
        if (node_seen(c->cluster, n) &&
            node_age_ms(c->cluster, n, c->now_ms) <= 4 * node_interval_ms(n))
            p->awake += step;
        break;
    case LIMITS_LEAVING:
        p->leaving += step;
        if (policy)
            policy->sleeps += (int32_t)step;
        break;
    case LIMITS_ASLEEP:
        p->asleep += step;
        break;
    case LIMITS_WAKING:
        p->waking += step;
        if (policy)
            policy->wakes += (int32_t)step;
        break;
    case LIMITS_LOST:
        p->lost += step;
        break;
    case LIMITS_NONE:
        break;
    }
}

/* Unsigned wrap-around makes UINT32_MAX a step of -1. A node that was awake and fell silent was not
 * counted any more, so its leaving takes nothing away either. */
void budget_moved(struct controller *c, const struct node *n, enum node_state before)
{
    if (!n->pool)
        return;
    count_state(c, n, before, UINT32_MAX);
    count_state(c, n, n->record.state, 1);
}

/* A quarantined node to which On was sent draws its first watts like any other. */
static bool may_come(const struct controller *c, const struct node *n)
{
    int64_t limit_ms = node_policy(c->cluster, n)->timing.wake_ms;

    if (limit_ms < 2 * node_boot_p99_ms(n))
        limit_ms = 2 * node_boot_p99_ms(n);
    return n->pool && n->record.state == NODE_QUARANTINED && n->record.last_wake_ms > 0 &&
           c->now_ms - n->record.last_wake_ms <= limit_ms;
}

void budget_woken(struct controller *c, const struct node *n)
{
    struct policy *policy = pool_policy(c->cluster, n->pool);

    if (!may_come(c, n))
        return;
    n->pool->coming++;
    if (policy)
        policy->wakes++;
}

void budget_count(struct controller *c)
{
    for (size_t i = 0; i < c->cluster->pools.n_items; i++) {
        struct pool *p = cluster_pool(c->cluster, i);

        p->awake = p->leaving = p->asleep = p->waking = p->lost = p->coming = 0;
    }
    for (size_t i = 0; i < c->cluster->policies.n_items; i++) {
        struct policy *p = cluster_policy(c->cluster, i);

        p->sleeps = p->wakes = p->moves = 0;
    }
    for (size_t i = 0; i < c->cluster->models.n_items; i++)
        cluster_model(c->cluster, i)->serving = cluster_model(c->cluster, i)->alive = 0;
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        const struct node *n = cluster_node(c->cluster, i);

        if (n->pool)
            count_state(c, n, n->record.state, 1);
        budget_woken(c, n);
    }
    for (size_t i = 0; i < c->cluster->replicas.n_items; i++) {
        struct replica *r = cluster_replica(c->cluster, i);
        struct policy *policy = pool_policy(c->cluster, r->node->pool);
        bool serves = replica_serves(c, r);

        r->model->serving += serves;
        r->model->alive += r->leaving == LEAVING_NO && replica_counts(r);
        if (policy && r->replaces && r->leaving == LEAVING_NO &&
            named_find(&c->cluster->replicas, r->replaces))
            policy->moves++;
    }
    kube_moves_count(c);
}

const char *reconcile_frozen(const struct controller *c)
{
    if (c->store_failed)
        return "the store cannot be written: only waking goes on";
    if (c->cluster->paused)
        return "paused by a person";
    if (c->warming_up)
        return "the controller has just started";
    if (c->now_ms < c->clock_suspect_until_ms)
        return "the clock was set: suspect";
    return NULL;
}

struct limits budget_limits(const struct controller *c, const struct pool *p)
{
    const struct policy *policy = pool_policy(c->cluster, p);
    struct limits l = { 0 };

    if (p)
        l = (struct limits){ .pool = pool_spec(p),
                             .passive = pool_passive(c->cluster, p),
                             .awake = p->awake,
                             .leaving = p->leaving,
                             .waking = p->waking,
                             .coming = p->coming };
    if (policy) {
        l.policy = policy_spec(policy);
        l.window_open = policy->window_open;
        l.sleeps = (uint32_t)policy->sleeps;
        l.wakes = (uint32_t)policy->wakes;
        l.moves = (uint32_t)policy->moves;
    }
    return l;
}

const char *budget_no_sleep(const struct controller *c, const struct node *n)
{
    struct limits l = budget_limits(c, n->pool);

    return n->pool && reconcile_frozen(c) ? reconcile_frozen(c) : limits_no_sleep(&l);
}

bool budget_wakes_left(const struct controller *c, const struct node *n)
{
    struct limits l = budget_limits(c, n->pool);

    return limits_wakes_left(&l);
}

bool budget_wake(const struct controller *c, const struct node *n)
{
    const struct policy *policy = pool_policy(c->cluster, n->pool);

    return !pool_passive(c->cluster, n->pool) && (!policy || !policy_spec(policy)->dry_run) &&
           budget_wakes_left(c, n);
}

/* However many its pool wants awake: none is to stay asleep. */
bool budget_release(const struct controller *c, const struct node *n)
{
    struct limits l = budget_limits(c, n->pool);

    return n->record.state == NODE_ASLEEP && limits_wakes_at_once(&l);
}

/* --- may the cluster do without an empty node (T5) ----------------------------------------------
 */

static bool offers_room(const struct controller *c, const struct node *host,
                        const struct node *gone, const struct node *lost, const struct replica *r)
{
    const struct served_model *spec = replica_spec(r);

    return host != gone && host != lost && node_schedulable(c->cluster, host, c->now_ms) &&
           node_eligible(host, spec) && spec->resources.gpu_milli == 0 &&
           host->inventory.cpu_milli - host->used.cpu_milli >= spec->resources.cpu_milli &&
           host->inventory.memory_bytes - host->used.memory_bytes >= spec->resources.memory_bytes;
}

static void use(struct node *n, const struct replica *r, int sign)
{
    n->used.cpu_milli += sign * replica_spec(r)->resources.cpu_milli;
    n->used.memory_bytes += sign * replica_spec(r)->resources.memory_bytes;
}

/* What is there now; every trial starts from it and leaves it so. */
static void survey(struct controller *c)
{
    bool known;

    for (size_t i = 0; i < c->cluster->models.n_items; i++) {
        struct model *m = cluster_model(c->cluster, i);

        m->floor = model_floor(c, m, &known);
        m->refuge = 0;
        m->counter = 0; /* not m->serving: that is of the last tick, reports came since */
        for (size_t k = 0; k < m->n_replicas; k++)
            m->counter += replica_serves(c, m->replicas[k]);
    }
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        struct node *n = cluster_node(c->cluster, i);

        n->used.cpu_milli = n->used.memory_bytes = n->used.guests = 0;
        for (size_t k = 0; k < n->n_replicas; k++)
            use(n, n->replicas[k], 1);
    }
}

struct guest { /* a replica of the lost node, on trial elsewhere */
    struct node *host;
    const struct replica *replica;
};

struct trial {
    struct guest *guests;
    size_t n_guests, cap_guests;
};

/* First fit. Nodes at the head of the list that are full without any guest are full for all
 * replicas of the model's newest text: `refuge` counts those, and they are not looked at again. */
static struct node *find_refuge(const struct controller *c, const struct node *gone,
                                const struct node *lost, const struct replica *r)
{
    size_t all = 0, *head = r->revision == r->model->revision ? &r->model->refuge : &all;

    for (size_t k = *head; k < c->cluster->nodes.n_items; k++) {
        struct node *host = cluster_node(c->cluster, k);

        if (offers_room(c, host, gone, lost, r))
            return host;
        *head += k == *head && host != lost && host->used.guests == 0;
    }
    return NULL;
}

static bool move_in(const struct controller *c, struct trial *t, const struct node *gone,
                    const struct node *lost, const struct replica *r)
{
    struct node *host = find_refuge(c, gone, lost, r);

    if (!host)
        return false;
    use(host, r, 1);
    host->used.guests++;
    r->model->counter++;
    *ARRAY_ADD(t, guests) = (struct guest){ host, r };
    return true;
}

/* Are the floors kept, or restored by first fit elsewhere, when `lost` vanishes too? Replicas with
 * devices are not packed here: for them the plan's own check stands. */
static bool survives(const struct controller *c, struct trial *t, const struct node *gone,
                     const struct node *lost)
{
    bool room = true;

    t->n_guests = 0;
    for (size_t i = 0; i < lost->n_replicas; i++)
        lost->replicas[i]->model->counter -= replica_serves(c, lost->replicas[i]) ? 1 : 0;
    for (size_t i = 0; i < lost->n_replicas && room; i++) {
        const struct replica *r = lost->replicas[i];

        if (r->model->counter < r->model->floor && replica_spec(r)->resources.gpu_milli == 0)
            room = move_in(c, t, gone, lost, r);
    }
    ARRAY_FOREACH(g, t, guests) {
        use(g->host, g->replica, -1);
        g->host->used.guests--;
        g->replica->model->counter--;
    }
    for (size_t i = 0; i < lost->n_replicas; i++)
        lost->replicas[i]->model->counter += replica_serves(c, lost->replicas[i]) ? 1 : 0;
    return room;
}

static bool survives_any(struct controller *c, const struct node *gone)
{
    struct trial t = { 0 };
    bool room = true;

    survey(c);
    for (size_t i = 0; i < c->cluster->nodes.n_items && room; i++) {
        const struct node *lost = cluster_node(c->cluster, i);

        if (lost != gone && lost->n_replicas > 0)
            room = survives(c, &t, gone, lost);
    }
    free(t.guests);
    return room;
}

const char *budget_no_commit(struct controller *c, const struct node *n)
{
    const struct power_pool *spec = n->pool ? pool_spec(n->pool) : NULL;
    struct limits l = budget_limits(c, n->pool);
    bool known;

    if (reconcile_frozen(c))
        return reconcile_frozen(c);
    if (!spec || limits_no_commit(&l))
        return limits_no_commit(&l);
    if (c->options.front_door && !c->door.reachable)
        return "the front door is away";
    for (size_t i = 0; i < c->cluster->models.n_items; i++) {
        const struct model *m = cluster_model(c->cluster, i);

        if (!m->deleting && m->serving < model_floor(c, m, &known))
            return "a model is below its floor";
        if (!m->deleting && m->slo_bad_since_ms != NEVER_MS && node_eligible(n, model_spec(m)))
            return "a model misses its SLO";
    }
    if (spec->spare < 1)
        return NULL;
    return survives_any(c, n) ? NULL
                              : "without it, the loss of one more node could not be made good";
}
