#include "controller/kubernetes/move_facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define HASH_LABEL "pod-template-hash"

/* --- one object, one list --- */

/* 0 and a new reference; 0 and NULL: there is none; else -errno. */
static int get(const struct move_facts *x, enum kube_resource what, const char *namespace,
               const char *name, json_t **ret_object, struct err *e)
{
    AUTO(mem) char *path = kube_path(x->can, what, namespace, name);
    struct kube_status status;
    int r;

    *ret_object = NULL;
    if (!path)
        return err_set(e, -ENOTSUP, "this cluster has no %s", x->can->resource[what].plural);
    r = kube_fetch(x->client, &(struct kube_request){ .path = path }, &status, ret_object, e);
    if (r < 0 || status.reason == KUBE_OK)
        return r;
    json_decref(*ret_object);
    *ret_object = NULL;
    if (status.reason == KUBE_NOT_FOUND)
        return 0;
    return err_set(e, status.reason == KUBE_FORBIDDEN ? -EACCES : -EAGAIN, "%s: %s", path,
                   status.message.text);
}

static int list(struct move_facts *x, enum kube_resource what, const char *namespace,
                const char *query, kube_item_fn *item, void (*restart)(void *data), struct err *e)
{
    AUTO(mem) char *path = kube_path(x->can, what, namespace, NULL);
    AUTO(strbuf) struct strbuf full = STRBUF_INIT;
    struct kube_status status;

    if (!path)
        return err_set(e, -ENOTSUP, "this cluster has no %s", x->can->resource[what].plural);
    strbuf_printf(&full, "%s%s", path, query);
    return kube_fetch_list(x->client, strbuf_text(&full), item, restart, x, &status, e);
}

/* --- lists --- */

#define LIST_OF(field, read_one)                              \
    static void add_##field(void *data, const json_t *object) \
    {                                                         \
        struct move_facts *x = data;                          \
                                                              \
        if ((read_one) < 0)                                   \
            x->n_##field--;                                   \
    }                                                         \
    static void drop_##field(void *data)

LIST_OF(pods, view_pod_read(object, ARRAY_ADD(x, pods)))
{
    struct move_facts *x = data;

    ARRAY_FOREACH(p, x, pods)
        view_pod_done(p);
    x->n_pods = 0;
}

LIST_OF(on_target, view_pod_read(object, ARRAY_ADD(x, on_target)))
{
    struct move_facts *x = data;

    ARRAY_FOREACH(p, x, on_target)
        view_pod_done(p);
    x->n_on_target = 0;
}

LIST_OF(budgets, view_budget_read(object, x->can->pdb_empty_selects_all, ARRAY_ADD(x, budgets)))
{
    struct move_facts *x = data;

    ARRAY_FOREACH(b, x, budgets)
        view_budget_done(b);
    x->n_budgets = 0;
}

LIST_OF(services, view_service_read(object, ARRAY_ADD(x, services)))
{
    struct move_facts *x = data;

    ARRAY_FOREACH(s, x, services)
        view_service_done(s);
    x->n_services = 0;
}

LIST_OF(slices, view_slice_read(object, ARRAY_ADD(x, slices)))
{
    struct move_facts *x = data;

    ARRAY_FOREACH(s, x, slices)
        view_slice_done(s);
    x->n_slices = 0;
}

static void forget(struct move_facts *x)
{
    drop_pods(x);
    drop_on_target(x);
    drop_budgets(x);
    drop_services(x);
    drop_slices(x);
    view_workload_done(&x->set);
    view_workload_done(&x->deployment);
    view_node_done(&x->target);
    free(x->exclusive_claim);
    x->exclusive_claim = NULL;
    x->facts = (struct adopt_facts){ 0 };
}

void move_facts_done(struct move_facts *x)
{
    forget(x);
    free(x->pods);
    free(x->on_target);
    free(x->budgets);
    free(x->services);
    free(x->slices);
    free(x->replica_set);
    free(x->pods_path);
    *x = (struct move_facts){ 0 };
}

/* --- whose pod it is --- */

struct heir { /* a pod that replaces the one that is gone */
    const char *pod;
    bool found;
    char *replica_set;
};

static void look_for_heir(void *data, const json_t *object)
{
    const json_t *annotations = view_at(object, "metadata.annotations"), *owner;
    const char *pod = json_string_value(json_object_get(annotations, SURGE_REPLACES_POD));
    struct heir *h = data;
    size_t i;

    if (!pod || strcmp(pod, h->pod) != 0)
        return;
    h->found = true;
    json_array_foreach(view_at(object, "metadata.ownerReferences"), i, owner)
        if (!h->replica_set && !strcmp(view_word(owner, "kind"), "ReplicaSet"))
            h->replica_set = view_copy(owner, "name");
}

static int find_heir(struct move_facts *x, const char *pod, struct err *e)
{
    AUTO(mem) char *path = kube_path(x->can, KUBE_PODS, x->namespace, NULL);
    struct heir h = { .pod = pod };
    struct kube_status status;
    int r = kube_fetch_list(x->client, path, look_for_heir, NULL, &h, &status, e);

    x->replica_set = h.replica_set;
    if (r == 0 && !h.found)
        r = err_set(e, -ENOENT, "there is no pod/%s in namespace %s", pod, x->namespace);
    return r;
}

/* The pods of the ReplicaSet, and those that would be its own but for the label that is withheld. A
 * bare ReplicaSet's may lack any label: all pods of the namespace then. */
static char *pods_query(const struct view_workload *set)
{
    struct strbuf query = STRBUF_INIT;
    bool has_hash = surge_withheld_value(set, HASH_LABEL);

    ARRAY_FOREACH(r, &set->selector, item) {
        if (!has_hash || !strcmp(r->key, HASH_LABEL) || r->operator!= LABEL_IN || r->values.n != 1)
            continue;
        strbuf_puts(&query, query.length ? "%2C" : "?labelSelector=");
        strbuf_printf(&query, "%s%%3D%s", r->key, r->values.item[0]);
    }
    return strbuf_take(&query);
}

static int read_set(struct move_facts *x, struct err *e)
{
    json_t *object = NULL;
    int r =
        x->replica_set ? get(x, KUBE_REPLICA_SETS, x->namespace, x->replica_set, &object, e) : 0;

    if (object && view_workload_read(object, &x->set) == 0)
        x->facts.replica_set = &x->set;
    json_decref(object);
    return r;
}

/* The first time: the pod's ReplicaSet, and how to list its pods. */
static int find_out(struct move_facts *x, const char *pod, struct err *e)
{
    json_t *object = NULL;
    int r = get(x, KUBE_PODS, x->namespace, pod, &object, e);

    free(x->replica_set); /* of a try that failed */
    x->replica_set = NULL;
    if (r < 0)
        return r;
    if (object) {
        struct view_meta meta;

        if (view_meta_read(object, &meta) == 0 && !strcmp(meta.owner.kind, "ReplicaSet"))
            x->replica_set = xstrdup(meta.owner.name);
        view_meta_done(&meta);
        json_decref(object);
    } else {
        r = find_heir(x, pod, e);
    }
    if (r == 0)
        r = read_set(x, e);
    if (r == 0)
        x->pods_path = x->facts.replica_set ? pods_query(&x->set) : xstrdup("");
    return r;
}

/* --- the rest --- */

static int read_deployment(struct move_facts *x, struct err *e)
{
    json_t *object = NULL;
    int r = 0;

    if (!x->facts.replica_set || strcmp(x->set.meta.owner.kind, "Deployment") != 0)
        return 0;
    r = get(x, KUBE_DEPLOYMENTS, x->namespace, x->set.meta.owner.name, &object, e);
    if (object && view_workload_read(object, &x->deployment) == 0)
        x->facts.deployment = &x->deployment;
    json_decref(object);
    return r;
}

static int read_claims(struct move_facts *x, const struct view_pod *victim, struct err *e)
{
    for (size_t i = 0; i < victim->claims.n && !x->exclusive_claim; i++) {
        const char *name = victim->claims.item[i];
        json_t *claim = NULL;
        int r = get(x, KUBE_PERSISTENT_VOLUME_CLAIMS, x->namespace, name, &claim, e);

        if (r < 0)
            return r;
        if (!adopt_claim_is_shared(claim))
            x->exclusive_claim = xstrdup(name);
        json_decref(claim);
    }
    return 0;
}

static int read_target(struct move_facts *x, const char *node, struct err *e)
{
    AUTO(strbuf) struct strbuf query = STRBUF_INIT;
    json_t *object = NULL;
    int r = get(x, KUBE_NODES, NULL, node, &object, e);

    if (object && view_node_read(object, &x->target) == 0)
        x->facts.target = &x->target;
    json_decref(object);
    if (r < 0 || !x->facts.target)
        return r;
    strbuf_printf(&query, "?fieldSelector=spec.nodeName%%3D%s", node);
    return list(x, KUBE_PODS, NULL, strbuf_text(&query), add_on_target, drop_on_target, e);
}

static int read_around(struct move_facts *x, const struct adopt_move *m,
                       const struct view_pod *victim, const struct view_pod *surge, struct err *e)
{
    int r = list(x, KUBE_POD_DISRUPTION_BUDGETS, x->namespace, "", add_budgets, drop_budgets, e);

    if (r == 0)
        r = list(x, KUBE_SERVICES, x->namespace, "", add_services, drop_services, e);
    if (r == 0 && surge)
        r = list(x, KUBE_ENDPOINT_SLICES, x->namespace, "", add_slices, drop_slices, e);
    if (r == 0 && !surge && *m->node)
        r = read_target(x, m->node, e);
    if (r == 0 && !surge && victim)
        r = read_claims(x, victim, e);
    return r;
}

static void fill(struct move_facts *x)
{
    struct adopt_facts *f = &x->facts;

    f->pods = x->pods;
    f->n_pods = x->n_pods;
    f->budgets = x->budgets;
    f->n_budgets = x->n_budgets;
    f->services = x->services;
    f->n_services = x->n_services;
    f->slices = x->slices;
    f->n_slices = x->n_slices;
    f->on_target = x->on_target;
    f->n_on_target = x->n_on_target;
    f->exclusive_claim = x->exclusive_claim;
    f->deletion_cost = x->can->pod_deletion_cost;
}

int move_facts_read(struct move_facts *x, const struct adopt_move *m, struct err *e)
{
    const struct view_pod *victim, *surge;
    int r = 0;

    forget(x);
    if (!x->pods_path) {
        r = find_out(x, m->pod, e);
        view_workload_done(&x->set);
        x->facts.replica_set = NULL; /* pods are read first */
    }
    if (r == 0)
        r = list(x, KUBE_PODS, x->namespace, x->pods_path, add_pods, drop_pods, e);
    if (r == 0)
        r = read_set(x, e);
    if (r == 0)
        r = read_deployment(x, e);
    if (r < 0)
        return r;
    fill(x);
    victim = adopt_victim(&x->facts, m);
    surge = adopt_surge(&x->facts, m);
    if (!surge || (surge->ready && !*surge->meta.owner.kind))
        r = read_around(x, m, victim, surge, e);
    fill(x);
    return r;
}
