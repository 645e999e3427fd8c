/* The plan in force, and controller_get(). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/core.h"
#include "controller/kube_facts.h"
#include "controller/view.h"

static json_t *plan_models(const struct plan *p)
{
    json_t *a = json_array();

    for (uint32_t i = 0; i < p->snapshot->n_models; i++) {
        const struct plan_model *m = &p->models[i];

        json_array_append_new(a, json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:b, s:b, s:o, s:o}",
                                           "name", view_text(p->snapshot->models[i].name), "target",
                                           (json_int_t)m->target, "floor", (json_int_t)m->floor,
                                           "placed", (json_int_t)m->placed, "demandNow",
                                           view_number(m->demand_now), "demandNeed",
                                           view_number(m->demand_need), "predictive", m->predictive,
                                           "frozen", m->frozen, "heldUntil",
                                           m->holds ? view_time(m->holds_until_ms) : json_null(),
                                           "why", view_text(m->why)));
    }
    return a;
}

static json_t *plan_nodes(const struct plan *p)
{
    json_t *a = json_array();

    for (uint32_t i = 0; i < p->snapshot->n_nodes; i++) {
        const struct plan_node *n = &p->nodes[i];

        json_array_append_new(a, json_pack("{s:o, s:s, s:o, s:o, s:o, s:o}", "name",
                                           view_text(p->snapshot->nodes[i].name), "verdict",
                                           plan_verdict_name(n->verdict), "wattsAfter",
                                           view_number(n->watts_after), "joulesAtStake",
                                           view_number(n->joules_at_stake), "offS",
                                           view_number(n->off_s), "why", view_text(n->why)));
    }
    return a;
}

static json_t *uid_at(const struct plan *p, uint32_t index)
{
    return index < p->snapshot->n_replicas ? view_text(p->snapshot->replicas[index].uid)
                                           : json_null();
}

/* For a large cluster the view of a plan is mostly placements: what many of them say is one text.
 */
struct plan_words {
    json_t *models, *nodes, *nothing, *stay;
};

static struct plan_words words_of(const struct plan *p)
{
    struct plan_words w = { json_array(), json_array(), view_text(""), json_string("stay") };

    for (uint32_t i = 0; i < p->snapshot->n_models; i++)
        json_array_append_new(w.models, view_text(p->snapshot->models[i].name));
    for (uint32_t i = 0; i < p->snapshot->n_nodes; i++)
        json_array_append_new(w.nodes, view_text(p->snapshot->nodes[i].name));
    return w;
}

static void words_done(struct plan_words *w)
{
    json_decref(w->models);
    json_decref(w->nodes);
    json_decref(w->nothing);
    json_decref(w->stay);
}

static json_t *plan_placements(const struct controller *c)
{
    static const char *const words[] = { "pending", "starting", "ready", "given-up" };
    const struct plan *p = c->plan;
    struct plan_words w = words_of(p);
    json_t *a = json_array();
    size_t next = 0; /* starts are in the order of placements */

    for (size_t i = 0; i < p->n_placements; i++) {
        const struct plan_placement *pp = &p->placements[i];
        const struct start *s = NULL;
        json_t *replica = uid_at(p, pp->replica);

        while (next < c->n_starts && c->starts[next].placement < i)
            next++;
        if (next < c->n_starts && c->starts[next].placement == i)
            s = &c->starts[next];
        json_array_append_new(
            a, json_pack("{s:O, s:O, s:O, s:o, s:b, s:o, s:o, s:o}", "model",
                         json_array_get(w.models, pp->model), "node",
                         json_array_get(w.nodes, pp->node), "replica", replica, "replaces",
                         uid_at(p, pp->replaces), "renews", pp->renews, "uid",
                         s && s->uid[0] ? view_text(s->uid) : json_incref(replica), "state",
                         s ? json_string(words[s->state]) : json_incref(w.stay), "why",
                         s ? view_text(s->waits) : json_incref(w.nothing)));
        json_decref(replica);
    }
    words_done(&w);
    return a;
}

json_t *view_plan(struct controller *c)
{
    const struct plan *p = c->plan;
    json_t *o, *s;
    char uid[24];

    if (!p)
        return NULL;
    (void)snprintf(uid, sizeof(uid), "%" PRIu64, p->id);
    o = view_head("Plan", "current", uid, c->cluster->version,
                  c->wall_ms - (c->now_ms - p->snapshot->now_ms), NULL);
    view_set(o, "spec",
             json_pack("{s:o, s:o, s:o}", "models", plan_models(p), "nodes", plan_nodes(p),
                       "placements", plan_placements(c)));
    s = json_pack(
        "{s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "summary",
        view_text(p->summary), "ageMs", (json_int_t)(c->now_ms - p->snapshot->now_ms), "awakeNow",
        (json_int_t)p->awake_now, "awakeTarget", (json_int_t)p->awake_target, "boundNodes",
        (json_int_t)p->bound_nodes, "wattsNow", view_number(p->watts_now), "wattsAfter",
        view_number(p->watts_after), "boundW", view_number(p->bound_w), "moves",
        (json_int_t)p->moves, "starts", (json_int_t)p->starts, "stops", (json_int_t)p->stops,
        "sleeps", (json_int_t)p->sleeps, "wakes", (json_int_t)p->wakes, "steps",
        (json_int_t)p->steps, "inForce", core_plan_fresh(c));
    view_set(s, "why",
             json_string(core_plan_fresh(c) ? ""
                         : kube_unseen(c)   ? kube_unseen(c)
                                            : "older than two intervals: not acted on"));
    view_set(o, "status", s);
    return o;
}

/* "NAMESPACE.POD": no namespace has a dot in it, and no path a slash. */
static bool is_pod(const char *pod, const char *name)
{
    size_t n = strcspn(pod, "/");

    return strncmp(pod, name, n) == 0 && name[n] == '.' && strcmp(pod + n + 1, name + n + 1) == 0;
}

static struct replica *find_pod(const struct cluster *k, const char *name)
{
    for (size_t i = 0; k->kubernetes && i < k->replicas.n_items; i++) {
        struct replica *r = cluster_replica(k, i);

        if (r->pod && is_pod(r->pod, name))
            return r;
    }
    return NULL;
}

/* --- controller_get -----------------------------------------------------------------------------
 */

static json_t *view_item(struct controller *c, const char *kind, void *thing)
{
    if (strcmp(kind, "servedmodels") == 0)
        return view_model(c, thing);
    if (strcmp(kind, "powerpools") == 0)
        return view_pool(c, thing);
    if (strcmp(kind, "powerpolicies") == 0)
        return view_policy(c, thing);
    if (strcmp(kind, "nodes") == 0)
        return view_node(c, thing);
    if (strcmp(kind, "nodepowers") == 0)
        return view_node_power(c, thing);
    return view_replica(c, thing);
}

static const struct named_set *set_of(const struct cluster *k, const char *kind)
{
    if (strcmp(kind, "servedmodels") == 0)
        return &k->models;
    if (strcmp(kind, "powerpools") == 0)
        return &k->pools;
    if (strcmp(kind, "powerpolicies") == 0)
        return &k->policies;
    if (strcmp(kind, "nodes") == 0 || strcmp(kind, "nodepowers") == 0)
        return &k->nodes;
    if (strcmp(kind, "replicas") == 0)
        return &k->replicas;
    return NULL;
}

static json_t *get_ring(const struct json_ring *r, const char *name)
{
    json_t *a = name ? NULL : json_array();

    for (size_t i = 0; i < r->n; i++) {
        json_t *item = r->item[(r->first + i) % RING_KEPT];
        const char *own =
            json_string_value(json_object_get(json_object_get(item, "metadata"), "name"));

        if (!name)
            json_array_append(a, item);
        else if (own && strcmp(own, name) == 0)
            return json_incref(item);
    }
    return a;
}

static json_t *get_single(json_t *item, const char *own_name, const char *name)
{
    if (!name)
        return item ? json_pack("[o]", item) : json_array();
    if (item && strcmp(name, own_name) == 0)
        return item;
    json_decref(item);
    return NULL;
}

json_t *controller_get(struct controller *c, const char *kind, const char *name, int64_t boot_ms,
                       int64_t wall_ms)
{
    const struct named_set *set = set_of(c->cluster, kind);
    json_t *a;

    if (boot_ms > c->now_ms)
        c->now_ms = boot_ms;
    c->wall_ms = wall_ms;
    if (strcmp(kind, "events") == 0)
        return get_ring(&c->events, name);
    if (strcmp(kind, "journal") == 0)
        return get_ring(&c->journal, name);
    if (strcmp(kind, "plans") == 0)
        return get_single(view_plan(c), "current", name);
    if (strcmp(kind, "clusters") == 0)
        return get_single(view_cluster(c), c->cluster->id, name);
    if (!set)
        return NULL;
    if (name) {
        void *thing = named_find(set, name);

        if (!thing && set == &c->cluster->replicas)
            thing = find_pod(c->cluster, name);
        return thing ? view_item(c, kind, thing) : NULL;
    }
    a = json_array();
    for (size_t i = 0; i < set->n_items; i++)
        json_array_append_new(a, view_item(c, kind, set->items[i]));
    return a;
}
