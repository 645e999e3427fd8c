/* A machine is given away: its node is removed, with all that is known of it. Only of one that does
 * not report, and through which nothing is served any more: what runs is moved, never cut off. */
#include <inttypes.h>
#include <stdio.h>

#include "controller/core.h"
#include "controller/reconcile/reconcile.h"
#include "controller/state/snapshot_build.h"

#define WHY_MAX 400

/* --- may it go ----------------------------------------------------------------------------------
 */

/* As long as the life cycle takes to call a silent node unreachable. */
static bool is_silent(const struct controller *c, const struct node *n)
{
    return node_age_ms(c->cluster, n, c->now_ms) > 4 * node_interval_ms(n);
}

/* A node that is silent to us may be heard by the front door. */
static const struct replica *serving_replica(const struct node *n)
{
    for (size_t i = 0; i < n->n_replicas; i++) {
        const struct replica *r = n->replicas[i];

        if (r->door == DOOR_READY || (r->door == DOOR_DRAIN && r->door_in_flight > 0))
            return r;
    }
    return NULL;
}

static const char *power_action(const struct node *n)
{
    switch (n->record.state) {
    case NODE_PREPARING:
    case NODE_SLEEPING:
        return "it is being put to sleep: wait until it is asleep or awake again";
    case NODE_WAKING:
        return "it is being woken: wait until it reports, or until its wake has failed";
    default:
        return NULL;
    }
}

/* False, and why with the way out: something may still be served through it. */
static bool is_unused(const struct controller *c, const struct node *n, char why[WHY_MAX])
{
    const struct replica *r = serving_replica(n);

    if (!c->options.front_door || n->n_replicas == 0)
        return true;
    if (!core_door_fresh(c)) {
        (void)snprintf(why, WHY_MAX,
                       "the front door does not answer, and may still reach replicas on it: try "
                       "again when it does");
        return false;
    }
    if (r)
        (void)snprintf(why, WHY_MAX,
                       "the front door still reaches replica %.79s on it: end that, or switch the "
                       "machine off",
                       r->name);
    return r == NULL;
}

/* False, and why with the way out: it may not be removed now. */
static bool may_go(const struct controller *c, const struct node *n, char why[WHY_MAX])
{
    bool asleep = n->record.state == NODE_ASLEEP;

    if (power_action(n)) {
        (void)snprintf(why, WHY_MAX, "%s", power_action(n));
        return false;
    }
    if (!asleep && n->seen && !is_silent(c, n)) {
        (void)snprintf(
            why, WHY_MAX,
            "it reports (last %" PRId64 " s ago): empty it (huddlectl drain node), stop "
            "its agent there (systemctl disable --now huddle-agent), and try again %" PRId64
            " s later",
            node_age_ms(c->cluster, n, c->now_ms) / 1000, 4 * node_interval_ms(n) / 1000 + 1);
        return false;
    }
    if (!asleep && !is_silent(c, n)) {
        (void)snprintf(why, WHY_MAX,
                       "this controller has just started and may not have heard it yet: try again "
                       "%" PRId64 " s later",
                       4 * node_interval_ms(n) / 1000 + 1);
        return false;
    }
    return is_unused(c, n, why);
}

/* --- what goes ----------------------------------------------------------------------------------
 */

static void forget_replicas(struct controller *c, struct node *n, const char *who)
{
    while (n->n_replicas > 0) {
        struct replica *r = n->replicas[n->n_replicas - 1];

        act_on_replica(c, r, "delete", "its node was removed", who);
        replica_forget(c, r);
    }
}

static void forget_rows(struct controller *c, const char *node)
{
    static const char *const of[] = { "node", "node-weeks", "power" };
    char key[400];

    fx_delete(c->fx, TABLE_NODE, node);
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        (void)snprintf(key, sizeof(key), "%s/%s", of[i], node);
        fx_delete(c->fx, TABLE_HISTORY, key);
    }
}

static void tell(struct controller *c, const struct node *n, const char *who, json_t *last)
{
    core_journal(
        c, &(struct journal_row){
               .act = "delete", .kind = "node", .name = n->name, .reason = "removed", .by = who });
    core_event(
        c, false, "node", n->name, "NodeRemoved",
        "by %s; it was %s, with %zu replicas; should its agent report again it is a new node", who,
        node_state_name(n->record.state), n->n_replicas);
    if (!n->told)
        return;
    fx_change(c->fx, CHANGE_DELETED, "nodepowers", n->name, core_next_version(c),
              view_node_power(c, n));
    fx_change(c->fx, CHANGE_DELETED, "nodes", n->name, core_next_version(c), json_incref(last));
}

static void forget(struct controller *c, struct node *n, const char *who)
{
    forget_replicas(c, n, who);
    forget_rows(c, n->name);
    fx_forget(c->fx, n->name);
    c->cluster->removed_sleeps += n->record.sleeps;
    c->cluster->removed_wakes += n->record.wakes;
    core_plan_drop(c);
    node_remove(c->cluster, n);
}

void core_forget_node(struct controller *c, struct node *n, const char *why)
{
    core_event(c, false, "node", n->name, "NodeRemoved", "%s; it was %s, with %zu replicas", why,
               node_state_name(n->record.state), n->n_replicas);
    if (n->told) {
        fx_change(c->fx, CHANGE_DELETED, "nodepowers", n->name, core_next_version(c),
                  view_node_power(c, n));
        fx_change(c->fx, CHANGE_DELETED, "nodes", n->name, core_next_version(c), view_node(c, n));
    }
    forget(c, n, "kubernetes");
}

static void refuse(struct controller *c, const struct controller_event *e, int status,
                   const char *why)
{
    char text[WHY_MAX + 300];

    (void)snprintf(text, sizeof(text), "Node \"%.253s\" %s", e->del.name, why);
    fx_answer(c->fx, e->del.ticket, status, NULL, text);
}

void core_remove_node(struct controller *c, const struct controller_event *e)
{
    struct node *n = named_find(&c->cluster->nodes, e->del.name);
    char why[WHY_MAX], text[WHY_MAX + 32];
    json_t *last;

    if (!n) {
        refuse(c, e, 404, "not found");
        return;
    }
    if (e->del.if_version && n->version != e->del.if_version) {
        refuse(c, e, 409, "was changed by somebody else meanwhile: read it again");
        return;
    }
    if (n->kube.known) {
        refuse(c, e, 422, "is a node of Kubernetes, which keeps it: kubectl delete node");
        return;
    }
    if (!may_go(c, n, why)) {
        (void)snprintf(text, sizeof(text), "cannot be removed: %s", why);
        refuse(c, e, 409, text);
        return;
    }
    last = view_node(c, n);
    if (!e->del.dry_run) {
        tell(c, n, e->del.who, last);
        forget(c, n, e->del.who);
    }
    fx_answer(c->fx, e->del.ticket, 200, last, NULL);
}
