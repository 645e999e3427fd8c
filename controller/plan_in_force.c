/* The plan in force: asking for one, taking it up, and letting it go. A plan speaks of the snapshot
 * it was made from; here its indices become nodes, models and replicas of the present. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/core.h"
#include "controller/kube_facts.h"
#include "controller/state/snapshot_build.h"
#include "proto/base/array.h"

#define PLANNER_PATIENCE_MS 60000

bool core_plan_fresh(const struct controller *c)
{
    return c->plan && c->now_ms - c->plan->snapshot->now_ms <= 2 * c->cluster->step_ms;
}

static void forget_verdicts(struct controller *c)
{
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        struct node *n = cluster_node(c->cluster, i);

        n->verdict = PLAN_STAY;
        n->placed_on = false;
        n->plan_why[0] = '\0';
    }
    for (size_t i = 0; i < c->cluster->replicas.n_items; i++) {
        struct replica *r = cluster_replica(c->cluster, i);

        r->surplus = r->keep = false;
        r->successor = NULL;
    }
    for (size_t i = 0; i < c->cluster->models.n_items; i++)
        cluster_model(c->cluster, i)->rollout.waits = NULL;
}

void core_plan_drop(struct controller *c)
{
    plan_free(c->plan);
    c->plan = NULL;
    c->n_starts = 0;
    c->plan_wanted = true;
    forget_verdicts(c);
}

void core_plan_outdate(struct controller *c, const struct model *m)
{
    ARRAY_FOREACH(s, c, starts)
        if (s->model == m && s->state == START_PENDING) {
            s->state = START_GIVEN_UP;
            s->waits = "its object was changed since: the next plan knows";
        }
    c->plan_wanted = true;
}

static void take_models(struct controller *c, const struct plan *p)
{
    for (uint32_t i = 0; i < p->snapshot->n_models; i++) {
        struct model *m = named_find(&c->cluster->models, p->snapshot->models[i].name);

        if (!m)
            continue;
        m->plan_floor = p->models[i].floor;
        m->plan_target = p->models[i].target;
        m->frozen = p->models[i].frozen;
        m->plan_holds = p->models[i].holds;
        m->rollout.waits = p->models[i].renewal_waits;
    }
}

static void take_nodes(struct controller *c, const struct plan *p)
{
    for (uint32_t i = 0; i < p->snapshot->n_nodes; i++) {
        struct node *n = named_find(&c->cluster->nodes, p->snapshot->nodes[i].name);

        if (!n)
            continue;
        n->verdict = (int)p->nodes[i].verdict;
        n->plan_joules = p->nodes[i].joules_at_stake;
        (void)snprintf(n->plan_why, sizeof(n->plan_why), "%s", p->nodes[i].why);
    }
}

static struct replica *replica_of(struct controller *c, const struct plan *p, uint32_t index)
{
    if (index == NO_INDEX || index >= p->snapshot->n_replicas)
        return NULL;
    return named_find(&c->cluster->replicas, p->snapshot->replicas[index].uid);
}

/* A replica that was started after the snapshot fulfils a placement of the same model and node. */
static struct replica *started_meanwhile(struct controller *c, const struct plan *p,
                                         const struct start *s)
{
    for (size_t i = 0; i < s->node->n_replicas; i++) {
        struct replica *r = s->node->replicas[i];
        bool used = false;

        if (r->model != s->model || r->leaving != LEAVING_NO || r->since_ms <= p->snapshot->now_ms)
            continue;
        ARRAY_FOREACH(other, c, starts)
            used |= strcmp(other->uid, r->name) == 0;
        if (!used)
            return r;
    }
    return NULL;
}

static void bind_start(struct start *s, struct replica *r, struct replica *old)
{
    (void)snprintf(s->uid, sizeof(s->uid), "%s", r->name);
    s->state = START_STARTED;
    if (old)
        old->successor = r;
}

static void take_placement(struct controller *c, const struct plan *p, size_t i)
{
    const struct plan_placement *pp = &p->placements[i];
    struct model *m = named_find(&c->cluster->models, p->snapshot->models[pp->model].name);
    struct node *n = named_find(&c->cluster->nodes, p->snapshot->nodes[pp->node].name);
    struct replica *stays = replica_of(c, p, pp->replica), *old = replica_of(c, p, pp->replaces);
    struct replica *present;
    struct start *s;

    if (n)
        n->placed_on = true;
    if (stays) {
        stays->surplus = false;
        if (old) { /* a move begun by an earlier plan */
            old->surplus = true;
            old->successor = stays;
        }
        return;
    }
    if (pp->replica != NO_INDEX || !m || !n)
        return;
    s = ARRAY_ADD(c, starts);
    *s = (struct start){
        .model = m, .node = n, .gpu_mask = pp->gpu_mask, .renews = pp->renews, .placement = i
    };
    if (old && old->leaving == LEAVING_NO)
        (void)snprintf(s->replaces, sizeof(s->replaces), "%s", old->name);
    present = started_meanwhile(c, p, s);
    if (present)
        bind_start(s, present, old);
}

/* A surplus replica whose planned successor has not been started must wait for it. */
static void hold_moved(struct controller *c)
{
    ARRAY_FOREACH(s, c, starts) {
        struct replica *old =
            s->replaces[0] ? named_find(&c->cluster->replicas, s->replaces) : NULL;

        if (old && !old->successor)
            old->keep = true; /* until start_replica() names the successor */
    }
}

void core_plan(struct controller *c, struct plan *plan)
{
    c->planning = c->planner_late = false;
    if (!plan) {
        core_event(c, true, "cluster", c->cluster->id, "PlanFailed",
                   "the planner gave no plan; what runs goes on");
        for (size_t i = 0; i < c->cluster->models.n_items; i++)
            cluster_model(c->cluster, i)->handed = INT64_MIN;
        return;
    }
    if (c->plan && plan->snapshot->version < c->plan->snapshot->version) {
        plan_free(plan); /* an answer that was overtaken */
        return;
    }
    forget_verdicts(c);
    plan_free(c->plan);
    c->plan = plan;
    plan->id = ++c->cluster->plan_counter;
    c->n_starts = 0;
    for (uint32_t i = 0; i < plan->snapshot->n_replicas; i++) {
        struct replica *r = replica_of(c, plan, i);

        if (r)
            r->surplus = true; /* unless a placement names it */
    }
    take_models(c, plan);
    take_nodes(c, plan);
    for (size_t i = 0; i < plan->n_placements; i++)
        take_placement(c, plan, i);
    hold_moved(c);
    core_recommend(c);
    c->plan_due = true;
}

/* --- asking -------------------------------------------------------------------------------------
 */

static bool demand_presses(const struct controller *c)
{
    for (size_t i = 0; i < c->cluster->models.n_items; i++) {
        const struct model *m = cluster_model(c->cluster, i);
        double room = model_capacity(m) * m->serving;
        bool known;

        if (m->deleting)
            continue;
        if (!isnan(room) && !m->plan_holds && m->demand.fast > 0.9 * room &&
            m->serving < m->plan_target + 1 && m->serving < (uint32_t)model_spec(m)->replicas.max)
            return true;
        if (m->alive < model_floor(c, m, &known))
            return true;
    }
    return false;
}

/* It answers each question, however late. Another one would only wait behind the first: plans would
 * come ever later, of snapshots ever older. */
static void watch_planner(struct controller *c)
{
    if (c->planner_late || c->now_ms - c->planning_since_ms <= PLANNER_PATIENCE_MS)
        return;
    c->planner_late = true;
    core_event(c, true, "cluster", c->cluster->id, "PlannerSlow",
               "a plan takes more than %d s: give the controller a faster CPU, or set fewer "
               "planSteps",
               PLANNER_PATIENCE_MS / 1000);
}

void core_plan_ask(struct controller *c)
{
    int64_t interval = c->cluster->step_ms, gap = c->now_ms - c->plan_asked_ms;
    struct snapshot_moment moment = {
        .now_ms = c->now_ms,
        .wall_ms = c->wall_ms,
        .warming_up = c->warming_up,
        .observations = true,
        .doubt = c->options.front_door && !c->door.reachable,
    };
    struct effect *e;

    if (c->planning)
        watch_planner(c);
    if (c->planning || c->cluster->models.n_items + c->cluster->pools.n_items == 0 ||
        kube_unseen(c))
        return;
    if (gap < interval && !((c->plan_wanted || demand_presses(c)) && gap >= interval / 4))
        return;
    moment.version = ++c->picture_version;
    c->planning = true;
    c->plan_wanted = false;
    c->planning_since_ms = c->plan_asked_ms = c->now_ms;
    e = fx_add(c->fx, FX_PLAN);
    e->snapshot = snapshot_build(c->cluster, &moment);
}
