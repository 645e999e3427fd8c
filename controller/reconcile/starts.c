/* Starting replicas: new ones, moves and renewals. What must never happen here: a start that nobody
 * will remember, one more than surge and budgets allow. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/reconcile/reconcile.h"
#include "controller/reconcile/rollout.h"
#include "controller/state/snapshot_build.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

#define BACKOFF_FIRST_MS 60000
#define BACKOFF_MAX_MS 3600000
#define PORTS_IN_A_ROW 8

/* --- backing off --------------------------------------------------------------------------------
 */

static struct backoff *find_backoff(struct controller *c, const char *model, const char *node)
{
    ARRAY_FOREACH(b, c, backoffs)
        if (strcmp(b->model, model) == 0 && strcmp(b->node, node) == 0)
            return b;
    return NULL;
}

static struct backoff *get_backoff(struct controller *c, const char *model, const char *node)
{
    struct backoff *b = find_backoff(c, model, node);

    if (b)
        return b;
    b = ARRAY_ADD(c, backoffs);
    b->model = xstrdup(model);
    b->node = xstrdup(node);
    b->until_ms = c->now_ms;
    return b;
}

/* A range of ports full of strangers is not searched through in one go. */
bool start_other_port(struct controller *c, const char *model, const char *node)
{
    struct backoff *b = get_backoff(c, model, node);

    b->until_ms = c->now_ms; /* it is remembered as long as a failure is */
    b->ports = b->ports < PORTS_IN_A_ROW ? b->ports + 1 : 0;
    return b->ports > 0;
}

void start_back_off(struct controller *c, const char *model, const char *node)
{
    struct backoff *b = get_backoff(c, model, node);
    int64_t pause_ms;

    pause_ms = BACKOFF_FIRST_MS << (b->failures < 6 ? b->failures : 6);
    b->until_ms = c->now_ms + (pause_ms < BACKOFF_MAX_MS ? pause_ms : BACKOFF_MAX_MS);
    b->failures++;
}

static void drop_backoff(struct controller *c, size_t i)
{
    free(c->backoffs[i].model);
    free(c->backoffs[i].node);
    ARRAY_REMOVE_SWAP(c, backoffs, i);
}

void start_try_again(struct controller *c, const char *model)
{
    for (size_t i = c->n_backoffs; i-- > 0;)
        if (strcmp(c->backoffs[i].model, model) == 0)
            drop_backoff(c, i);
}

void start_back_again(struct controller *c, const char *model, const char *node)
{
    const struct backoff *b = find_backoff(c, model, node);

    if (b)
        drop_backoff(c, (size_t)(b - c->backoffs));
}

void start_forget_failures(struct controller *c)
{
    for (size_t i = c->n_backoffs; i-- > 0;) {
        const struct backoff *b = &c->backoffs[i];

        if (c->now_ms - b->until_ms > BACKOFF_MAX_MS ||
            !named_find(&c->cluster->models, b->model) ||
            (*b->node && !named_find(&c->cluster->nodes, b->node)))
            drop_backoff(c, i);
    }
}

bool start_backs_off(struct controller *c, const char *model, const char *node)
{
    const struct backoff *b = find_backoff(c, model, node);

    return b && b->until_ms > c->now_ms;
}

struct start *start_of(struct controller *c, const char *uid)
{
    ARRAY_FOREACH(s, c, starts)
        if (s->uid[0] && strcmp(s->uid, uid) == 0)
            return s;
    return NULL;
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

static void say_why(struct replica *r, const struct start *s, const struct replica *old)
{
    if (!old)
        (void)snprintf(r->why, sizeof(r->why), "the plan wants %u replicas", s->model->plan_target);
    else if (s->renews)
        (void)snprintf(r->why, sizeof(r->why),
                       "with generation %" PRIu64 " in place of %.60s on node %.50s",
                       r->revision->object->meta.generation, old->name, old->node->name);
    else
        (void)snprintf(r->why, sizeof(r->why), "moves %.64s here from node %.64s", old->name,
                       old->node->name);
}

static void start_replica(struct controller *c, struct start *s, struct revision *revision,
                          uint32_t port)
{
    struct replica *old = s->replaces[0] ? named_find(&c->cluster->replicas, s->replaces) : NULL;
    struct replica *r;

    make_uid(c, s->model, s->uid);
    r = replica_add(c->cluster, s->uid, s->model, s->node);
    replica_set_revision(r, revision);
    r->port = port;
    r->gpu_mask = s->gpu_mask;
    r->since_ms = c->now_ms;
    r->created_wall_ms = c->wall_ms;
    if (old) {
        r->replaces = xstrdup(old->name);
        old->successor = r;
        old->keep = false;
    }
    say_why(r, s, old);
    s->state = START_STARTED;
    act_on_replica(c, r, !old ? "start" : s->renews ? "renew" : "move", r->why, "planner");
    replica_touch(c->cluster, r);
    s->model->alive++;
}

/* Of an exclusive model every replica counts that is not known to have ended: on a silent node too.
 */
static bool exclusive_waits(const struct model *m)
{
    uint32_t may_run = 0;

    for (size_t i = 0; i < m->n_replicas; i++)
        may_run +=
            m->replicas[i]->leaving != LEAVING_STOP || !reconcile_is_off(m->replicas[i]->node);
    return model_spec(m)->exclusive && may_run >= m->plan_target;
}

const char *start_why_not(struct controller *c, const struct start *s)
{
    struct policy *policy = pool_policy(c->cluster, s->node->pool);
    bool move = s->replaces[0] != '\0';
    struct limits l;

    if (s->model->deleting)
        return "the model is being deleted";
    if (exclusive_waits(s->model))
        return "it is exclusive, and the one before may still run";
    if (!node_schedulable(c->cluster, s->node, c->now_ms))
        return "its node cannot take replicas now";
    if (start_backs_off(c, s->model->name, s->node->name))
        return "it failed here before: backing off";
    if (pool_passive(c->cluster, s->node->pool))
        return pool_passive(c->cluster, s->node->pool);
    if (policy && policy_spec(policy)->dry_run)
        return "dry run";
    if (!move)
        return NULL;
    if (s->renews && !model_renews(s->model, c->wall_ms))
        return "the roll-out does not go on now";
    if (reconcile_frozen(c))
        return reconcile_frozen(c);
    l = budget_limits(c, s->node->pool);
    return limits_no_move(&l, s->model->alive, s->model->plan_target, model_spec(s->model));
}

void start_step(struct controller *c, struct start *s)
{
    struct policy *policy = pool_policy(c->cluster, s->node->pool);
    struct revision *revision;
    uint32_t port;

    if (s->state != START_PENDING)
        return;
    if (s->replaces[0]) { /* what it should replace is gone: it is a plain start now, or nothing */
        const struct replica *old = named_find(&c->cluster->replicas, s->replaces);

        if (!old || old->leaving != LEAVING_NO)
            s->replaces[0] = '\0';
    }
    if (!s->replaces[0])
        s->renews = false;
    s->waits = start_why_not(c, s);
    if (s->waits)
        return;
    revision = rollout_revision(c, s, &s->waits);
    if (!revision)
        return;
    port = pick_port(c, s->node, revision->object->model.port);
    if (port == 0) {
        s->waits = "no free port on its node";
        return;
    }
    if (policy && s->replaces[0])
        policy->moves++;
    start_replica(c, s, revision, port);
}
