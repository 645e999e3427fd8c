/* The life cycle of every node: facts and permissions are gathered, node_lifecycle() decides, and
 * what it wants is handed on. An edge is journalled in the same batch as what follows from it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/reconcile/kube_life.h"
#include "controller/reconcile/node_lifecycle.h"
#include "controller/reconcile/reconcile.h"
#include "controller/reconcile/wake_test.h"
#include "controller/state/node_energy.h"
#include "controller/state/snapshot_build.h"
#include "controller/substrate/standalone.h"
#include "proto/base/random.h"

#define PROBE_LIMIT_MS 30000
#define ACTION_LIMIT_MS 60000
#define BOOT_UTILIZATION 0.3 /* assumed */

static bool driver_wakes(const struct node *n)
{
    return n->pool && strcmp(pool_spec(n->pool)->driver.type, "none") != 0;
}

/* --- wishes -------------------------------------------------------------------------------------
 */

static bool by_person(const struct node *n)
{
    return n->ask_sleep_by[0] || wake_test_runs(&n->record) ||
           (n->record.by[0] && strcmp(n->record.by, "planner") != 0 &&
            strcmp(n->record.by, "recovery") != 0);
}

static void wish_sleep(struct controller *c, struct node *n, struct node_facts *f)
{
    if (!n->pool)
        n->ask_sleep_by[0] = '\0'; /* nobody is left who could grant it */
    if (n->ask_sleep_by[0]) {
        if (c->store_failed || (int64_t)n->pool->awake - 1 < pool_spec(n->pool)->min_awake)
            return;
        f->sleep = n->ask_reason[0] ? n->ask_reason : "a person asked for it";
        f->sleep_by = n->ask_sleep_by;
    } else if (n->verdict == PLAN_SLEEP && core_plan_fresh(c) && !budget_no_sleep(c, n)) {
        f->sleep = n->plan_why[0] ? n->plan_why : "the plan does not need it";
        f->sleep_by = "planner";
        f->joules = n->plan_joules;
    }
}

static const char *starving_model(struct controller *c, const struct node *n)
{
    bool known;

    for (size_t i = 0; i < c->cluster->models.n_items; i++) {
        const struct model *m = cluster_model(c->cluster, i);

        if (!m->deleting && m->serving < model_floor(c, m, &known) &&
            node_eligible(n, model_spec(m)))
            return m->name;
    }
    return NULL;
}

static void wish_withdraw(struct controller *c, struct node *n, struct node_facts *f)
{
    if (c->store_failed)
        f->withdraw = "the store cannot be written";
    else if (starving_model(c, n))
        f->withdraw = "a model is below its floor";
    else if (pool_is_released(n->pool))
        f->withdraw = "its pool is released";
    else if (by_person(n))
        return;
    else if (c->cluster->paused || node_policy(c->cluster, n)->paused)
        f->withdraw = "paused";
    else if (c->now_ms < c->clock_suspect_until_ms)
        f->withdraw = "the clock was set: suspect";
    else if (n->verdict == PLAN_WAKE)
        f->withdraw = "the plan needs it again";
    else if (n->placed_on && n->record.op_started_ms < (c->plan ? c->plan->snapshot->now_ms : 0))
        f->withdraw = "the plan places replicas on it";
}

/* The pool lacks awake nodes: the first sleeper by name that may be woken comes back. */
static bool pool_lacks(const struct controller *c, const struct node *n)
{
    struct limits l = budget_limits(c, n->pool);

    return limits_lacks(&l);
}

static void wish_wake(struct controller *c, struct node *n, struct node_facts *f)
{
    if (n->ask_wake_by[0]) {
        f->wake = n->ask_reason[0] ? n->ask_reason : "a person asked for it";
        f->wake_by = n->ask_wake_by;
        return;
    }
    if (!n->pool)
        return;
    if (pool_is_released(n->pool)) {
        if (n->record.state == NODE_SLEEPING || budget_release(c, n))
            f->wake = "its pool is released";
        f->wake_by = "release";
        return;
    }
    if ((n->record.state == NODE_ASLEEP || n->record.state == NODE_QUARANTINED) &&
        !budget_wake(c, n))
        return;
    f->wake_by = "planner";
    if (n->verdict == PLAN_WAKE && core_plan_fresh(c)) {
        f->wake = n->plan_why[0] ? n->plan_why : "the plan needs it";
    } else if (pool_lacks(c, n)) {
        f->wake = "its pool lacks awake nodes";
        f->wake_by = "recovery";
    } else if (!core_plan_fresh(c) && !c->warming_up && starving_model(c, n) &&
               n->pool->waking + n->pool->coming == 0) {
        f->wake = "a model is below its floor, and there is no plan";
        f->wake_by = "recovery";
    }
}

/* --- facts --------------------------------------------------------------------------------------
 */

static void settings_of(struct controller *c, const struct node *n, struct node_facts *f)
{
    const struct power_policy *policy = node_policy(c->cluster, n);

    f->in_pool = n->pool && node_is_selected(n, n->pool);
    f->driver_wakes = driver_wakes(n);
    f->other_machine = n->power_of_other;
    f->wake_proven = n->pool && pool_spec(n->pool)->wake_proven;
    f->proof_void = wake_proof_void(&n->record.proof, &n->inventory.identity, c->wall_ms);
    f->cycles_per_day = n->pool ? pool_spec(n->pool)->cycles_per_day : 0;
    f->interval_ms = node_interval_ms(n);
    f->boot_p99_ms = node_boot_p99_ms(n);
    f->settle_ms = policy->timing.settle_ms;
    f->cooldown_ms = policy->timing.cooldown_ms;
    f->drain_ms = policy->timing.drain_ms;
    f->prepare_ms = policy->timing.prepare_ms;
    f->bye_ms = policy->timing.bye_ms;
    f->wake_ms = policy->timing.wake_ms;
    f->max_asleep_ms = policy->timing.max_asleep_ms;
    f->wakes_left = budget_wakes_left(c, n);
}

void reconcile_facts(struct controller *c, struct node *n, struct node_facts *f)
{
    *f = (struct node_facts){
        .wall_ms = c->wall_ms,
        .term = c->cluster->term,
        .age_ms = node_age_ms(c->cluster, n, c->now_ms),
        .heard = n->seen,
        .heard_ms = n->heard_ms,
        .boot_id = n->boot_id,
        .meter_uj = n->energy_measured_uj,
        .identity = n->inventory.identity,
        .allow_sleep = n->inventory.allow_sleep,
        .two_key = n->two_key,
        .replicas = (uint32_t)(n->n_reported > n->n_replicas ? n->n_reported : n->n_replicas),
        .foreign_busy_permille = n->foreign_busy_permille,
        .empty_reports = n->empty_reports,
        .empty_since_ms = n->empty_since_ms,
        .door_quiet = n->n_replicas == 0,
        .stage = n->power_stage,
        .stage_op = n->power_op,
        .stage_reason = n->power_reason,
        .stage_ms = n->stage_ms,
        .power = (enum power_reading)n->power,
        .power_ms = n->power_ms,
        .held = n->record.held,
    };
    settings_of(c, n, f);
    if (!c->options.kubernetes) /* which alone knows which pods go with their node */
        f->replicas += (uint32_t)n->n_told_pods;
    if (kube_life_acts(c, n))
        kube_life_facts(c, n, f);
}

static void wishes_of(struct controller *c, struct node *n, struct node_facts *f, char op[OP_MAX])
{
    switch (n->record.state) {
    case NODE_AWAKE:
        wish_sleep(c, n, f);
        if (f->sleep)
            wish_withdraw(c, n, f);
        break;
    case NODE_DRAINING:
    case NODE_EMPTY:
    case NODE_PREPARING:
        wish_withdraw(c, n, f);
        if (n->record.state != NODE_DRAINING && !by_person(n) && !core_plan_fresh(c))
            f->commit_not = "the plan is old";
        else if (n->record.state != NODE_DRAINING)
            f->commit_not = budget_no_commit(c, n);
        wish_wake(c, n, f);
        if (f->wake && strcmp(f->wake_by, "planner") == 0 && !n->ask_wake_by[0])
            f->wake = NULL; /* that is wish_withdraw's */
        break;
    default:
        wish_wake(c, n, f);
        break;
    }
    (void)snprintf(
        op, OP_MAX, "%016llx%016llx",
        (unsigned long long)random_mix(random_hash(c->cluster->id) ^ (c->cluster->op_counter + 1)),
        (unsigned long long)random_mix(c->cluster->term ^ random_hash(n->name) ^
                                       (c->cluster->op_counter << 20)));
    f->new_op = op;
}

/* --- what follows from an edge ------------------------------------------------------------------
 */

static const char *act_of(const struct node_record *r)
{
    switch (r->state) {
    case NODE_DRAINING:
    case NODE_PREPARING:
    case NODE_SLEEPING:
    case NODE_ASLEEP:
        return "sleep";
    case NODE_WAKING:
        return "wake";
    case NODE_HELD:
        return "hold";
    case NODE_QUARANTINED:
        return "quarantine";
    case NODE_UNREACHABLE:
        return "lose";
    case NODE_AWAKE:
        return r->transition == 3 || r->transition == 5 || r->transition == 6 ? "abort" : "adopt";
    default:
        return "observe";
    }
}

static const char *event_of(const struct node_record *r, bool *ret_warning)
{
    *ret_warning = r->state == NODE_QUARANTINED || r->state == NODE_UNREACHABLE;
    switch (r->state) {
    case NODE_UNMANAGED:
        return "NodeUnmanaged";
    case NODE_AWAKE:
        return r->transition == 3 || r->transition == 5 || r->transition == 6 ? "SleepWithdrawn"
                                                                              : "NodeAwake";
    case NODE_DRAINING:
        return "NodeDraining";
    case NODE_EMPTY:
        return "NodeEmpty";
    case NODE_PREPARING:
        return "NodePreparing";
    case NODE_SLEEPING:
        return "NodeSleeping";
    case NODE_ASLEEP:
        return "NodeAsleep";
    case NODE_WAKING:
        return "NodeWaking";
    case NODE_HELD:
        return "NodeHeld";
    case NODE_UNREACHABLE:
        return "NodeUnreachable";
    case NODE_QUARANTINED:
        return "NodeQuarantined";
    }
    return "NodeChanged";
}

/* The time is measured. The joules are an estimate, for the agent's counters begin when it starts:
 * a machine that boots works a little. */
static void learn_wake(struct controller *c, struct node *n, const struct node_record *before)
{
    double boot_s = (double)(c->now_ms - before->op_started_ms) / 1000;

    if (before->op_started_ms <= 0 || boot_s <= 0)
        return;
    node_curve_learn_wake(&n->curve, boot_s,
                          boot_s * node_curve_watts(&n->curve, BOOT_UTILIZATION));
}

/* What a report over any time says of it: when it was off, and what the cycle cost. */
static void count_power(struct controller *c, struct node *n, const struct node_record *before)
{
    const struct node_record *r = &n->record;
    bool slept = before->state == NODE_ASLEEP, rose = before->state == NODE_WAKING;

    if (r->state == NODE_ASLEEP && !slept)
        node_energy_off(c->cluster, n, c->wall_ms);
    else if (r->state != NODE_ASLEEP && slept)
        node_energy_up(n, c->wall_ms);
    else if (!rose)
        return;
    if (r->state == NODE_AWAKE && (slept || rose) &&
        strcmp(n->boot_id, before->boot_id) != 0) /* else it never went off */
        node_energy_booted(c->cluster, n, c->wall_ms, r->wakes > before->wakes);
    core_store_power_marks(c, n);
}

static void follow(struct controller *c, struct node *n, const struct node_record *before, int t)
{
    const struct node_record *r = &n->record;
    bool warning;
    const char *reason = event_of(r, &warning);

    kube_life_followed(c, n, before);
    if (t == 2)
        c->cluster->op_counter++;
    if (t == 2)
        n->ask_sleep_by[0] = '\0';
    if (t == 8 || r->state == NODE_AWAKE) {
        n->ask_wake_by[0] = '\0';
        c->plan_wanted = true;
    }
    if (t == 9 && !before->restored)
        learn_wake(c, n, before);
    count_power(c, n, before);
    if (r->state == NODE_UNREACHABLE || r->state == NODE_QUARANTINED)
        c->plan_wanted = true;
    core_journal(c, &(struct journal_row){ .act = act_of(r),
                                           .kind = "node",
                                           .name = n->name,
                                           .reason = r->reason,
                                           .by = r->by,
                                           .op = r->op[0] ? r->op : before->op,
                                           .joules = r->joules,
                                           .transition = t });
    core_event(c, warning, "node", n->name, reason, "%s -> %s: %s", node_state_name(before->state),
               node_state_name(r->state), r->reason);
    for (size_t i = 0; i < n->n_replicas; i++) /* reachability decides what the door is told */
        model_door_due(c->cluster, n->replicas[i]->model);
    node_touch(c->cluster, n);
    budget_moved(c, n, before->state);
}

static json_t *json_texts(const struct string_list *l)
{
    json_t *a = json_array();

    for (size_t i = 0; i < l->n; i++)
        json_array_append_new(a, json_string(l->item[i]));
    return a;
}

static json_t *json_labels(const struct string_map *m)
{
    json_t *o = json_object();

    for (size_t i = 0; i < m->n; i++)
        json_object_set_new(o, m->pair[i].key, json_string(m->pair[i].value));
    return o;
}

static void call_driver(struct controller *c, struct node *n, enum power_action action)
{
    int64_t limit_ms = action == POWER_PROBE ? PROBE_LIMIT_MS : ACTION_LIMIT_MS;
    struct effect *e = fx_power(c->fx, n->name, n->record.op, action);
    json_t *node =
        json_pack("{s:s, s:s, s:o, s:o}", "name", n->name, "uid", n->uid, "mac",
                  json_texts(&n->inventory.macs), "labels", json_labels(&n->inventory.labels));

    e->power.revision = revision_ref(n->pool->revision);
    e->power.pool = &n->pool->revision->object->pool;
    e->power.attempt = (int)n->record.attempt + 1;
    e->power.node_json = json_dumps(node, JSON_COMPACT | JSON_SORT_KEYS);
    e->power.deadline_ms = c->now_ms + limit_ms;
    json_decref(node);
    n->power_busy = true;
    n->power_busy_until_ms = c->now_ms + limit_ms + 10000;
}

static void carry_out(struct controller *c, struct node *n, const struct node_facts *f)
{
    struct node_wants w = node_wants(&n->record, f, c->now_ms);

    if (n->power_busy && c->now_ms > n->power_busy_until_ms)
        n->power_busy = false; /* its answer was lost: observe again */
    if (n->power_busy || !n->pool)
        return;
    if (w.wake) {
        node_record_woken(&n->record, f, c->now_ms);
        budget_woken(c, n);
        call_driver(c, n, POWER_WAKE);
        node_touch(c->cluster, n);
    } else if (w.probe && c->now_ms >= n->probe_due_ms) {
        n->probe_due_ms = c->now_ms + 250;
        call_driver(c, n, POWER_PROBE);
    }
}

/* The other agent has another name by now, or was stopped. */
static void forget_twin(struct controller *c, struct node *n)
{
    if (!n->twin.told || twin_present(&n->twin, c->now_ms))
        return;
    n->twin = (struct twin){ 0 };
    c->plan_wanted = true;
    core_event(c, false, "node", n->name, "OneAgent", "one agent reports under this name again");
    node_touch(c->cluster, n);
}

const char *reconcile_disputed(const struct node *n)
{
    if (n->twin.told)
        return "two agents report under its name";
    return n->n_strangers > 0 ? "it runs replicas of models that nobody declared" : NULL;
}

/* --- on Kubernetes ------------------------------------------------------------------------------
 */

static void say_edge(struct node_record *r)
{
    const char *words = r->state == NODE_UNREACHABLE ? "Kubernetes says that it is not ready"
                        : r->transition == 13        ? "ready again"
                        : r->state == NODE_AWAKE     ? "in a pool and ready"
                                                     : NULL;

    if (words)
        (void)snprintf(r->reason, sizeof(r->reason), "%s", words);
}

/* Its life cycle is followed, never led. */
static void observe_node(struct controller *c, struct node *n)
{
    struct node_record before = n->record, after;
    const char *why = n->why_not_asleep;
    struct node_facts f;
    int t;

    forget_twin(c, n);
    reconcile_facts(c, n, &f);
    f.driver_wakes = f.wakes_left = false;
    f.power = POWER_UNKNOWN;
    f.new_op = "";
    f.heard = n->kube.known;
    f.heard_ms = n->kube.ready ? c->now_ms : n->kube.unready_ms;
    n->why_not_asleep = kube_life_no_sleep(c, n);
    if (!c->cluster->leads && node_state_is_led(n->record.state)) { /* as its NodePower says */
        if (why != n->why_not_asleep)
            node_touch(c->cluster, n);
        return;
    }
    t = node_lifecycle(&before, &f, c->now_ms, &after);
    if (t > 0)
        say_edge(&after);
    n->record = after;
    if (t > 0) {
        follow(c, n, &before, t);
        node_bind_pool(c->cluster, n);
    } else if (why != n->why_not_asleep) {
        node_touch(c->cluster, n);
    }
}

static const char *why_not_asleep(const struct controller *c, const struct node *n,
                                  const struct node_facts *f)
{
    const char *why = c->options.kubernetes ? kube_life_no_sleep(c, n) : NULL;

    if (!why && (!c->options.kubernetes || kube_life_switches(c, n)))
        why = node_no_sleep(&n->record, f, c->now_ms);
    return why ? why : reconcile_disputed(n);
}

void reconcile_node(struct controller *c, struct node *n)
{
    struct node_record before = n->record, after;
    struct node_facts f;
    char op[OP_MAX];
    int t;

    if (c->options.kubernetes && !kube_life_acts(c, n)) {
        observe_node(c, n);
        return;
    }
    forget_twin(c, n);
    reconcile_facts(c, n, &f);
    n->why_not_asleep = why_not_asleep(c, n, &f);
    wishes_of(c, n, &f, op);
    if (wake_test_runs(&n->record))
        test_wish(c, n, &f);
    if (n->n_strangers > 0)
        f.sleep = NULL;
    if (n->twin.told)
        f.withdraw = n->why_not_asleep = reconcile_disputed(n);
    if (c->options.kubernetes)
        kube_life_wishes(c, n, &f);
    t = node_lifecycle(&before, &f, c->now_ms, &after);
    n->record = after;
    if (t > 0)
        follow(c, n, &before, t);
    else if (after.bye != before.bye || after.wake_wanted != before.wake_wanted ||
             after.n_slept != before.n_slept)
        node_touch(c->cluster, n);
    test_told(c, n, &before);
    if (f.stage != POWER_STAGE_NONE)
        node_reply_due(c->cluster, n); /* an order may have to be called back */
    carry_out(c, n, &f);
    if (t > 0)
        node_bind_pool(c->cluster, n); /* what was done was its pool's */
    if (c->options.kubernetes)
        kube_life_say_stranded(c, n);
}

void reconcile_nodes(struct controller *c)
{
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++)
        reconcile_node(c, cluster_node(c->cluster, i));
}
