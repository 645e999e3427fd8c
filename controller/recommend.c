/* What huddle would do in pools of mode recommend, told to people once for each change: plans come
 * every few seconds and mostly say the same. Also which events Kubernetes is to know. */
#include <stdlib.h>
#include <string.h>

#include "controller/core.h"
#include "controller/kube_facts.h"
#include "proto/base/array.h"

static bool recommends(const struct controller *c, const struct pool *p)
{
    return pool_mode_now(c->cluster, p) == POOL_MODE_RECOMMEND;
}

/* --- which plan was told ------------------------------------------------------------------------
 */

static void advise_node(struct controller *c, struct node *n)
{
    static const char *const reasons[] = {
        [PLAN_STAY] = "WouldStay", [PLAN_SLEEP] = "WouldSleep", [PLAN_WAKE] = "WouldWake"
    };
    static const char *const words[] = { [PLAN_STAY] = "would now stay as it is",
                                         [PLAN_SLEEP] = "would be emptied and put to sleep",
                                         [PLAN_WAKE] = "would be woken" };
    int verdict = recommends(c, n->pool) ? n->verdict : PLAN_STAY;

    if (verdict == n->advised)
        return;
    n->advised = verdict;
    if (recommends(c, n->pool))
        core_event(c, false, "node", n->name, reasons[verdict], "%s: %s", words[verdict],
                   n->plan_why[0] ? n->plan_why : "the plan says no more");
}

static const struct start *move_of(const struct controller *c, const struct replica *r)
{
    for (size_t i = 0; i < c->n_starts; i++)
        if (strcmp(c->starts[i].replaces, r->name) == 0 && c->starts[i].node != r->node)
            return &c->starts[i];
    return NULL;
}

static void advise_replica(struct controller *c, struct replica *r)
{
    const struct start *s = recommends(c, r->node->pool) ? move_of(c, r) : NULL;

    if (s && r->advised && strcmp(r->advised, s->node->name) == 0)
        return;
    free(r->advised);
    r->advised = s ? xstrdup(s->node->name) : NULL;
    if (s)
        core_event(c, false, "replica", r->name, "WouldMove", "%s would move from %s to %s: %s",
                   r->pod ? r->pod : r->name, r->node->name, s->node->name,
                   r->node->plan_why[0] ? r->node->plan_why : "fewer nodes are enough");
}

void core_recommend(struct controller *c)
{
    if (c->cluster->kubernetes && !c->cluster->leads) /* whoever leads tells */
        return;
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++)
        advise_node(c, cluster_node(c->cluster, i));
    for (size_t i = 0; i < c->cluster->replicas.n_items; i++)
        advise_replica(c, cluster_replica(c->cluster, i));
}

void core_recommend_anew(struct controller *c)
{
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++)
        cluster_node(c->cluster, i)->advised = PLAN_STAY;
    for (size_t i = 0; i < c->cluster->replicas.n_items; i++) {
        free(cluster_replica(c->cluster, i)->advised);
        cluster_replica(c->cluster, i)->advised = NULL;
    }
}

/* --- which events Kubernetes is to know ---------------------------------------------------------
 */

static bool any_pool_writes(const struct controller *c)
{
    for (size_t i = 0; i < c->cluster->pools.n_items; i++)
        if (pool_mode_now(c->cluster, cluster_pool(c->cluster, i)) != POOL_MODE_OBSERVE)
            return true;
    return false;
}

bool kube_publishes(const struct controller *c, const char *kind, const char *name)
{
    const struct replica *r;
    const struct node *n;

    if (!c->cluster->kubernetes || !c->cluster->leads)
        return false;
    if (strcmp(kind, "node") == 0) {
        n = named_find(&c->cluster->nodes, name);
        return n && pool_mode_now(c->cluster, n->pool) != POOL_MODE_OBSERVE;
    }
    if (strcmp(kind, "replica") == 0) {
        r = named_find(&c->cluster->replicas, name);
        return r && r->pod && pool_mode_now(c->cluster, r->node->pool) != POOL_MODE_OBSERVE;
    }
    if (strcmp(kind, "powerpool") == 0)
        return pool_mode_now(c->cluster, named_find(&c->cluster->pools, name)) != POOL_MODE_OBSERVE;
    return (strcmp(kind, "servedmodel") == 0 || strcmp(kind, "powerpolicy") == 0 ||
            strcmp(kind, "pod") == 0) &&
           any_pool_writes(c);
}
