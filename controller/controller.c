/* controller_step(): events in, effects out. This file only begins, dispatches and ends a step;
 * what is decided is decided in reconcile/, and what is told in flush.c. */
#include "controller/controller.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/core.h"
#include "controller/kube_facts.h"
#include "controller/kube_power.h"
#include "controller/reconcile/reconcile.h"
#include "controller/state/kube_node.h"
#include "controller/state/machine_uuid.h"
#include "controller/state/node_report.h"
#include "controller/state/snapshot_build.h"
#include "proto/base/array.h"

#define TICK_MS 500
#define POWER_RETRY_MOST_MS 300000 /* whatever a driver says */
#define REPORT_INTERVAL_MS 5000
#define PORT_LOW 20000
#define PORT_HIGH 29999
#define COUNTERS_EVERY_MS 60000
#define PICTURE_KEEPS_MS 1000
#define FIGURES_EVERY_MS 2000

/* --- birth and death ----------------------------------------------------------------------------
 */

static struct manifest *default_policy(void)
{
    struct manifest *m = NULL;
    json_t *doc = json_pack("{s:s, s:s, s:{s:s}, s:{}}", "apiVersion", MANIFEST_API_VERSION, "kind",
                            "PowerPolicy", "metadata", "name", "default", "spec");

    if (manifest_from_json(doc, "default policy", &m, NULL) < 0)
        m = NULL;
    json_decref(doc);
    return m;
}

static void set_options(struct controller *c, const struct controller_options *o)
{
    c->options = *o;
    if (c->options.tick_ms <= 0)
        c->options.tick_ms = TICK_MS;
    if (c->options.report_interval_ms <= 0)
        c->options.report_interval_ms = REPORT_INTERVAL_MS;
    if (c->options.port_low <= 0 || c->options.port_high < c->options.port_low) {
        c->options.port_low = PORT_LOW;
        c->options.port_high = PORT_HIGH;
    }
}

int controller_new(const struct controller_options *options, int64_t boot_ms, int64_t wall_ms,
                   controller_rows_fn *next, void *data, struct effects *ret_fx,
                   struct controller **ret_c, struct err *e)
{
    AUTO(controller) struct controller *c = xcalloc(1, sizeof(*c));
    int r;

    set_options(c, options);
    c->cluster = cluster_new();
    c->cluster->kubernetes = c->options.kubernetes;
    c->cluster->defaults = default_policy();
    if (!c->cluster->defaults)
        return err_set(e, -EINVAL, "the default policy cannot be made");
    c->fx = ret_fx;
    c->step_first = ret_fx->n_items;
    c->now_ms = c->start_ms = c->cluster->start_ms = boot_ms;
    c->reconciled_ms = c->counters_ms = boot_ms;
    c->wall_ms = c->ledger_wall_ms = wall_ms;
    c->wall_offset_ms = wall_ms - boot_ms;
    c->plan_asked_ms = INT64_MIN / 2;
    c->plan_wanted = true;
    c->watts = c->always_watts = c->saved_watts = c->saved_low_watts = c->saved_high_watts = NAN;
    r = core_restore(c, next, data, e);
    if (r < 0)
        return r;
    c->cluster->moved = c->cluster->move_marks.since_wall_ms == 0;
    marks_begin(&c->cluster->move_marks, wall_ms);
    core_begin_term(c);
    core_flush(c);
    c->fx = NULL;
    *ret_c = TAKE(c);
    return 0;
}

void controller_free(struct controller *c)
{
    if (!c)
        return;
    plan_free(c->plan);
    snapshot_unref(c->picture);
    string_list_done(&c->kube.strangers);
    ring_done(&c->events);
    ring_done(&c->journal);
    ARRAY_FOREACH(b, c, backoffs) {
        free(b->model);
        free(b->node);
    }
    free(c->backoffs);
    kube_moves_done(c);
    free(c->starts);
    cluster_free(c->cluster);
    free(c);
}

/* --- events -------------------------------------------------------------------------------------
 */

/* Figures alone are told seldom: a fleet of 10,000 must not make 2,000 objects a second. */
static void tell_figures(struct controller *c, struct node *n)
{
    int64_t every_ms = FIGURES_EVERY_MS + 10 * (int64_t)c->cluster->nodes.n_items;

    if (n->dirty || c->now_ms - n->figures_told_ms < every_ms)
        return;
    n->figures_told_ms = c->now_ms;
    fx_change(c->fx, CHANGE_MODIFIED, "nodes", n->name, core_next_version(c), view_node(c, n));
}

/* Replies say "keep what runs" while two agents have one name: what is right for one is not for the
 * other. Their replicas serve on. */
static void take_twin(struct controller *c, struct node *n, enum twin_finding found,
                      const char *boot_id)
{
    if (found == TWIN_ASK) {
        n->desired_digest = ~n->desired_digest; /* asks by the next generation */
        node_reply_due(c->cluster, n);
    }
    if (found != TWIN_PROVEN || n->twin.told)
        return;
    n->twin.told = c->plan_wanted = true;
    core_event(c, true, "node", n->name, "TwoAgents",
               "two agents report under this name, on %s; nothing is started, stopped or put to "
               "sleep there: set `node` in the agent.yaml of one of them",
               strcmp(n->boot_id, boot_id) == 0 ? "one machine" : "two machines");
    node_touch(c->cluster, n);
}

static void take_report(struct controller *c, const struct wire_report *w)
{
    struct report_outcome o;
    struct node *n;

    if (kube_is_stranger(c, w))
        return;
    n = node_report_take(c->cluster, w, c->now_ms, c->wall_ms, &o);
    if (w->inventory)
        node_kube_restore(c->cluster, n);
    core_see_term(c, n, w);
    if (o.new_node) {
        core_event(c, false, "node", n->name, "NodeAdded", "its agent reports for the first time");
        c->plan_wanted = true;
    }
    if (o.adopted > 0)
        core_event(c, false, "node", n->name, "ReplicasAdopted", "%u replicas were taken over",
                   o.adopted);
    if (o.verdict == REPORT_CONFLICT && !n->conflict)
        core_event(c, true, "node", n->name, "ReportConflict",
                   "one number, two contents: restored from a snapshot, or a clone");
    if (n->conflict != (o.verdict == REPORT_CONFLICT) &&
        (o.verdict == REPORT_CONFLICT || o.verdict == REPORT_COUNTED)) {
        n->conflict = o.verdict == REPORT_CONFLICT;
        node_reply_due(c->cluster, n);
    }
    take_twin(c, n, o.twin, w->boot_id);
    if (o.wild && !n->wild)
        core_event(
            c, true, "node", n->name, "WildEnergy",
            "its joules since the last report are more than 100 kW: not counted; look at its "
            "meter (huddle-agent --once)");
    if (o.verdict == REPORT_COUNTED)
        n->wild = o.wild;
    if (o.verdict != REPORT_COUNTED)
        return;
    if (!node_inventory_told(n))
        node_reply_due(c->cluster, n);
    reconcile_node(c, n);
    tell_figures(c, n);
}

static void take_foreign(struct controller *c, const struct controller_event *e)
{
    core_event(c, true, "node", e->foreign.bound, "ForeignReport",
               "its %s%s was used to report for node %s: refused (%" PRIu64 " such since the "
               "last of these events)",
               strchr(e->foreign.who, ':') ? "" : "token ", e->foreign.who, e->foreign.node,
               e->foreign.n);
}

static void take_enrolled(struct controller *c, const struct controller_event *e)
{
    char reason[96];
    struct journal_row row = { .act = e->enrolled.renewed ? "renew" : "enrol",
                               .kind = "node",
                               .name = e->enrolled.node,
                               .reason = reason,
                               .by = e->enrolled.who };

    (void)snprintf(reason, sizeof(reason), "certificate of uid %s", e->enrolled.uid);
    core_journal(c, &row);
    if (!e->enrolled.renewed)
        core_event(c, false, "node", e->enrolled.node, "NodeEnrolled",
                   "it was given a certificate (%s), uid %s", e->enrolled.who, e->enrolled.uid);
    fx_answer(c->fx, e->enrolled.ticket, 200, json_true(), NULL);
}

/* That an action was not taken in, and why, is told until it is as was wanted, or another one is:
 * readings go on meanwhile. */
static void take_power_message(struct node *n, const struct controller_event *e)
{
    bool reading = e->power.action == POWER_PROBE && e->power.outcome == POWER_DONE;

    if (e->power.action != POWER_PROBE)
        n->power_refused = e->power.outcome != POWER_ACCEPTED;
    else if (reading && e->power.reading == POWER_ON)
        n->power_refused = false;
    if (reading && n->power_refused)
        return;
    free(n->power_message);
    n->power_message = xstrdup(e->power.message);
}

static void take_power(struct controller *c, const struct controller_event *e)
{
    struct node *n = named_find(&c->cluster->nodes, e->power.node);

    if (!n)
        return;
    n->power_busy = false;
    take_power_message(n, e);
    if (e->power.uuid)
        n->power_of_other = machine_uuid_differs(e->power.uuid, n->inventory.product_uuid);
    if (e->power.retry_after_ms > 0)
        n->probe_due_ms =
            c->now_ms + (e->power.retry_after_ms < POWER_RETRY_MOST_MS ? e->power.retry_after_ms
                                                                       : POWER_RETRY_MOST_MS);
    if (e->power.action == POWER_PROBE) {
        /* Anything but an answer is "unknown", and unknown is not off. */
        n->power = e->power.outcome == POWER_DONE ? (int)e->power.reading : POWER_UNKNOWN;
        n->power_ms = c->now_ms;
    } else if (e->power.outcome != POWER_ACCEPTED && e->power.outcome != POWER_DONE) {
        core_event(c, true, "node", n->name, "PowerActionFailed", "%s",
                   e->power.message ? e->power.message : "no answer from the driver");
    }
    reconcile_node(c, n);
}

/* What was in the batch that failed was not done: publish and store all of it again. */
static void take_store_failure(struct controller *c)
{
    if (!c->store_failed)
        core_event(c, true, "cluster", c->cluster->id, "StoreFailed",
                   "nothing is started, moved or slept until the store works again");
    c->store_failed = true;
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        cluster_node(c->cluster, i)->reply_known = false;
        node_touch(c->cluster, cluster_node(c->cluster, i));
    }
    for (size_t i = 0; i < c->cluster->replicas.n_items; i++)
        replica_touch(c->cluster, cluster_replica(c->cluster, i));
    for (size_t i = 0; i < c->cluster->models.n_items; i++) {
        cluster_model(c->cluster, i)->door_digest = 0;
        model_door_due(c->cluster, cluster_model(c->cluster, i));
    }
    c->planning = false;
}

static void dispatch(struct controller *c, const struct controller_event *e)
{
    switch (e->kind) {
    case CE_TICK:
        break;
    case CE_REPORT:
        take_report(c, e->report);
        break;
    case CE_FOREIGN_REPORT:
        take_foreign(c, e);
        break;
    case CE_ENROLLED:
        take_enrolled(c, e);
        break;
    case CE_PUT:
        core_put(c, e);
        break;
    case CE_DELETE:
        core_delete(c, e);
        break;
    case CE_REMOVE_NODE:
        core_remove_node(c, e);
        break;
    case CE_VERB:
        core_verb(c, e);
        break;
    case CE_PLAN:
        core_plan(c, e->plan);
        break;
    case CE_POWER:
        take_power(c, e);
        break;
    case CE_DOOR:
        core_door(c, e->door);
        break;
    case CE_FILE:
        core_file(c, e);
        break;
    case CE_STORE_FAILED:
        take_store_failure(c);
        break;
    case CE_STORE_WORKS:
        c->store_failed = c->deposed;
        break;
    case CE_KUBE_NODE:
        kube_node(c, e->kube_node);
        break;
    case CE_KUBE_POD:
        kube_pod(c, e->kube_pod);
        break;
    case CE_KUBE_MODEL:
        kube_model(c, e->kube_model);
        break;
    case CE_KUBE_WATCH:
        kube_watch(c, e->kube_watch);
        break;
    case CE_KUBE_POWER:
        kube_power(c, e->kube_power);
        break;
    case CE_KUBE_WAIT:
        kube_wait(c, e->kube_wait);
        break;
    case CE_KUBE_CHECK:
        kube_check(c, e->kube_check);
        break;
    case CE_KUBE_REFUSED:
        kube_refused(c, e);
        break;
    case CE_KUBE_MOVED:
        kube_moved(c, e->kube_moved);
        break;
    case CE_KUBE_LEAD:
        kube_lead(c, e);
        break;
    }
}

/* --- time ---------------------------------------------------------------------------------------
 */

/* Requests told by replicas become demand once nearly all ready replicas were heard; otherwise the
 * time stays a hole (absent is not zero). */
static void count_told_requests(struct controller *c, struct model *m)
{
    uint32_t ready = 0, told = 0;

    if (m->pending_wall_ms > c->wall_ms) { /* the clock was set back */
        m->pending_requests = 0;
        m->pending_wall_ms = c->wall_ms;
    }
    if (model_spec(m)->demand.source != DEMAND_METRICS || m->pending_wall_ms == 0 ||
        c->wall_ms - m->pending_wall_ms < c->options.report_interval_ms)
        return;
    for (size_t i = 0; i < m->n_replicas; i++) {
        const struct replica *r = m->replicas[i];

        if (!r->reported || r->phase != REPLICA_READY)
            continue;
        ready++;
        told += r->metrics_known && c->now_ms - r->metrics_ms <= 3 * node_interval_ms(r->node);
    }
    if (told * 10 >= ready * 9 && ready > 0)
        demand_add(&m->demand, m->pending_wall_ms, c->wall_ms, m->pending_requests);
    m->pending_requests = 0;
    m->pending_wall_ms = c->wall_ms;
}

static void on_time(struct controller *c)
{
    for (size_t i = 0; i < c->cluster->models.n_items; i++) {
        struct model *m = cluster_model(c->cluster, i);

        if (c->options.kubernetes)
            kube_count(c, m);
        else
            count_told_requests(c, m);
        if (demand_advance(&m->demand, c->wall_ms))
            model_touch(c->cluster, m);
    }
    core_count_energy(c);
    reconcile(c);
    if (c->now_ms - c->counters_ms >= COUNTERS_EVERY_MS) {
        c->counters_ms = c->now_ms;
        core_store_counters(c);
    }
    c->reconciled_ms = c->now_ms;
    c->doors_now = true;
}

void controller_step(struct controller *c, const struct controller_event *event, int64_t boot_ms,
                     struct effects *ret_fx)
{
    c->fx = ret_fx;
    c->step_first = ret_fx->n_items;
    if (boot_ms > c->now_ms)
        c->now_ms = boot_ms;
    c->wall_ms = event->wall_ms;
    dispatch(c, event);
    if (c->now_ms - c->reconciled_ms >= c->options.tick_ms || event->kind == CE_PLAN)
        on_time(c);
    if (!event->more)
        core_flush(c);
    c->fx = NULL;
}

void controller_finish(struct controller *c, int64_t boot_ms, int64_t wall_ms,
                       struct effects *ret_fx)
{
    c->fx = ret_fx;
    c->step_first = ret_fx->n_items;
    if (boot_ms > c->now_ms)
        c->now_ms = boot_ms;
    c->wall_ms = wall_ms;
    core_store_counters(c);
    core_flush(c);
    c->fx = NULL;
}

/* --- looking in ---------------------------------------------------------------------------------
 */

struct snapshot *controller_snapshot(struct controller *c, int64_t boot_ms, int64_t wall_ms)
{
    struct snapshot_moment moment = {
        .now_ms = boot_ms,
        .wall_ms = wall_ms,
        .warming_up = c->warming_up,
        .doubt = c->options.front_door && !c->door.reachable,
    };

    if (c->picture && boot_ms - c->picture->now_ms < PICTURE_KEEPS_MS)
        return snapshot_ref(c->picture);
    moment.version = ++c->picture_version;
    snapshot_unref(c->picture);
    c->picture = snapshot_build(c->cluster, &moment);
    return snapshot_ref(c->picture);
}

const struct plan *controller_plan(const struct controller *c)
{
    return c->plan;
}

uint64_t controller_version(const struct controller *c)
{
    return c->cluster->version;
}
