/* The end of a step: what was touched becomes rows, changes, replies and front-door wants of one
 * batch. The order inside a batch does not matter to safety: all its rows are durable before any of
 * the rest is done. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/core.h"
#include "controller/kube_power.h"
#include "controller/reconcile/kube_life.h"
#include "controller/reconcile/node_lifecycle.h"
#include "controller/state/rows.h"
#include "controller/substrate/standalone.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

#define WAKE_BY_MARGIN_MS 3600000
#define VERSIONS_AHEAD 1000

/* --- replies ------------------------------------------------------------------------------------
 */

static uint64_t bytes_digest(const struct strbuf *b)
{
    uint64_t d = b->length;

    for (size_t i = 0; i < b->length; i++)
        d = (d ^ (unsigned char)b->data[i]) * 0x100000001b3u;
    return random_mix(d);
}

static struct reply_order order_of(struct controller *c, const struct node *n,
                                   int64_t *ret_report_every_ms)
{
    struct node_facts f = { .stage = n->power_stage, .stage_op = n->power_op };
    struct node_wants w = node_wants(&n->record, &f, c->now_ms);
    const struct power_policy *policy = node_policy(c->cluster, n);
    struct reply_order order = { .kind = w.order, .op = "", .boot_id = "" };

    if (c->options.kubernetes && !c->cluster->leads)
        w = (struct node_wants){ .order = POWER_ORDER_NONE };
    else if (c->options.kubernetes && w.order == POWER_ORDER_COMMIT)
        w = kube_life_commit(n, w);
    order.kind = w.order;
    *ret_report_every_ms = w.report_every_ms;
    if (w.order == POWER_ORDER_NONE)
        return order;
    order.op = w.order == POWER_ORDER_CANCEL ? w.cancel_op : n->record.op;
    order.boot_id = w.order == POWER_ORDER_CANCEL ? n->boot_id : n->record.boot_id;
    if (w.order != POWER_ORDER_CANCEL) /* the dead-man: it comes back though nobody calls */
        order.wake_by_wall_ms =
            n->record.entered_wall_ms + policy->timing.max_asleep_ms + WAKE_BY_MARGIN_MS;
    return order;
}

/* The generation grows with the desired replicas; those that left or came get its number. */
static void number_desired(struct controller *c, struct node *n)
{
    uint64_t digest = standalone_digest(n);

    if (n->generation > 0 && digest == n->desired_digest)
        return;
    n->generation++;
    n->desired_digest = digest;
    node_touch(c->cluster, n);
    for (size_t i = 0; i < n->n_replicas; i++) {
        struct replica *r = n->replicas[i];

        if (r->leaving == LEAVING_STOP && r->drop_generation == 0) {
            r->drop_generation = n->generation;
            replica_touch(c->cluster, r);
        } else if (r->leaving != LEAVING_STOP && r->start_generation == 0) {
            r->start_generation = n->generation;
            replica_touch(c->cluster, r);
        }
    }
}

static void publish_reply(struct controller *c, struct node *n)
{
    struct strbuf bytes = STRBUF_INIT;
    struct err e = ERR_INIT;
    int64_t every_ms = 0;
    struct reply_head head = {
        .cluster_id = c->cluster->id,
        .term = c->cluster->term,
        .instance = c->cluster->instance,
        .order = order_of(c, n, &every_ms),
        .send_inventory = !node_inventory_told(n),
        .new_epoch = n->conflict,
    };
    uint64_t digest;

    head.next_interval_ms = (uint32_t)(every_ms > 0 && every_ms < c->options.report_interval_ms
                                           ? every_ms
                                           : c->options.report_interval_ms);
    if (standalone_reply(n, &head, &bytes, &e) < 0) {
        core_event(c, true, "node", n->name, "ReplyImpossible", "%s", e.text);
        strbuf_done(&bytes);
        return;
    }
    digest = bytes_digest(&bytes);
    if (n->reply_known && digest == n->reply_digest) {
        strbuf_done(&bytes);
        return;
    }
    n->reply_known = true;
    n->reply_digest = digest;
    head.fleet_size = (uint32_t)c->cluster->nodes.n_items;
    strbuf_clear(&bytes); /* the size of the fleet is advice: it alone changes no reply */
    (void)standalone_reply(n, &head, &bytes, &e);
    fx_reply(c->fx, n->name, &bytes);
}

/* A node of Kubernetes may have none. */
static bool has_agent(const struct controller *c, const struct node *n)
{
    return !c->options.kubernetes || n->accepted > 0;
}

static void publish_replies(struct controller *c)
{
    struct cluster *k = c->cluster;

    for (size_t i = 0; i < k->n_due_nodes; i++)
        number_desired(c, k->due_nodes[i]); /* may touch, never adds: all are due already */
    for (size_t i = 0; i < k->n_due_nodes; i++) {
        if (has_agent(c, k->due_nodes[i]))
            publish_reply(c, k->due_nodes[i]);
        k->due_nodes[i]->reply_due = false;
    }
    k->n_due_nodes = 0;
}

/* --- front door ---------------------------------------------------------------------------------
 */

static uint64_t door_digest(const struct model *m, const struct door_want *wants, size_t n)
{
    /* Settings of the model change with its generation; never 0, which stands for "not told yet".
     */
    uint64_t d = random_mix(m->revision->object->meta.generation) + n + 1;

    for (size_t i = 0; i < n; i++)
        d = random_mix(d ^ random_hash(wants[i].uid)) +
            random_mix(random_hash(wants[i].address) ^ (uint64_t)wants[i].state);
    return d | 1;
}

static void free_wants(struct door_want *wants, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(wants[i].uid);
        free(wants[i].address);
    }
    free(wants);
}

static void publish_door(struct controller *c, struct model *m)
{
    size_t n;
    struct door_want *wants = standalone_door_wants(m, &n);
    uint64_t digest = door_digest(m, wants, n);
    const struct served_model *spec = model_spec(m);
    struct effect *e;

    m->door_due = false;
    if (digest == m->door_digest) {
        free_wants(wants, n);
        return;
    }
    m->door_digest = digest;
    e = fx_add(c->fx, FX_DOOR);
    e->door.model = xstrdup(m->name);
    if (spec->readiness.kind == MANIFEST_PROBE_HTTP)
        e->door.probe_path = xstrdup(spec->readiness.path);
    if (spec->capacity.concurrency >= 1) /* NAN when it is not known */
        e->door.concurrency = (int64_t)spec->capacity.concurrency;
    e->door.quantile = spec->slo.quantile;
    e->door.servers = wants;
    e->door.n_servers = n;
}

static void publish_doors(struct controller *c)
{
    /* Once per round of reconciliation: a large model's list is not made anew for every report. */
    if (!c->cluster->door_due || !c->doors_now || c->options.kubernetes)
        return;
    c->doors_now = false;
    for (size_t i = 0; i < c->cluster->models.n_items; i++)
        if (cluster_model(c->cluster, i)->door_due)
            publish_door(c, cluster_model(c->cluster, i));
    c->cluster->door_due = false;
}

/* --- rows ---------------------------------------------------------------------------------------
 */

static void store_nodes(struct controller *c)
{
    struct cluster *k = c->cluster;

    for (size_t i = 0; i < k->n_dirty_nodes; i++) {
        struct node *n = k->dirty_nodes[i];
        enum change_type type = n->told ? CHANGE_MODIFIED : CHANGE_ADDED;

        n->dirty = false;
        n->told = true;
        n->version = core_next_version(c);
        fx_store(c->fx, TABLE_NODE, n->name, node_to_row(n));
        fx_change(c->fx, type, "nodes", n->name, n->version, view_node(c, n));
        fx_change(c->fx, type, "nodepowers", n->name, n->version, view_node_power(c, n));
        n->figures_told_ms = c->now_ms;
    }
    k->n_dirty_nodes = 0;
}

static void store_replicas(struct controller *c)
{
    struct cluster *k = c->cluster;

    for (size_t i = 0; i < k->n_dirty_replicas; i++) {
        struct replica *r = k->dirty_replicas[i];
        enum change_type type = r->told ? CHANGE_MODIFIED : CHANGE_ADDED;

        r->dirty = false;
        r->told = true;
        r->version = core_next_version(c);
        if (!r->pod) /* Kubernetes keeps those */
            fx_store(c->fx, TABLE_REPLICA, r->name, replica_to_row(r));
        fx_change(c->fx, type, "replicas", r->name, r->version, view_replica(c, r));
    }
    k->n_dirty_replicas = 0;
}

static void tell_models(struct controller *c)
{
    struct cluster *k = c->cluster;

    for (size_t i = 0; i < k->n_dirty_models; i++) {
        struct model *m = k->dirty_models[i];

        m->dirty = false;
        if (m->told)
            fx_change(c->fx, CHANGE_MODIFIED, "servedmodels", m->name, core_next_version(c),
                      view_model(c, m));
    }
    k->n_dirty_models = 0;
}

static void tell_plan(struct controller *c)
{
    if (c->plan_due && c->plan)
        fx_change(c->fx, CHANGE_MODIFIED, "plans", "current", core_next_version(c), view_plan(c));
    c->plan_due = false;
}

/* The row of numbers goes with every batch that has rows, for their numbers are in it. Versions are
 * also given to what is only told, never stored; so that they do not go back after a restart, and
 * need no write of their own, the row runs ahead of them. */
static bool meta_is_due(const struct controller *c)
{
    if (c->meta_due || c->cluster->version > c->version_kept)
        return true;
    for (size_t i = c->step_first; i < c->fx->n_items; i++)
        if (c->fx->items[i].kind == FX_STORE)
            return true;
    return false;
}

void core_flush(struct controller *c)
{
    publish_replies(c);
    publish_doors(c);
    kube_power_flush(c);
    store_nodes(c);
    store_replicas(c);
    tell_models(c);
    tell_plan(c);
    if (meta_is_due(c)) {
        c->version_kept = c->cluster->version + VERSIONS_AHEAD;
        fx_store(c->fx, TABLE_META, "cluster", core_meta_row(c));
    }
    c->meta_due = false;
}
