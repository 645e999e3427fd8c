/* Starting, moving and stopping replicas. What must never happen here: a drain that takes a model
 * below its floor, a stop while requests are in flight, a start that nobody will remember. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/reconcile/reconcile.h"
#include "controller/state/snapshot_build.h"
#include "controller/substrate/standalone.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

#define QUIET_MS 2000 /* so long nothing may be in flight at the front door (SAFETY 7.13) */
#define BACKOFF_FIRST_MS 60000
#define BACKOFF_MAX_MS 3600000

/* --- leaving ------------------------------------------------------------------------------------
 */

static void act_on_replica(struct controller *c, const struct replica *r, const char *act,
                           const char *reason, const char *by)
{
    core_journal(c,
                 &(struct journal_row){
                     .act = act, .kind = "replica", .name = r->name, .reason = reason, .by = by });
}

static void drain(struct controller *c, struct replica *r, const char *why)
{
    r->leaving = LEAVING_DRAIN;
    r->leaving_ms = c->now_ms;
    r->drain_seen_ms = 0;
    r->quiet_since_ms = NEVER_MS;
    (void)snprintf(r->why, sizeof(r->why), "%s", why);
    act_on_replica(c, r, "drain", why, "planner");
    replica_touch(c->cluster, r);
}

static void stop(struct controller *c, struct replica *r, const char *why)
{
    r->leaving = LEAVING_STOP;
    r->leaving_ms = c->now_ms;
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

/* The safe way back: it is ready, and its model has come below its floor. */
static bool is_needed_again(struct controller *c, const struct replica *r)
{
    bool known;

    return !r->model->deleting && r->reported && r->phase == REPLICA_READY &&
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

static void forget(struct controller *c, struct replica *r)
{
    struct model *m = r->model;

    fx_delete(c->fx, TABLE_REPLICA, r->name);
    if (r->told)
        fx_change(c->fx, CHANGE_DELETED, "replicas", r->name, core_next_version(c),
                  view_replica(c, r));
    node_reply_due(c->cluster, r->node);
    model_door_due(c->cluster, m);
    replica_remove(c->cluster, r);
}

/* --- giving up ----------------------------------------------------------------------------------
 */

static struct backoff *find_backoff(struct controller *c, const char *model, const char *node)
{
    ARRAY_FOREACH(b, c, backoffs)
        if (strcmp(b->model, model) == 0 && strcmp(b->node, node) == 0)
            return b;
    return NULL;
}

static void back_off(struct controller *c, const char *model, const char *node)
{
    struct backoff *b = find_backoff(c, model, node);
    int64_t pause_ms;

    if (!b) {
        b = ARRAY_ADD(c, backoffs);
        b->model = xstrdup(model);
        b->node = xstrdup(node);
    }
    pause_ms = BACKOFF_FIRST_MS << (b->failures < 6 ? b->failures : 6);
    b->until_ms = c->now_ms + (pause_ms < BACKOFF_MAX_MS ? pause_ms : BACKOFF_MAX_MS);
    b->failures++;
}

static bool backs_off(struct controller *c, const char *model, const char *node)
{
    const struct backoff *b = find_backoff(c, model, node);

    return b && b->until_ms > c->now_ms;
}

static struct start *start_of(struct controller *c, const char *uid)
{
    ARRAY_FOREACH(s, c, starts)
        if (s->uid[0] && strcmp(s->uid, uid) == 0)
            return s;
    return NULL;
}

static int64_t startup_limit_ms(const struct replica *r)
{
    const struct served_model *spec = replica_spec(r);
    int64_t limit = spec->readiness.startup_ms > 0 ? spec->readiness.startup_ms : 300000;

    return spec->startup_ms > 0 && 3 * spec->startup_ms > limit ? 3 * spec->startup_ms : limit;
}

static void give_up(struct controller *c, struct replica *r)
{
    struct start *s = start_of(c, r->name);
    struct replica *old = r->replaces ? named_find(&c->cluster->replicas, r->replaces) : NULL;

    core_event(c, true, "replica", r->name, "ReplicaGivenUp",
               "model %s did not become ready on node %s: %s", r->model->name, r->node->name,
               r->reason[0] ? r->reason : "no answer in time");
    back_off(c, r->model->name, r->node->name);
    if (s)
        s->state = START_GIVEN_UP;
    if (old) {
        old->keep = true;
        old->successor = NULL;
        (void)snprintf(old->why, sizeof(old->why), "kept: its move to %.64s was given up",
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

static void observe_replica(struct controller *c, struct replica *r)
{
    struct start *s;

    if (r->leaving == LEAVING_STOP) {
        if (is_gone(c, r))
            forget(c, r);
        return;
    }
    if (r->leaving == LEAVING_DRAIN) {
        step_draining(c, r);
        return;
    }
    if (never_came_up(c, r)) {
        give_up(c, r);
        return;
    }
    s = start_of(c, r->name);
    if (s && s->state == START_STARTED && replica_serves(c, r)) {
        s->state = START_READY;
        if (s->replaces[0]) {
            c->cluster->moves++;
            c->cluster->moved = true;
            marks_add(&c->cluster->move_marks, MOVE_MARKS_MOST, 0, c->wall_ms);
        }
    }
}

/* --- starting -----------------------------------------------------------------------------------
 */

static bool port_taken(const struct node *n, int64_t port)
{
    for (size_t i = 0; i < n->n_replicas; i++)
        if (n->replicas[i]->port == port)
            return true;
    return false;
}

/* Going round the range: a port that was just given up may still be known to somebody. */
static uint32_t pick_port(const struct controller *c, struct node *n, int64_t fixed)
{
    int64_t low = c->options.port_low, span = c->options.port_high - low + 1;

    if (fixed > 0)
        return port_taken(n, fixed) ? 0 : (uint32_t)fixed;
    for (int64_t i = 0; i < span; i++) {
        int64_t port = low + (n->next_port + i) % span;

        if (port_taken(n, port))
            continue;
        n->next_port = port - low + 1;
        return (uint32_t)port;
    }
    return 0;
}

static void make_uid(struct controller *c, const struct model *m, char uid[UID_MAX])
{
    do {
        uint64_t word = random_mix(random_hash(c->cluster->id) ^ ++c->cluster->uid_counter);

        (void)snprintf(uid, UID_MAX, "%.60s-%08x", m->name, (unsigned)(word >> 32));
    } while (named_find(&c->cluster->replicas, uid));
}

static void start_replica(struct controller *c, struct start *s, uint32_t port)
{
    struct replica *old = s->replaces[0] ? named_find(&c->cluster->replicas, s->replaces) : NULL;
    struct replica *r;

    make_uid(c, s->model, s->uid);
    r = replica_add(c->cluster, s->uid, s->model, s->node);
    r->port = port;
    r->gpu_mask = s->gpu_mask;
    r->since_ms = c->now_ms;
    r->created_wall_ms = c->wall_ms;
    if (old) {
        r->replaces = xstrdup(old->name);
        old->successor = r;
        old->keep = false;
        (void)snprintf(r->why, sizeof(r->why), "moves %.64s here from node %.64s", old->name,
                       old->node->name);
    } else {
        (void)snprintf(r->why, sizeof(r->why), "the plan wants %u replicas", s->model->plan_target);
    }
    s->state = START_STARTED;
    act_on_replica(c, r, old ? "move" : "start", r->why, "planner");
    replica_touch(c->cluster, r);
    s->model->alive++;
}

static const char *why_not_start(struct controller *c, const struct start *s)
{
    struct policy *policy = pool_policy(c->cluster, s->node->pool);
    bool move = s->replaces[0] != '\0';

    if (s->model->deleting)
        return "the model is being deleted";
    if (!node_schedulable(c->cluster, s->node, c->now_ms))
        return "its node cannot take replicas now";
    if (backs_off(c, s->model->name, s->node->name))
        return "it failed here before: backing off";
    if (policy && policy_spec(policy)->dry_run)
        return "dry run";
    if (!move)
        return NULL;
    if (reconcile_frozen(c))
        return reconcile_frozen(c);
    if (policy && !policy->window_open)
        return "outside the policy's windows";
    if (policy && policy_spec(policy)->budget.moves >= 0 &&
        policy->moves >= policy_spec(policy)->budget.moves)
        return "as many moves as allowed are in hand";
    if (s->model->alive >= s->model->plan_target + (uint32_t)model_spec(s->model)->disruption.surge)
        return "as many replicas above target as allowed";
    return NULL;
}

static void step_start(struct controller *c, struct start *s)
{
    struct policy *policy = pool_policy(c->cluster, s->node->pool);
    uint32_t port;

    if (s->state != START_PENDING)
        return;
    if (s->replaces[0]) { /* what it should replace is gone: it is a plain start now, or nothing */
        const struct replica *old = named_find(&c->cluster->replicas, s->replaces);

        if (!old || old->leaving != LEAVING_NO)
            s->replaces[0] = '\0';
    }
    s->waits = why_not_start(c, s);
    if (s->waits)
        return;
    port = pick_port(c, s->node, model_spec(s->model)->port);
    if (port == 0) {
        s->waits = "no free port on its node";
        return;
    }
    if (policy && s->replaces[0])
        policy->moves++;
    start_replica(c, s, port);
}

/* --- stopping what is surplus -------------------------------------------------------------------
 */

static bool may_drain(struct controller *c, const struct replica *r)
{
    struct policy *policy = pool_policy(c->cluster, r->node->pool);
    bool known, serves = replica_serves(c, r);
    uint32_t floor = model_floor(c, r->model, &known);

    if (r->keep || reconcile_frozen(c) || r->model->frozen)
        return false;
    if (policy && (policy_spec(policy)->dry_run || !policy->window_open))
        return false;
    if (r->successor && !replica_serves(c, r->successor))
        return false;
    if (!r->successor && (!known || r->model->slo_bad_since_ms != NEVER_MS))
        return false;
    if (c->options.front_door && !core_door_fresh(c))
        return false;
    return r->model->serving >= floor + (serves ? 1 : 0);
}

static void step_surplus(struct controller *c, struct replica *r)
{
    bool serves = replica_serves(c, r);

    if (!r->surplus || r->leaving != LEAVING_NO || r->node->record.state == NODE_UNREACHABLE)
        return;
    if (!may_drain(c, r))
        return;
    drain(c, r, r->successor ? "its successor serves" : "the plan does not need it");
    if (serves)
        r->model->serving--;
}

static void step_deleted(struct controller *c, struct model *m)
{
    struct effect *door;

    for (size_t i = 0; i < m->n_replicas; i++)
        if (m->replicas[i]->leaving == LEAVING_NO)
            drain(c, m->replicas[i], "its model was deleted");
    if (m->n_replicas > 0)
        return;
    if (m->told)
        fx_change(c->fx, CHANGE_DELETED, "servedmodels", m->name, core_next_version(c),
                  view_model(c, m));
    door = fx_add(c->fx, FX_DOOR);
    door->door.model = xstrdup(m->name);
    door->door.gone = true;
    core_plan_drop(c);
    model_remove(c->cluster, m);
}

void reconcile_replicas(struct controller *c)
{
    bool acting = core_plan_fresh(c) && !c->cluster->paused && !c->store_failed;

    for (size_t i = c->cluster->replicas.n_items; i-- > 0;)
        observe_replica(c, cluster_replica(c->cluster, i));
    for (size_t i = c->cluster->models.n_items; i-- > 0;)
        if (cluster_model(c->cluster, i)->deleting)
            step_deleted(c, cluster_model(c->cluster, i));
    if (!acting)
        return;
    ARRAY_FOREACH(s, c, starts)
        step_start(c, s);
    for (size_t i = 0; i < c->cluster->replicas.n_items; i++)
        step_surplus(c, cluster_replica(c->cluster, i));
}
