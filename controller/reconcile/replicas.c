/* Draining, stopping and giving up replicas. What must never happen here: a drain that takes a
 * model below its floor, a stop while requests are in flight. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/reconcile/reconcile.h"
#include "controller/reconcile/rollout.h"
#include "controller/state/snapshot_build.h"
#include "proto/base/array.h"

#define QUIET_MS 2000 /* so long nothing may be in flight at the front door (SAFETY 7.13) */

/* --- leaving ------------------------------------------------------------------------------------
 */

void act_on_replica(struct controller *c, const struct replica *r, const char *act,
                    const char *reason, const char *by)
{
    core_journal(c,
                 &(struct journal_row){
                     .act = act, .kind = "replica", .name = r->name, .reason = reason, .by = by });
}

static void drain(struct controller *c, struct replica *r, const char *why)
{
    r->leaving = LEAVING_DRAIN;
    r->drain_seen_ms = 0;
    r->quiet_since_ms = NEVER_MS;
    (void)snprintf(r->why, sizeof(r->why), "%s", why);
    act_on_replica(c, r, "drain", why, "planner");
    replica_touch(c->cluster, r);
}

static void stop(struct controller *c, struct replica *r, const char *why)
{
    r->leaving = LEAVING_STOP;
    r->drop_generation = 0; /* set when the desired state without it gets its number */
    (void)snprintf(r->why, sizeof(r->why), "%s", why);
    act_on_replica(c, r, "stop", why, "planner");
    replica_touch(c->cluster, r);
}

static bool is_dead(const struct replica *r)
{
    return r->reported && r->phase != REPLICA_READY && r->phase != REPLICA_UNREADY &&
           r->phase != REPLICA_DRAINING && r->phase != REPLICA_UNSPECIFIED;
}

/* However many looks there were in that time: the front door looks more often after a change. */
static bool is_quiet(const struct controller *c, const struct replica *r)
{
    return r->quiet_since_ms != NEVER_MS && c->door.at_ms - r->quiet_since_ms >= QUIET_MS;
}

static bool door_done_with(const struct controller *c, struct replica *r)
{
    if (!c->options.front_door)
        return true; /* the agent finishes what is in flight before it stops the process */
    if (!core_door_fresh(c))
        return false;
    if (r->door == DOOR_ABSENT && is_quiet(c, r))
        return true;
    if (r->door != DOOR_DRAIN && r->door != DOOR_DOWN && r->door != DOOR_ABSENT)
        return false;
    if (r->drain_seen_ms == 0)
        r->drain_seen_ms = c->now_ms;
    return is_quiet(c, r);
}

/* An exclusive one goes before its successor is started: minAvailable says whether it may. */
static bool goes_first(const struct controller *c, const struct replica *r)
{
    return replica_outdated(r) && model_spec(r->model)->exclusive &&
           model_renews(r->model, c->wall_ms);
}

/* The safe way back: it is ready, and its model has come below its floor. */
static bool is_needed_again(struct controller *c, const struct replica *r)
{
    bool known;

    return !r->model->deleting && !goes_first(c, r) && r->reported && r->phase == REPLICA_READY &&
           node_schedulable(c->cluster, r->node, c->now_ms) &&
           r->model->serving < model_floor(c, r->model, &known);
}

static void step_draining(struct controller *c, struct replica *r)
{
    if (is_needed_again(c, r)) {
        r->leaving = LEAVING_NO;
        (void)snprintf(r->why, sizeof(r->why), "needed again while it was draining");
        act_on_replica(c, r, "abort", r->why, "recovery");
        replica_touch(c->cluster, r);
    } else if (is_dead(r)) {
        stop(c, r, "its process is gone");
    } else if (door_done_with(c, r)) {
        stop(c, r, "nothing is in flight");
    } else if (r->drain_seen_ms > 0 &&
               c->now_ms - r->drain_seen_ms > replica_spec(r)->drain.timeout_ms) {
        core_event(c, true, "replica", r->name, "DrainTimedOut",
                   "stopped with %.0f requests in flight after the drain time-out",
                   isnan(r->door_in_flight) ? 0.0 : r->door_in_flight);
        stop(c, r, "the drain time-out passed");
    }
}

/* Gone when its agent carries a desired state without it and no longer reports it. */
static bool is_gone(const struct controller *c, const struct replica *r)
{
    const struct node *n = r->node;
    bool carried = n->seen && r->drop_generation > 0 && n->generation_carried >= r->drop_generation;

    (void)c;
    if (r->reported && (r->phase == REPLICA_EXITED || r->phase == REPLICA_FAILED))
        return carried || r->phase == REPLICA_EXITED;
    return carried && !r->reported;
}

void replica_forget(struct controller *c, struct replica *r)
{
    struct model *m = r->model;
    AUTO(revision) struct revision *was = revision_ref(r->revision);

    if (!r->pod)
        fx_delete(c->fx, TABLE_REPLICA, r->name);
    if (r->told)
        fx_change(c->fx, CHANGE_DELETED, "replicas", r->name, core_next_version(c),
                  view_replica(c, r));
    c->plan_wanted |= model_spec(m)->exclusive; /* the one that waited for it may start */
    node_reply_due(c->cluster, r->node);
    model_door_due(c->cluster, m);
    replica_remove(c->cluster, r);
    rollout_trim(c, m, was);
}

/* --- giving up ----------------------------------------------------------------------------------
 */

static int64_t startup_limit_ms(const struct replica *r)
{
    const struct served_model *spec = replica_spec(r);
    int64_t limit = spec->readiness.startup_ms > 0 ? spec->readiness.startup_ms : 300000;

    return spec->startup_ms > 0 && 3 * spec->startup_ms > limit ? 3 * spec->startup_ms : limit;
}

/* Its port is taken by a stranger, and it may have any other: what was to start starts there. */
static void change_port(struct controller *c, struct replica *r)
{
    struct start *s = start_of(c, r->name);
    struct replica *old = r->replaces ? named_find(&c->cluster->replicas, r->replaces) : NULL;

    core_event(c, true, "replica", r->name, "PortTaken",
               "another port is tried on node %s for model %s: %s", r->node->name, r->model->name,
               r->reason);
    if (s) {
        s->state = START_PENDING;
        s->uid[0] = '\0';
    }
    if (old) {
        old->keep = true; /* until the next one is started */
        old->successor = NULL;
    }
    stop(c, r, "its port is taken");
    c->plan_wanted |= !s;
}

static void give_up(struct controller *c, struct replica *r)
{
    struct start *s = start_of(c, r->name);
    struct replica *old = r->replaces ? named_find(&c->cluster->replicas, r->replaces) : NULL;

    core_event(c, true, "replica", r->name, "ReplicaGivenUp",
               "model %s did not become ready on node %s: %s", r->model->name, r->node->name,
               r->reason[0] ? r->reason : "no answer in time");
    start_back_off(c, r->model->name, r->node->name);
    if (s)
        s->state = START_GIVEN_UP;
    rollout_failed(c, r);
    if (old) {
        old->keep = true;
        old->successor = NULL;
        (void)snprintf(old->why, sizeof(old->why),
                       replica_outdated(old) ? "kept: the new one on %.64s was given up"
                                             : "kept: its move to %.64s was given up",
                       r->node->name);
        replica_touch(c->cluster, old);
    }
    stop(c, r, "it did not become ready");
    c->plan_wanted = true;
}

/* A process that never came up, or an agent that cannot run it. A node that is silent is another
 * matter: nothing is known about its replicas. */
static bool never_came_up(const struct controller *c, const struct replica *r)
{
    if (!r->node->seen || r->node->record.state == NODE_UNREACHABLE)
        return false;
    if (r->reported && r->phase == REPLICA_FAILED)
        return true;
    return !r->was_ready && c->now_ms - r->since_ms > startup_limit_ms(r);
}

/* It serves for the first time. Plans come and go meanwhile: that it moves is its own knowledge. */
static void arrive(struct controller *c, struct replica *r)
{
    const struct replica *old = r->replaces ? named_find(&c->cluster->replicas, r->replaces) : NULL;
    struct start *s = start_of(c, r->name);

    r->arrived = true;
    if (s && s->state == START_STARTED)
        s->state = START_READY;
    if (!r->replaces || (old && replica_outdated(old))) /* a renewal is not a move */
        return;
    c->cluster->moves++;
    c->cluster->moved = true;
    r->model->moved_wall_ms = c->wall_ms;
    marks_add(&c->cluster->move_marks, MOVE_MARKS_MOST, 0, c->wall_ms);
}

bool reconcile_is_off(const struct node *n)
{
    return n->power == POWER_OFF && n->power_ms > n->heard_ms;
}

static void observe_replica(struct controller *c, struct replica *r)
{
    if (r->leaving == LEAVING_STOP) {
        if (is_gone(c, r))
            replica_forget(c, r);
        return;
    }
    if (r->leaving == LEAVING_DRAIN) {
        step_draining(c, r);
        return;
    }
    if (replica_spec(r)->exclusive && reconcile_is_off(r->node)) {
        stop(c, r, "its node is off: it is exclusive, and may run elsewhere now");
        c->plan_wanted = true;
        return;
    }
    if (never_came_up(c, r)) {
        if (r->port_taken && replica_spec(r)->port <= 0 &&
            start_other_port(c, r->model->name, r->node->name))
            change_port(c, r);
        else
            give_up(c, r);
        return;
    }
    if (!r->arrived && replica_serves(c, r))
        arrive(c, r);
}

/* --- stopping what is surplus -------------------------------------------------------------------
 */

/* May the replica go although nothing of its model may be taken away? An outdated one whose
 * successor serves may: that is what the change is for. */
static bool is_renewed(const struct controller *c, const struct replica *r)
{
    return replica_outdated(r) && r->successor && !replica_outdated(r->successor) &&
           model_renews(r->model, c->wall_ms);
}

static bool may_drain(struct controller *c, const struct replica *r)
{
    struct policy *policy = pool_policy(c->cluster, r->node->pool);
    bool known, serves = replica_serves(c, r);
    uint32_t floor = model_floor(c, r->model, &known);

    if (r->keep || reconcile_frozen(c) ||
        (r->model->frozen && !is_renewed(c, r) && !goes_first(c, r)))
        return false;
    if (pool_passive(c->cluster, r->node->pool) ||
        (policy && (policy_spec(policy)->dry_run || !policy->window_open)))
        return false;
    if (r->successor && !replica_serves(c, r->successor))
        return false;
    if (replica_outdated(r) && !r->was_ready) /* begun, and overtaken by the next change */
        return true;
    if (goes_first(c, r))
        return r->model->serving >= model_spec(r->model)->disruption.min_available + serves;
    if (!r->successor && (!known || r->model->slo_bad_since_ms != NEVER_MS))
        return false;
    if (c->options.front_door && !core_door_fresh(c))
        return false;
    return r->model->serving >= floor + (serves ? 1 : 0);
}

static const char *why_surplus(const struct replica *r)
{
    if (!r->successor && replica_outdated(r) && model_spec(r->model)->exclusive)
        return "it is exclusive, and a newer version is to take its place";
    if (!r->successor)
        return "the plan does not need it";
    return replica_outdated(r) ? "a newer version serves in its place" : "its successor serves";
}

static void step_surplus(struct controller *c, struct replica *r)
{
    bool serves = replica_serves(c, r);

    if (!r->surplus || r->leaving != LEAVING_NO || r->node->record.state == NODE_UNREACHABLE)
        return;
    if (!may_drain(c, r))
        return;
    drain(c, r, why_surplus(r));
    if (serves)
        r->model->serving--;
    c->plan_wanted |= replica_outdated(r); /* the next one */
}

static void step_deleted(struct controller *c, struct model *m)
{
    struct effect *door;

    if (c->options.kubernetes)
        while (m->n_replicas > 0)
            replica_forget(c, m->replicas[m->n_replicas - 1]);
    for (size_t i = 0; i < m->n_replicas; i++)
        if (m->replicas[i]->leaving == LEAVING_NO)
            drain(c, m->replicas[i], "its model was deleted");
    if (m->n_replicas > 0)
        return;
    if (m->told)
        fx_change(c->fx, CHANGE_DELETED, "servedmodels", m->name, core_next_version(c),
                  view_model(c, m));
    if (!c->options.kubernetes) {
        door = fx_add(c->fx, FX_DOOR);
        door->door.model = xstrdup(m->name);
        door->door.gone = true;
    }
    core_plan_drop(c);
    rollout_forget(c, m);
    model_remove(c->cluster, m);
}

static void forget_deleted(struct controller *c)
{
    for (size_t i = c->cluster->models.n_items; i-- > 0;)
        if (cluster_model(c->cluster, i)->deleting)
            step_deleted(c, cluster_model(c->cluster, i));
}

void reconcile_replicas(struct controller *c)
{
    bool acting = core_plan_fresh(c) && !c->cluster->paused && !c->store_failed;

    if (c->options.kubernetes) {
        forget_deleted(c);
        reconcile_kube_moves(c, acting);
        return;
    }
    for (size_t i = c->cluster->replicas.n_items; i-- > 0;)
        observe_replica(c, cluster_replica(c->cluster, i));
    forget_deleted(c);
    start_forget_failures(c);
    for (size_t i = 0; i < c->cluster->models.n_items; i++)
        rollout_observe(c, cluster_model(c->cluster, i));
    if (!acting)
        return;
    ARRAY_FOREACH(s, c, starts)
        start_step(c, s);
    for (size_t i = 0; i < c->cluster->replicas.n_items; i++)
        step_surplus(c, cluster_replica(c->cluster, i));
}
