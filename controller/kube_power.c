#include "controller/kube_power.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/reconcile/kube_life.h"
#include "controller/reconcile/node_lifecycle.h"
#include "controller/state/rows.h"
#include "controller/view.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

/* So many terms may follow each other under one leader: those of epoch E begin at (E + 1) * 64. */
#define TERMS_AN_EPOCH 64
#define EPOCHS_MOST 64 /* by which another leader can be ahead: a won Lease each is one */

/* --- from NodePowers ----------------------------------------------------------------------------
 */

static void note_state(struct node *n, const json_t *row)
{
    struct node_record r = { 0 };

    node_record_from_row(&r, row);
    n->kube.recorded_led = row && node_state_is_led(r.state);
}

/* The API has it: should this controller end now, the next one knows that the node goes off. */
static void note_commit(struct node *n, const json_t *row)
{
    struct node_record r = { 0 };

    node_record_from_row(&r, row);
    if (r.state == NODE_SLEEPING)
        (void)snprintf(n->kube.committed_op, sizeof(n->kube.committed_op), "%s", r.op);
}

void kube_power(struct controller *c, const struct kube_power_facts *f)
{
    struct node *n = named_find(&c->cluster->nodes, f->node);
    json_t *row;

    if (!n)
        return;
    n->kube.has_power = !f->gone;
    if (f->gone)
        n->kube.recorded_led = false;
    if (f->gone)
        return;
    row = json_loads(f->record, 0, NULL);
    note_state(n, row);
    if (c->cluster->leads && c->kube.synced && f->epoch <= c->kube.epoch) { /* our own */
        if (f->epoch == c->kube.epoch)
            note_commit(n, row);
        json_decref(row);
        node_reply_due(c->cluster, n);
        return;
    }
    if (!row) {
        if (*f->record)
            core_event(c, true, "node", n->name, "NodePowerUnreadable",
                       "the record in its NodePower is not JSON: it is taken to be awake");
        return;
    }
    n->record = (struct node_record){ 0 };
    node_record_from_row(&n->record, row);
    n->record = node_record_restart(&n->record, c->now_ms);
    node_bind_pool(c->cluster, n);
    json_decref(row);
    node_touch(c->cluster, n);
    c->plan_wanted = true;
}

void kube_check(struct controller *c, const struct kube_check_facts *f)
{
    struct node *n = named_find(&c->cluster->nodes, f->node);
    struct node_kube *k = n ? &n->kube : NULL;

    if (!n)
        return;
    (void)snprintf(k->checked_op, sizeof(k->checked_op), "%s", f->op);
    /* Who was listed before the node was seen closed may have come since. */
    k->checked_ms = *f->why || k->stage != KUBE_STAGE_CLOSED ? 0 : c->now_ms;
    (void)snprintf(k->check_why, sizeof(k->check_why), "%s", f->why);
    reconcile_node(c, n);
}

bool kube_power_term_is_ours(const struct controller *c, uint64_t term)
{
    return term / TERMS_AN_EPOCH <= c->kube.epoch + 1;
}

bool kube_power_term_is_far(const struct controller *c, uint64_t term)
{
    return term / TERMS_AN_EPOCH > c->kube.epoch + 1 + EPOCHS_MOST;
}

bool kube_power_see_term(struct controller *c, uint64_t term)
{
    uint64_t epochs = term / TERMS_AN_EPOCH; /* that have been, with epoch 0 */
    struct effect *e;

    if (epochs <= c->kube.epochs_seen)
        return false;
    c->kube.epochs_seen = epochs;
    e = fx_add(c->fx, FX_KUBE_EPOCH);
    e->wake_safe = true;
    e->kube_epoch = epochs - 1;
    return true;
}

void kube_power_begin(struct controller *c)
{
    uint64_t least = (c->kube.epoch + 1) * TERMS_AN_EPOCH;

    c->cluster->term = c->cluster->term + 1 > least ? c->cluster->term + 1 : least;
    c->meta_due = true;
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        struct node *n = cluster_node(c->cluster, i);

        n->record = node_record_restart(&n->record, c->now_ms);
        node_bind_pool(c->cluster, n);
        n->kube.told = 0;
        n->kube.checked_ms = 0;
        node_reply_due(c->cluster, n);
    }
}

/* --- to the edge --------------------------------------------------------------------------------
 */

/* As metav1.Condition, but for what the edge knows: observedGeneration, and since when where it was
 * so before. */
static json_t *condition(const struct controller *c, const struct node_record *r, const char *type,
                         bool so, const char *reason)
{
    int64_t wall_ms = r->entered_wall_ms > 0 ? r->entered_wall_ms : c->wall_ms;

    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "type", type, "status", so ? "True" : "False",
                     "reason", reason, "message", view_text(r->reason), "lastTransitionTime",
                     view_second(wall_ms));
}

static json_t *conditions_of(const struct controller *c, const struct node_record *r)
{
    static const char *const PHASES[] = {
        "Unmanaged", "Awake",  "Draining", "Empty",       "Preparing",   "Sleeping",
        "Asleep",    "Waking", "Held",     "Unreachable", "Quarantined",
    };
    static const char *const KINDS[] = { "NotQuarantined", "FailedWake", "StuckOn", "FoundOff" };
    bool out = r->state == NODE_QUARANTINED;
    const char *why = KINDS[out ? r->quarantine : QUARANTINE_NONE];
    bool failed = out && r->quarantine == QUARANTINE_FAILED_WAKE;

    return json_pack("[o, o, o]",
                     condition(c, r, "Asleep", r->state == NODE_ASLEEP, PHASES[r->state]),
                     condition(c, r, "WakeFailed", failed, failed ? why : "NotFailed"),
                     condition(c, r, "Quarantined", out, why));
}

static json_t *next_wake(const struct controller *c, const struct node *n)
{
    int64_t longest_ms = node_policy(c->cluster, n)->timing.max_asleep_ms;

    if (n->record.state != NODE_ASLEEP || longest_ms <= 0 || n->record.entered_wall_ms <= 0)
        return NULL;
    return view_second(n->record.entered_wall_ms + longest_ms);
}

static json_t *status_of(struct controller *c, const struct node *n)
{
    static const char *const WORDS[] = { "unknown", "on", "off" };
    const struct node_record *r = &n->record;
    uint64_t energy_uj = n->energy_measured_uj + n->energy_estimated_uj;
    json_t *row = node_record_to_row(r);
    char *record = json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);
    json_t *s =
        json_pack("{s:s, s:o, s:o, s:I, s:s, s:I, s:o, s:o}", "phase", node_state_name(r->state),
                  "since", view_time(r->entered_wall_ms), "reason", view_text(r->reason), "attempt",
                  (json_int_t)r->attempt, "powerReadback", WORDS[n->power], "cyclesToday",
                  (json_int_t)node_record_cycles(r, c->wall_ms), "op", view_text(r->op), "pool",
                  view_text(r->pool));

    json_object_set_new(s, "record", view_text(record));
    json_object_set_new(s, "joules", json_integer((json_int_t)(energy_uj / 1000000)));
    json_object_set_new(s, "conditions", conditions_of(c, r));
    json_object_set_new(s, "nextWake", next_wake(c, n)); /* none: not set */
    if (r->entered_wall_ms <= 0)
        json_object_del(s, "since");
    free(record);
    json_decref(row);
    return s;
}

static bool goes_to_sleep(enum node_state s)
{
    return s == NODE_EMPTY || s == NODE_PREPARING || s == NODE_SLEEPING || s == NODE_ASLEEP;
}

/* Of what changes seldom: no write because time passes. */
static uint64_t digest_of(const struct node *n, enum kube_stage stage, enum kube_bind bind,
                          bool evict, bool kept, bool spare, const char *record)
{
    uint64_t shape = (evict ? 256U : 0U) | (uint64_t)stage << 4 | (uint64_t)bind << 2 |
                     (spare ? 2U : 0U) | (kept ? 1U : 0U);
    uint64_t d = random_mix(shape + 1) ^ random_hash(record);

    return random_mix(d + (uint64_t)n->power) | 1;
}

/* Nothing of huddle's is on it, and nothing more is to come. */
static bool is_spare(const struct controller *c, const struct node *n)
{
    return kube_life_stage(c, n) == KUBE_STAGE_NONE && (!n->pool || pool_is_released(n->pool));
}

static void tell(struct controller *c, struct node *n)
{
    bool spare = is_spare(c, n);
    /* Of a passive pool, too, a NodePower does not go on to tell of what is over. */
    bool kept = !spare && (kube_life_acts(c, n) || n->kube.recorded_led);
    enum kube_stage stage = kube_life_stage(c, n);
    enum kube_bind bind = kube_life_bind(c, n);
    bool evict = kube_life_evicts(c, n);
    enum node_state state = n->record.state;
    json_t *status = kept ? status_of(c, n) : NULL;
    uint64_t digest = digest_of(n, stage, bind, evict, kept, spare,
                                kept ? json_string_value(json_object_get(status, "record")) : "");
    bool clean = n->kube.stage == KUBE_STAGE_NONE && !(spare && n->kube.has_power);
    struct effect *e;

    if (digest == n->kube.told || (!kept && n->kube.told == 0 && clean)) {
        json_decref(status);
        return;
    }
    n->kube.told = digest;
    n->kube.told_stage = (int)stage;
    n->kube.told_spare = spare;
    n->kube.told_bind = (int)bind;
    n->kube.told_evict = evict;
    e = fx_add(c->fx, FX_KUBE_NODE);
    e->wake_safe = !goes_to_sleep(state);
    e->kube_node.node = xstrdup(n->name);
    e->kube_node.epoch = c->kube.epoch;
    e->kube_node.stage = stage;
    e->kube_node.bind = bind;
    e->kube_node.evict = evict;
    e->kube_node.asleep = goes_to_sleep(state);
    e->kube_node.check = state == NODE_EMPTY || state == NODE_PREPARING;
    e->kube_node.op = xstrdup(n->record.op);
    e->kube_node.spare = spare;
    e->kube_node.status = status;
}

void kube_power_flush(struct controller *c)
{
    if (!c->options.kubernetes || !c->cluster->leads || !c->kube.synced)
        return;
    for (size_t i = 0; i < c->cluster->n_dirty_nodes; i++)
        tell(c, c->cluster->dirty_nodes[i]);
    for (size_t i = 0; i < c->cluster->nodes.n_items && c->reconciled_ms == c->now_ms; i++) {
        struct node *n = cluster_node(c->cluster, i); /* by a plan, or as time passes */

        if ((int)kube_life_stage(c, n) != n->kube.told_stage ||
            (int)kube_life_bind(c, n) != n->kube.told_bind ||
            kube_life_evicts(c, n) != n->kube.told_evict || is_spare(c, n) != n->kube.told_spare)
            tell(c, n);
    }
}
