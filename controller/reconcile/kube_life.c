#include "controller/reconcile/kube_life.h"

#include <stdio.h>
#include <string.h>

#include "controller/kube_facts.h"
#include "controller/reconcile/wake_test.h"
#include "controller/state/snapshot_build.h"

#define CHECK_KEEPS_MS 10000
#define DAEMONS_MS                                                                                 \
    180000                 /* so long a woken node waits for its daemons: a broken roll-out is not \
                              to keep it closed for ever */
#define SCHEDULER_MS 30000 /* so long it may take to find that there is room again */

bool kube_life_acts(const struct controller *c, const struct node *n)
{
    if (!c->options.kubernetes || !c->cluster->leads || !c->kube.synced || !n->kube.known)
        return false;
    return !pool_passive(c->cluster, n->pool) || node_state_is_led(n->record.state);
}

bool kube_life_switches(const struct controller *c, const struct node *n)
{
    return kube_life_acts(c, n) && n->pool && strcmp(pool_spec(n->pool)->driver.type, "none") != 0;
}

static bool is_led(enum node_state s)
{
    return s == NODE_DRAINING || s == NODE_EMPTY || s == NODE_PREPARING;
}

static bool agent_fresh(const struct node *n, int64_t now_ms)
{
    return node_agent_age_ms(n, now_ms) <= 4 * node_interval_ms(n);
}

/* Ready, said by a kubelet of the boot of which the agent speaks. Where kubelets tell of no boot, a
 * heartbeat that is newer than the sleep has to do. */
static bool is_up(const struct node *n, int64_t now_ms)
{
    const struct node_kube *k = &n->kube;
    bool waited = k->late_ms > 0 && now_ms - k->late_ms >= DAEMONS_MS;

    if (!n->seen || !k->ready || (k->lacks && !waited))
        return false;
    return k->boot_id[0] ? strcmp(k->boot_id, n->boot_id) == 0
                         : strcmp(k->beat, k->slept_beat) != 0;
}

static void set_presence(const struct controller *c, const struct node *n, struct node_facts *f)
{
    int64_t agent_ms = node_agent_age_ms(n, c->now_ms);
    int64_t kubelet_ms = node_age_ms(c->cluster, n, c->now_ms);

    f->heard = n->seen;
    f->heard_ms = n->heard_ms;
    f->age_ms = agent_ms;
    switch (n->record.state) {
    case NODE_UNMANAGED:
    case NODE_AWAKE:
    case NODE_UNREACHABLE:
    case NODE_HELD:
        f->heard = n->kube.known;
        f->heard_ms = n->kube.ready ? c->now_ms : n->kube.unready_ms;
        f->age_ms = kubelet_ms;
        break;
    case NODE_DRAINING:
    case NODE_EMPTY:
    case NODE_PREPARING:
        if (kubelet_ms > agent_ms)
            f->age_ms = kubelet_ms;
        break;
    case NODE_SLEEPING: /* its agent's alone, which says goodbye */
        break;
    case NODE_ASLEEP:
    case NODE_WAKING:
    case NODE_QUARANTINED:
        if (is_up(n, c->now_ms))
            break;
        f->heard = false;
        f->age_ms = INT64_MAX;
        break;
    }
}

void kube_life_facts(const struct controller *c, const struct node *n, struct node_facts *f)
{
    const struct node_kube *k = &n->kube;

    set_presence(c, n, f);
    if (k->left > f->replicas)
        f->replicas = k->left;
    if (k->empty_ms == 0)
        f->empty_since_ms = 0;
    else if (k->empty_ms > f->empty_since_ms && f->empty_since_ms > 0)
        f->empty_since_ms = k->empty_ms;
    f->foreign_busy_permille = 0; /* pods are; at the end its agent judges by its own setting */
    f->door_quiet = k->empty_ms > 0;
}

static const char *not_checked(const struct controller *c, const struct node *n)
{
    const struct node_kube *k = &n->kube;
    const struct node_record *r = &n->record;

    if (k->stage != KUBE_STAGE_CLOSED)
        return "its taint and label have not been seen yet";
    if (strcmp(k->checked_op, r->op) != 0)
        return "the API server has not been asked yet";
    if (k->checked_ms == 0)
        return k->check_why;
    if (c->now_ms - k->checked_ms > CHECK_KEEPS_MS ||
        (r->state == NODE_PREPARING && k->checked_ms <= r->entered_ms))
        return "the API server has to be asked again";
    return NULL;
}

struct node_wants kube_life_commit(const struct node *n, struct node_wants w)
{
    const struct node_kube *k = &n->kube;

    if (n->record.restored || k->left > 0 || k->stage != KUBE_STAGE_CLOSED) {
        w.order = POWER_ORDER_CANCEL;
        w.cancel_op = n->record.op;
    } else if (strcmp(k->committed_op, n->record.op) != 0) {
        w.order = POWER_ORDER_PREPARE;
    }
    return w;
}

/* What stands against it turns a sleep back; a pod that waits does, unless a person wants the node
 * asleep. */
static void wish_back(const struct controller *c, const struct node *n, struct node_facts *f)
{
    bool person = n->record.by[0] && strcmp(n->record.by, "planner") != 0;

    if (f->withdraw)
        return;
    f->withdraw = pool_passive(c->cluster, n->pool);
    if (!f->withdraw)
        f->withdraw = n->kube.closed ? n->kube.closed : node_kube_stays(n);
    if (!f->withdraw && n->kube.pending && !person)
        f->withdraw = n->kube.pending;
    if (!f->withdraw)
        f->withdraw = kube_unseen(c);
}

/* Who was put to sleep while its pool acted is not lost to the cluster when it acts no more. */
static void wish_for_pending(const struct controller *c, const struct node *n, struct node_facts *f)
{
    bool lately = c->kube.opened_ms > 0 && c->now_ms - c->kube.opened_ms < SCHEDULER_MS;

    if (f->wake || !n->kube.pending || !n->pool || lately ||
        !(pool_passive(c->cluster, n->pool) ? budget_wakes_left(c, n) : budget_wake(c, n)))
        return;
    f->wake = n->kube.pending;
    f->wake_by = "pending";
}

void kube_life_wishes(const struct controller *c, const struct node *n, struct node_facts *f)
{
    enum node_state s = n->record.state;
    /* A wake test is asked for where waking is not proven: node_no_test() has judged the rest. */
    const char *no = wake_test_runs(&n->record) ? kube_life_no_sleep(c, n) : n->why_not_asleep;

    if (s == NODE_AWAKE && no)
        f->sleep = NULL;
    if (is_led(s))
        wish_back(c, n, f);
    if ((s == NODE_EMPTY || s == NODE_PREPARING) && !f->commit_not)
        f->commit_not = not_checked(c, n);
    if (s == NODE_SLEEPING || s == NODE_ASLEEP || s == NODE_QUARANTINED)
        wish_for_pending(c, n, f);
}

const char *kube_life_no_sleep(const struct controller *c, const struct node *n)
{
    if (!n->pool)
        return "in no pool";
    if (!n->kube.known)
        return "Kubernetes has no such node";
    if (!n->kube.ready)
        return "Kubernetes says that it is not ready";
    if (n->kube.closed)
        return n->kube.closed;
    if (node_kube_stays(n))
        return node_kube_stays(n);
    if (kube_life_switches(c, n) && n->kube.lacks)
        return n->kube.lacks;
    if (kube_life_switches(c, n) && !agent_fresh(n, c->now_ms))
        return "no agent reports from it, and only its own agent may put it to sleep";
    return n->twin.told ? reconcile_disputed(n) : kube_unseen(c);
}

void kube_life_followed(struct controller *c, struct node *n, const struct node_record *before)
{
    enum node_state s = n->record.state;

    if (s == NODE_SLEEPING)
        memcpy(n->kube.slept_beat, n->kube.beat, sizeof(n->kube.slept_beat));
    if (s == NODE_AWAKE && (before->state == NODE_WAKING || before->state == NODE_QUARANTINED) &&
        n->kube.lacks)
        core_event(c, true, "node", n->name, "DaemonMissing",
                   "it is opened without what it had before it slept: %s (waited for %d s; kubectl "
                   "describe pod tells why)",
                   n->kube.lacks, DAEMONS_MS / 1000);
    if (s == NODE_AWAKE && before->state != NODE_UNMANAGED && before->state != NODE_UNREACHABLE)
        c->kube.opened_ms = c->now_ms;
}

static bool is_candidate(const struct controller *c, const struct node *n)
{
    const struct power_policy *policy = node_policy(c->cluster, n);

    return n->verdict == PLAN_SLEEP && core_plan_fresh(c) && !n->why_not_asleep &&
           !c->cluster->paused && !policy->paused && !policy->dry_run;
}

enum kube_stage kube_life_stage(const struct controller *c, const struct node *n)
{
    const struct node_record *r = &n->record;

    switch (r->state) {
    case NODE_UNMANAGED:
        return KUBE_STAGE_NONE;
    case NODE_AWAKE:
        if (!kube_life_acts(c, n))
            return KUBE_STAGE_NONE;
        if (r->cordoned || r->drained)
            return KUBE_STAGE_DRAINING;
        return is_candidate(c, n) ? KUBE_STAGE_CANDIDATE : KUBE_STAGE_NONE;
    case NODE_DRAINING:
        return KUBE_STAGE_DRAINING;
    case NODE_EMPTY:
    case NODE_PREPARING:
    case NODE_SLEEPING:
    case NODE_ASLEEP:
    case NODE_WAKING:
        return KUBE_STAGE_CLOSED;
    case NODE_QUARANTINED:
        return r->quarantine == QUARANTINE_FOUND_OFF ? KUBE_STAGE_NONE : KUBE_STAGE_CLOSED;
    case NODE_HELD:
    case NODE_UNREACHABLE:
        /* One that is off stays as it is. */
        return n->kube.ready && (!n->seen || agent_fresh(n, c->now_ms)) ? KUBE_STAGE_NONE
                                                                        : KUBE_STAGE_KEPT;
    }
    return KUBE_STAGE_KEPT;
}

bool kube_life_evicts(const struct controller *c, const struct node *n)
{
    const struct power_policy *policy = node_policy(c->cluster, n);
    bool person = strcmp(n->record.by, "planner") != 0;

    return n->record.state == NODE_DRAINING && kube_life_acts(c, n) &&
           !pool_passive(c->cluster, n->pool) &&
           pool_spec(n->pool)->bystanders == POOL_BYSTANDERS_EVICT && !c->cluster->paused &&
           (person || (!policy->paused && !policy->dry_run)) && !kube_unseen(c);
}

bool kube_life_is_marked(const struct controller *c, const struct node *n)
{
    return (node_state_is_led(n->record.state) && kube_life_stage(c, n) != KUBE_STAGE_NONE) ||
           n->kube.stage != KUBE_STAGE_NONE || n->kube.has_power || n->kube.told_asleep;
}

const char *kube_life_stranded(const struct node *n)
{
    enum node_state s = n->record.state;

    if (s != NODE_ASLEEP && (s != NODE_QUARANTINED || n->kube.ready))
        return NULL;
    if (!n->pool)
        return "the PowerPool under which it was put to sleep is no more";
    return strcmp(pool_spec(n->pool)->driver.type, "none") == 0
               ? "its PowerPool has no driver that may wake it"
               : NULL;
}

void kube_life_say_stranded(struct controller *c, struct node *n)
{
    const char *why = kube_life_stranded(n);

    if (why && !n->kube.told_stranded)
        core_event(
            c, true, "node", n->name, "WakeByHand",
            "it is off, and %s%s%s: switch it on by hand, or declare that pool with its driver",
            why, n->record.pool[0] ? ": " : "", n->record.pool);
    n->kube.told_stranded = why != NULL;
}

enum kube_bind kube_life_bind(const struct controller *c, const struct node *n)
{
    if (!kube_life_acts(c, n) || pool_passive(c->cluster, n->pool) ||
        pool_spec(n->pool)->scheduling != POOL_SCHEDULING_BIND)
        return KUBE_BIND_NEVER;
    switch (n->record.state) {
    case NODE_UNMANAGED:
    case NODE_AWAKE:
    case NODE_HELD:
    case NODE_UNREACHABLE: /* its agent may be: pods are the kubelet's, of which others judge */
        return n->record.cordoned || n->record.drained ? KUBE_BIND_CLOSED : KUBE_BIND_OPEN;
    default:
        return KUBE_BIND_CLOSED;
    }
}
