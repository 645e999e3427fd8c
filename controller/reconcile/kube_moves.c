/* The plan's moves on Kubernetes: which pods are asked to be moved, carried on or taken back, and
 * what came of it. What must never happen here: a move that the plan, a pool's mode, a budget or a
 * person does not want; two of one model at once.
 *
 * Nothing of it is stored. A move that stands in the cluster is a pod that is to take another's
 * place (kube_pod_facts.replaces); if a plan began it, in whatever life of whatever controller, it
 * is carried on, or taken back where nothing may be done. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_facts.h"
#include "controller/reconcile/reconcile.h"
#include "controller/state/snapshot_build.h"
#include "proto/base/array.h"

#define MOVES_MOST 8 /* at once, whatever budgets allow: each is a thread that asks the server */

static const char UNWANTED[] = "the plan does not want it any more";

/* --- those in hand ------------------------------------------------------------------------------
 */

static struct replica *victim_of(const struct controller *c, const struct kube_move *m)
{
    return named_find(&c->cluster->replicas, m->uid);
}

static struct kube_move *find_move(struct controller *c, const char *uid)
{
    ARRAY_FOREACH(m, &c->kube, moves)
        if (strcmp(m->uid, uid) == 0)
            return m;
    return NULL;
}

/* The pod that is to take the victim's place; NULL: it is not there yet. */
static struct replica *surge_of(const struct controller *c, const char *uid)
{
    for (size_t i = 0; i < c->cluster->replicas.n_items; i++) {
        struct replica *r = cluster_replica(c->cluster, i);

        if (r->replaces && strcmp(r->replaces, uid) == 0 && r->leaving == LEAVING_NO)
            return r;
    }
    return NULL;
}

static void move_done(struct kube_move *m)
{
    free(m->model);
    free(m->uid);
    free(m->pod);
    free(m->node);
}

static void drop_move(struct controller *c, const struct kube_move *m)
{
    size_t i = (size_t)(m - c->kube.moves);

    move_done(&c->kube.moves[i]);
    ARRAY_REMOVE_SWAP(&c->kube, moves, i);
}

void kube_moves_done(struct controller *c)
{
    ARRAY_FOREACH(m, &c->kube, moves)
        move_done(m);
    free(c->kube.moves);
}

static void order(struct controller *c, struct kube_move *m)
{
    struct effect *e = fx_add(c->fx, FX_KUBE_MOVE);

    m->asked_ms = c->now_ms;
    e->kube_move.model = xstrdup(m->model);
    e->kube_move.uid = xstrdup(m->uid);
    e->kube_move.pod = xstrdup(m->pod);
    e->kube_move.node = xstrdup(m->node);
    e->kube_move.abort = m->back != NULL;
}

static struct kube_move *take_in_hand(struct controller *c, const struct replica *old,
                                      const struct node *to)
{
    struct kube_move *m = ARRAY_ADD(&c->kube, moves);

    *m = (struct kube_move){ .model = xstrdup(old->model->name),
                             .uid = xstrdup(old->name),
                             .pod = xstrdup(old->pod),
                             .node = xstrdup(to->name),
                             .since_ms = c->now_ms };
    return m;
}

void kube_moves_count(struct controller *c)
{
    ARRAY_FOREACH(m, &c->kube, moves) {
        const struct node *n = named_find(&c->cluster->nodes, m->node);
        struct policy *policy = n ? pool_policy(c->cluster, n->pool) : NULL;

        if (policy && !surge_of(c, m->uid)) /* else it is counted as a replica that replaces */
            policy->moves++;
    }
}

/* --- carrying on, taking back -------------------------------------------------------------------
 */

/* Why nothing may go on between these two nodes, not even what was begun; NULL: it may. Leading
 * apart. */
static const char *stopped(const struct controller *c, const struct node *from,
                           const struct node *to)
{
    const struct node *const ends[] = { from, to };

    if (c->cluster->paused)
        return "paused by a person";
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        const struct pool *p = ends[i] ? ends[i]->pool : NULL;
        const struct policy *policy = pool_policy(c->cluster, p);

        if (pool_passive(c->cluster, p))
            return pool_passive(c->cluster, p);
        if (policy && policy_spec(policy)->paused)
            return "its policy is paused";
        if (policy && policy_spec(policy)->dry_run)
            return "dry run";
    }
    return NULL;
}

/* Does the plan in force, made when the move was known, have the pod where it was? */
static bool is_unwanted(struct controller *c, const struct kube_move *m, const struct replica *old)
{
    if (!core_plan_fresh(c) || c->plan->snapshot->now_ms <= m->since_ms)
        return false;
    ARRAY_FOREACH(s, c, starts)
        if (strcmp(s->replaces, m->uid) == 0)
            return strcmp(s->node->name, m->node) != 0;
    return !old->surplus;
}

static const char *why_back(struct controller *c, const struct kube_move *m,
                            const struct replica *old)
{
    const char *why = stopped(c, old->node, named_find(&c->cluster->nodes, m->node));

    if (old->model->deleting)
        return "the model is being deleted";
    if (why)
        return why;
    return is_unwanted(c, m, old) ? UNWANTED : NULL;
}

static void look_after(struct controller *c, struct kube_move *m, const struct replica *old)
{
    const char *back = why_back(c, m, old);

    if (back && !m->back) {
        m->back = back;
        m->asked_ms = NEVER_MS;
        act_on_replica(c, old, "abort", back, "recovery");
    }
    if (m->asked_ms == NEVER_MS || c->now_ms - m->asked_ms >= KUBE_MOVE_AGAIN_MS)
        order(c, m);
}

/* Whoever began it. */
static void find_moves(struct controller *c)
{
    for (size_t i = 0; i < c->cluster->replicas.n_items; i++) {
        const struct replica *r = cluster_replica(c->cluster, i);
        const struct replica *old =
            r->replaces && r->planned ? named_find(&c->cluster->replicas, r->replaces) : NULL;

        if (!old || old->model != r->model || r->leaving != LEAVING_NO || find_move(c, old->name))
            continue;
        take_in_hand(c, old, r->node)->asked_ms = NEVER_MS;
        core_event(c, false, "replica", old->name, "MoveFound",
                   "pod %s is to take the place of %s: its move to node %s goes on", r->pod,
                   old->pod, r->node->name);
    }
}

static void look_after_all(struct controller *c)
{
    for (size_t i = c->kube.n_moves; i-- > 0;) {
        struct kube_move *m = &c->kube.moves[i];
        const struct replica *old = victim_of(c, m);

        if (old) {
            look_after(c, m, old);
        } else if (!m->back && !named_find(&c->cluster->models, m->model)) {
            m->back = "its model is no more";
            order(c, m);
        } else if (m->asked_ms == NEVER_MS || c->now_ms - m->asked_ms >= KUBE_MOVE_AGAIN_MS) {
            drop_move(c, m); /* what comes of it is told all the same */
        }
    }
}

/* --- beginning ----------------------------------------------------------------------------------
 */

static bool moves_already(struct controller *c, const struct model *m)
{
    ARRAY_FOREACH(one, &c->kube, moves)
        if (strcmp(one->model, m->name) == 0)
            return true;
    for (size_t i = 0; i < m->n_replicas; i++) /* also by hand */
        if (m->replicas[i]->replaces || m->replicas[i]->leaving != LEAVING_NO)
            return true;
    return false;
}

/* Of the model as it is now. */
static const char *model_stays(struct controller *c, const struct model *m)
{
    bool known;

    if (m->kube.held)
        return "its pods cannot be moved: huddlectl explain model says why";
    if (moves_already(c, m))
        return "another replica of the model is being moved, or is ending";
    if (m->frozen)
        return "its model is frozen";
    if (start_backs_off(c, m->name, ""))
        return "the plan has changed its mind on a move of the model: it rests for a while";
    if (m->slo_bad_since_ms != NEVER_MS)
        return "its model misses its SLO";
    if (m->serving < m->alive || m->kube.pending > 0)
        return "not all replicas of its model serve";
    return m->serving < model_floor(c, m, &known) ? "its model is below its floor" : NULL;
}

static const char *why_not(struct controller *c, const struct start *s, const struct replica *old)
{
    const char *why = start_why_not(c, s);

    if (why)
        return why;
    if (!old || !old->pod)
        return "new replicas are its workload's to make, and the scheduler's to place";
    if (s->renews)
        return "a roll-out is its workload's";
    why = stopped(c, old->node, s->node);
    if (why)
        return why;
    if (old->leaving != LEAVING_NO)
        return "the pod is ending";
    why = model_stays(c, s->model);
    if (why)
        return why;
    return c->kube.n_moves >= MOVES_MOST ? "as many moves as the controller carries out at once"
                                         : NULL;
}

static void begin(struct controller *c, struct start *s, struct replica *old)
{
    struct policy *policy = pool_policy(c->cluster, s->node->pool);

    (void)snprintf(old->why, sizeof(old->why), "moves to node %.64s: the plan wants it there",
                   s->node->name);
    act_on_replica(c, old, "move", old->why, "planner");
    replica_touch(c->cluster, old);
    if (policy)
        policy->moves++;
    order(c, take_in_hand(c, old, s->node));
    s->waits = "its move is under way";
}

static void step(struct controller *c, struct start *s, bool acting)
{
    struct replica *old = s->replaces[0] ? named_find(&c->cluster->replicas, s->replaces) : NULL;
    const struct kube_move *m = old ? find_move(c, old->name) : NULL;

    if (s->state != START_PENDING)
        return;
    if (m) {
        s->waits = m->back ? "its move is taken back" : "its move is under way";
        return;
    }
    s->waits = why_not(c, s, old);
    if (!s->waits && !acting)
        s->waits = "the plan is too old to act on";
    if (!s->waits && old)
        begin(c, s, old);
}

void reconcile_kube_moves(struct controller *c, bool acting)
{
    start_forget_failures(c);
    if (c->cluster->leads && !c->store_failed && !kube_unseen(c)) {
        find_moves(c);
        look_after_all(c);
    }
    ARRAY_FOREACH(s, c, starts)
        step(c, s, acting);
}

/* --- for people ---------------------------------------------------------------------------------
 */

/* Why no pod of it may be moved, by where they are; NULL: one may be. */
static const char *all_stopped(const struct controller *c, const struct model *m)
{
    const char *why = NULL;

    for (size_t i = 0; i < m->n_replicas; i++) {
        why = stopped(c, m->replicas[i]->node, m->replicas[i]->node);
        if (!why)
            return NULL;
    }
    return why;
}

/* What a move of it that the plan wants waits for; NULL: it wants none. */
static const char *planned_move(struct controller *c, const struct model *m)
{
    ARRAY_FOREACH(s, c, starts)
        if (s->model == m && s->replaces[0] && s->state == START_PENDING)
            return s->waits ? s->waits : "it is about to begin";
    return NULL;
}

struct kube_moves_word kube_moves_tell(struct controller *c, const struct model *m)
{
    const char *why = all_stopped(c, m);

    if (m->n_replicas == 0)
        return (struct kube_moves_word){ false, "NoPods", "no pod of it is on a node" };
    ARRAY_FOREACH(move, &c->kube, moves)
        if (!move->back && strcmp(move->model, m->name) == 0)
            return (struct kube_moves_word){ true, "Moving", "one of its pods is being moved" };
    if (why)
        return (struct kube_moves_word){ false, "Stopped", why };
    if (m->kube.held)
        return (struct kube_moves_word){ false, "NotMovable", m->kube.held };
    if (m->frozen || m->slo_bad_since_ms != NEVER_MS)
        return (struct kube_moves_word){ false, "Frozen",
                                         "its SLO is missed: nothing of it is moved" };
    why = planned_move(c, m);
    return why ? (struct kube_moves_word){ true, "Planned", why }
               : (struct kube_moves_word){ true, "Settled",
                                           "its pods are where the plan wants them" };
}

/* --- what came of it ----------------------------------------------------------------------------
 */

static void count_move(struct controller *c, const struct kube_move *m)
{
    struct model *model = m ? named_find(&c->cluster->models, m->model) : NULL;

    if (model)
        model->moved_wall_ms = c->wall_ms;
    c->cluster->moves++;
    c->cluster->moved = true;
    marks_add(&c->cluster->move_marks, MOVE_MARKS_MOST, 0, c->wall_ms);
}

static void say_kept(struct controller *c, struct replica *old, const char *node, const char *why)
{
    if (!old)
        return;
    (void)snprintf(old->why, sizeof(old->why), "stays: its move to %.40s: %.90s", node, why);
    replica_touch(c->cluster, old);
}

void kube_moved(struct controller *c, const struct kube_moved *e)
{
    struct kube_move *m = find_move(c, e->uid);
    struct replica *old = named_find(&c->cluster->replicas, e->uid);
    const char *back = m ? m->back : NULL;

    c->plan_wanted = true;
    switch (e->end) {
    case KUBE_MOVE_DONE:
        count_move(c, m);
        if (m)
            start_back_again(c, m->model, "");
        core_event(c, false, "replica", e->uid, "Moved", "pod %s was moved to node %s", e->pod,
                   e->node);
        break;
    case KUBE_MOVE_REFUSED:
    case KUBE_MOVE_ABORTED:
        core_event(c, !back, "replica", e->uid,
                   e->end == KUBE_MOVE_REFUSED ? "MoveRefused" : "MoveAborted",
                   "pod %s stays, and was to move to node %s: %s: %s", e->pod, e->node, e->reason,
                   back ? back : e->why);
        say_kept(c, old, e->node, back ? back : e->why);
        if (m && !back)
            start_back_off(c, m->model, m->node);
        /* A plan that changes each round would have a pod made and deleted in each. */
        if (m && back == UNWANTED && e->end == KUBE_MOVE_ABORTED)
            start_back_off(c, m->model, "");
        break;
    case KUBE_MOVE_LEFT:
        core_event(c, true, "replica", e->uid, "MoveInterrupted",
                   "the move of pod %s to node %s: %s", e->pod, e->node, e->why);
        if (m && surge_of(c, e->uid)) { /* it stands there: asked for again after a while */
            m->asked_ms = c->now_ms;
            return;
        }
        say_kept(c, old, e->node, e->why);
        if (m)
            start_back_off(c, m->model, m->node);
        break;
    }
    if (m)
        drop_move(c, m);
}
