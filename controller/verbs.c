/* What a person asks for. A person wins (SAFETY R6): a wish is noted and reconcile carries it out
 * as far as the guarantees allow; what cannot be done is refused with the reason. */
#include <stdio.h>
#include <string.h>

#include "controller/core.h"
#include "controller/reconcile/kube_life.h"
#include "controller/reconcile/node_pause.h"
#include "controller/reconcile/reconcile.h"
#include "controller/reconcile/wake_test.h"
#include "controller/state/snapshot_build.h"

static const char *verb_name(enum verb v)
{
    static const char *const names[] = { "drain", "sleep",   "wake",  "cordon", "uncordon",
                                         "hold",  "release", "pause", "resume", "power-test" };

    return (size_t)v < sizeof(names) / sizeof(names[0]) ? names[v] : "?";
}

static void noted(struct controller *c, const struct controller_event *e, const char *kind,
                  const char *name)
{
    core_journal(c, &(struct journal_row){ .act = verb_name(e->verb.verb),
                                           .kind = kind,
                                           .name = name,
                                           .reason = e->verb.reason,
                                           .by = e->verb.who });
}

static void pause_cluster(struct controller *c, const struct controller_event *e, bool paused)
{
    c->cluster->paused = paused;
    (void)snprintf(c->cluster->paused_by, sizeof(c->cluster->paused_by), "%s",
                   paused ? e->verb.who : "");
    noted(c, e, "cluster", c->cluster->id);
    core_event(c, false, "cluster", c->cluster->id, paused ? "Paused" : "Resumed", "by %s%s%s",
               e->verb.who, e->verb.reason[0] ? ": " : "", e->verb.reason);
    fx_answer(c->fx, e->verb.ticket, 200, view_cluster(c), NULL);
}

/* On present facts: its pool may have been changed since the last reconciliation. */
static const char *why_not_asleep(struct controller *c, struct node *n)
{
    struct node_facts f;
    const char *why;

    reconcile_facts(c, n, &f);
    why = c->options.kubernetes ? kube_life_no_sleep(c, n) : NULL;
    if (!why)
        why = node_no_sleep(&n->record, &f, c->now_ms);
    return why ? why : reconcile_disputed(n);
}

static const char *ask_sleep(struct controller *c, struct node *n)
{
    const char *why;

    switch (n->record.state) {
    case NODE_AWAKE:
        break;
    case NODE_ASLEEP:
    case NODE_SLEEPING:
    case NODE_PREPARING:
    case NODE_EMPTY:
    case NODE_DRAINING:
        return NULL;
    default:
        return "only a node that is awake can be put to sleep";
    }
    if (!n->pool)
        return "it is in no pool";
    if (pool_is_released(n->pool))
        return pool_passive(c->cluster, n->pool);
    why = why_not_asleep(c, n);
    if (why)
        return why;
    if ((int64_t)n->pool->awake - 1 < pool_spec(n->pool)->min_awake)
        return "its pool would fall below its minimum of awake nodes";
    return "";
}

static const char *ask_wake(const struct node *n)
{
    if (n->record.state != NODE_ASLEEP && n->record.state != NODE_SLEEPING &&
        n->record.state != NODE_DRAINING && n->record.state != NODE_EMPTY &&
        n->record.state != NODE_PREPARING && n->record.state != NODE_QUARANTINED)
        return n->record.state == NODE_HELD ? "a person holds it: release it first" : NULL;
    if (!n->pool || strcmp(pool_spec(n->pool)->driver.type, "none") == 0)
        return "its pool has no driver that could wake it";
    return "";
}

/* A test that runs is joined: it is what was asked for. */
static const char *ask_test(struct controller *c, struct node *n, const struct controller_event *e,
                            char *text, size_t size)
{
    const char *why;

    if (wake_test_runs(&n->record))
        return NULL;
    why = test_refusal(c, n, e->verb.cycles, text, size);
    if (why)
        return why;
    n->ask_sleep_by[0] = n->ask_wake_by[0] = '\0';
    wake_test_begin(&n->record, e->verb.who, e->verb.cycles, c->wall_ms, c->now_ms);
    return "";
}

/* To wake a node is to stop its test, wherever that is; what the test began is turned back. */
static bool stop_test(struct controller *c, struct node *n, const struct controller_event *e)
{
    struct node_record before = n->record;
    char text[WAKE_TEST_TEXT_MAX];

    if (!wake_test_runs(&n->record))
        return false;
    (void)snprintf(text, sizeof(text), "stopped by %s", e->verb.who);
    wake_test_stop(&n->record, text, c->wall_ms);
    test_told(c, n, &before);
    return true;
}

/* NULL: it is so already; "" : noted; else why not, perhaps in `text`. */
static const char *apply(struct controller *c, struct node *n, const struct controller_event *e,
                         char *text, size_t size)
{
    struct node_record *r = &n->record;
    const char *why;

    switch (e->verb.verb) {
    case VERB_CORDON:
        r->cordoned = true;
        return "";
    case VERB_UNCORDON:
        r->cordoned = r->drained = false;
        return "";
    case VERB_DRAIN:
        r->cordoned = r->drained = true;
        return "";
    case VERB_HOLD:
        r->held = true;
        (void)snprintf(r->held_by, sizeof(r->held_by), "%s", e->verb.who);
        (void)snprintf(r->held_reason, sizeof(r->held_reason), "%s", e->verb.reason);
        return "";
    case VERB_RELEASE:
        r->held = false;
        r->held_by[0] = r->held_reason[0] = '\0';
        return "";
    case VERB_SLEEP:
        why = ask_sleep(c, n);
        if (why && !*why)
            (void)snprintf(n->ask_sleep_by, sizeof(n->ask_sleep_by), "%s", e->verb.who);
        break;
    case VERB_WAKE:
        why = stop_test(c, n, e) ? "" : ask_wake(n);
        if (why && !*why && r->state != NODE_AWAKE && r->state != NODE_WAKING)
            (void)snprintf(n->ask_wake_by, sizeof(n->ask_wake_by), "%s", e->verb.who);
        n->ask_sleep_by[0] = '\0';
        if (why && !*why && r->state == NODE_QUARANTINED) {
            r->attempt = 0; /* a person's word starts the tries anew */
            node_pause_tries(r, c->wall_ms, c->now_ms, 0);
        }
        break;
    case VERB_POWER_TEST:
        why = ask_test(c, n, e, text, size);
        break;
    default:
        return "not a verb for a node";
    }
    if (why && !*why)
        (void)snprintf(n->ask_reason, sizeof(n->ask_reason), "%s", e->verb.reason);
    return why;
}

#define OBSERVES                                                                                 \
    "observe: huddle acts on nothing here, and nodes are Kubernetes' own; use kubectl (cordon, " \
    "drain), after which huddle plans without the node"

/* A controller that does not lead could only note what the other one never hears of. */
static const char *pool_is_observed(const struct controller *c, const struct node *n)
{
    if (!c->options.kubernetes || kube_life_acts(c, n))
        return NULL;
    return pool_is_released(n->pool) ||
                   (!c->cluster->leads && pool_mode_now(c->cluster, n->pool) == POOL_MODE_ACT)
               ? pool_passive(c->cluster, n->pool)
               : OBSERVES;
}

/* Somewhere huddle acts, and it is not this controller that does. */
static bool is_led_elsewhere(const struct controller *c)
{
    for (size_t i = 0; c->options.kubernetes && !c->cluster->leads && i < c->cluster->pools.n_items;
         i++)
        if (pool_mode_now(c->cluster, cluster_pool(c->cluster, i)) == POOL_MODE_ACT)
            return true;
    return false;
}

void core_verb(struct controller *c, const struct controller_event *e)
{
    struct node *n;
    const char *why;
    char text[1024], refusal[512];

    if (is_led_elsewhere(c) && (e->verb.verb == VERB_PAUSE || e->verb.verb == VERB_RESUME)) {
        fx_answer(c->fx, e->verb.ticket, 422, NULL,
                  "another controller leads, and would go on: ask that one (huddlectl get cluster "
                  "names it), or set paused: true in the PowerPolicy");
        return;
    }
    if (e->verb.verb == VERB_PAUSE || e->verb.verb == VERB_RESUME) {
        pause_cluster(c, e, e->verb.verb == VERB_PAUSE);
        return;
    }
    n = named_find(&c->cluster->nodes, e->verb.node);
    if (!n) {
        (void)snprintf(text, sizeof(text), "Node \"%.253s\" not found", e->verb.node);
        fx_answer(c->fx, e->verb.ticket, 404, NULL, text);
        return;
    }
    why =
        pool_is_observed(c, n) ? pool_is_observed(c, n) : apply(c, n, e, refusal, sizeof(refusal));
    if (why && *why) {
        (void)snprintf(text, sizeof(text), "cannot %s node %.200s: %s", verb_name(e->verb.verb),
                       n->name, why);
        fx_answer(c->fx, e->verb.ticket, 422, NULL, text);
        return;
    }
    if (why) {
        noted(c, e, "node", n->name);
        node_touch(c->cluster, n);
        c->plan_wanted = true;
    }
    fx_answer(c->fx, e->verb.ticket, 200, view_node(c, n), NULL);
}
