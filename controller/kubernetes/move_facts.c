#include "controller/kubernetes/move_facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/recipe.h"
#include "controller/kubernetes/stand_in.h"
#include "controller/kubernetes/survey.h"
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
    struct kube_status status = { 0 };
    int r;

    if (!path)
        return err_set(e, -ENOTSUP, "this cluster has no %s", x->can->resource[what].plural);
    strbuf_printf(&full, "%s%s", path, query);
    r = kube_fetch_list(x->client, strbuf_text(&full), item, restart, x, &status, e);
    return r < 0 && status.reason == KUBE_FORBIDDEN ? -EACCES : r;
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
    free(x->pinned_claim);
    free(x->scaler);
    x->exclusive_claim = x->pinned_claim = x->scaler = NULL;
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
    free(x->set_name);
    free(x->pods_path);
    *x = (struct move_facts){ 0 };
}

/* --- whose pod it is --- */

struct heir { /* a pod that replaces the one that is gone */
    const char *pod;
    bool found;
    struct move_facts *x;
};

/* The ReplicaSet or StatefulSet among its owners. */
static void note_set(struct move_facts *x, const json_t *pod)
{
    const json_t *owner;
    size_t i;

    json_array_foreach(view_at(pod, "metadata.ownerReferences"), i, owner) {
        bool ordinals = !strcmp(view_word(owner, "kind"), "StatefulSet");

        if (x->set_name || (!ordinals && strcmp(view_word(owner, "kind"), "ReplicaSet") != 0) ||
            strncmp(view_word(owner, "apiVersion"), "apps/", 5) != 0)
            continue;
        x->set_name = view_copy(owner, "name");
        x->ordinals = ordinals;
    }
}

static void look_for_heir(void *data, const json_t *object)
{
    const json_t *annotations = view_at(object, "metadata.annotations");
    const char *const keys[] = { SURGE_REPLACES_POD, STAND_IN_FOR_POD };
    struct heir *h = data;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *pod = json_string_value(json_object_get(annotations, keys[i]));

        if (!pod || strcmp(pod, h->pod) != 0)
            continue;
        h->found = true;
        note_set(h->x, object);
    }
}

/* Of the Deployment's ReplicaSets the one that has pods. */
static void look_for_set(void *data, const json_t *object)
{
    struct move_facts *x = data;
    const json_t *owner = json_array_get(view_at(object, "metadata.ownerReferences"), 0);

    if (!x->set_name && !strcmp(view_word(owner, "kind"), "Deployment") &&
        !strcmp(view_word(owner, "name"), x->workload) &&
        view_integer(object, "spec.replicas", 0) > 0)
        x->set_name = view_copy(object, "metadata.name");
}

static int find_by_workload(struct move_facts *x, const char *pod, struct err *e)
{
    const char *kind = x->kind && x->workload ? x->kind : "";
    int r = 0;

    x->ordinals = !strcmp(kind, "StatefulSet");
    if (x->ordinals || !strcmp(kind, "ReplicaSet"))
        x->set_name = xstrdup(x->workload);
    else if (!strcmp(kind, "Deployment"))
        r = list(x, KUBE_REPLICA_SETS, x->namespace, "", look_for_set, NULL, e);
    if (r == 0 && !x->set_name)
        r = err_set(e, -ENOENT, "there is no pod/%s in namespace %s", pod, x->namespace);
    return r;
}

static int find_heir(struct move_facts *x, const char *pod, struct err *e)
{
    AUTO(mem) char *path = kube_path(x->can, KUBE_PODS, x->namespace, NULL);
    struct heir h = { .pod = pod, .x = x };
    struct kube_status status;
    int r = kube_fetch_list(x->client, path, look_for_heir, NULL, &h, &status, e);

    return r < 0 || h.found ? r : find_by_workload(x, pod, e);
}

/* The pods of the ReplicaSet, and those that would be its own but for the label that is withheld. A
 * bare ReplicaSet's may lack any label: all pods of the namespace then. */
static char *pods_query(const struct view_workload *set, bool ordinals)
{
    struct strbuf query = STRBUF_INIT;
    bool has_hash = surge_withheld_value(set, HASH_LABEL);

    ARRAY_FOREACH(r, &set->selector, item) {
        if ((!has_hash && !ordinals) || !strcmp(r->key, HASH_LABEL) ||
            r->operator!= LABEL_IN || r->values.n != 1)
            continue;
        strbuf_puts(&query, query.length ? "%2C" : "?labelSelector=");
        strbuf_printf(&query, "%s%%3D%s", r->key, r->values.item[0]);
    }
    return strbuf_take(&query);
}

static int read_set(struct move_facts *x, struct err *e)
{
    enum kube_resource what = x->ordinals ? KUBE_STATEFUL_SETS : KUBE_REPLICA_SETS;
    json_t *object = NULL;
    int r = x->set_name ? get(x, what, x->namespace, x->set_name, &object, e) : 0;

    if (object && view_workload_read(object, &x->set) == 0) {
        x->facts.replica_set = x->ordinals ? NULL : &x->set;
        x->facts.stateful_set = x->ordinals ? &x->set : NULL;
    }
    json_decref(object);
    return r;
}

/* The first time: the pod's ReplicaSet, and how to list its pods. */
static int find_out(struct move_facts *x, const char *pod, struct err *e)
{
    json_t *object = NULL;
    int r = get(x, KUBE_PODS, x->namespace, pod, &object, e);

    free(x->set_name); /* of a try that failed */
    x->set_name = NULL;
    if (r < 0)
        return r;
    if (object) {
        note_set(x, object);
        json_decref(object);
    } else {
        r = find_heir(x, pod, e);
    }
    if (r == 0)
        r = read_set(x, e);
    if (r == 0)
        x->pods_path = x->facts.replica_set || x->facts.stateful_set
                           ? pods_query(&x->set, x->ordinals)
                           : xstrdup("");
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

static int read_volume(struct move_facts *x, const char *claim, const char *volume, struct err *e)
{
    struct survey s = { 0 };
    json_t *object = NULL;
    int r = *volume ? get(x, KUBE_PERSISTENT_VOLUMES, NULL, volume, &object, e) : 0;

    if (object)
        survey_add(&s, SURVEY_VOLUMES, object);
    if (s.pinned_volumes.n && !x->pinned_claim)
        x->pinned_claim = xstrdup(claim);
    survey_done(&s);
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
        if (recipe_is_own_claim(x->facts.stateful_set, victim, name))
            r = read_volume(x, name, view_word(claim, "spec.volumeName"), e);
        else if (!adopt_claim_is_shared(claim))
            x->exclusive_claim = xstrdup(name);
        json_decref(claim);
        if (r < 0)
            return r;
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

/* --- who else writes replicas --- */

static bool is_workload(const struct move_facts *x, const json_t *ref)
{
    const struct view_workload *w = stand_in_workload(&x->facts);
    enum kube_resource what = move_facts_workload(x);
    const char *kind = what == KUBE_DEPLOYMENTS     ? "Deployment"
                       : what == KUBE_STATEFUL_SETS ? "StatefulSet"
                                                    : "ReplicaSet";

    return w && !strcmp(view_word(ref, "name"), w->meta.name) &&
           !strcmp(view_word(ref, "kind"), kind);
}

static void say_scaler(struct move_facts *x, const char *kind, const json_t *object,
                       const char *more)
{
    struct strbuf text = STRBUF_INIT;

    if (x->scaler)
        return;
    strbuf_printf(&text, "%s/%s%s", kind, view_word(object, "metadata.name"), more);
    x->scaler = strbuf_take(&text);
}

static void look_at_autoscaler(void *data, const json_t *object)
{
    if (is_workload(data, view_at(object, "spec.scaleTargetRef")))
        say_scaler(data, "horizontalpodautoscaler", object, "");
}

static void look_at_model(void *data, const json_t *object)
{
    if (is_workload(data, view_at(object, "spec.targetRef")) &&
        !strcmp(view_word(object, "spec.scaling.owner"), "External"))
        say_scaler(data, "servedmodel", object, ", by scaling.owner External,");
}

/* KEDA's ScaledObjects have a HorizontalPodAutoscaler. */
static int read_scalers(struct move_facts *x, struct err *e)
{
    int r = list(x, KUBE_HORIZONTAL_POD_AUTOSCALERS, x->namespace, "", look_at_autoscaler, NULL, e);

    if (r == 0 && x->can->resource[KUBE_SERVED_MODELS].served)
        r = list(x, KUBE_SERVED_MODELS, x->namespace, "", look_at_model, NULL, e);
    return r;
}

static int read_around(struct move_facts *x, const struct adopt_move *m,
                       const struct view_pod *victim, const struct view_pod *surge, struct err *e)
{
    int r = list(x, KUBE_POD_DISRUPTION_BUDGETS, x->namespace, "", add_budgets, drop_budgets, e);

    if (r == 0)
        r = list(x, KUBE_SERVICES, x->namespace, "", add_services, drop_services, e);
    if (r == 0 && (surge || x->stand_in))
        r = list(x, KUBE_ENDPOINT_SLICES, x->namespace, "", add_slices, drop_slices, e);
    if (r == 0 && !surge && *m->node)
        r = read_target(x, m->node, e);
    if (r == 0 && !surge && victim)
        r = read_claims(x, victim, e);
    if (r == 0 && x->stand_in)
        r = read_scalers(x, e);
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
    f->pinned_claim = x->pinned_claim;
    f->scaler = x->scaler;
    f->deletion_cost = x->can->pod_deletion_cost;
    f->tells_writers = x->can->scale_writers;
}

int move_facts_read(struct move_facts *x, const struct adopt_move *m, struct err *e)
{
    const struct view_pod *victim, *surge;
    int r = 0;

    forget(x);
    if (!x->pods_path) {
        r = find_out(x, m->pod, e);
        view_workload_done(&x->set);
        x->facts.replica_set = x->facts.stateful_set = NULL; /* pods are read first */
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
    if (x->stand_in || !surge || (surge->ready && !*surge->meta.owner.kind))
        r = read_around(x, m, victim, surge, e);
    fill(x);
    return r;
}

enum kube_resource move_facts_workload(const struct move_facts *x)
{
    const struct view_workload *w = stand_in_workload(&x->facts);

    return x->ordinals                     ? KUBE_STATEFUL_SETS
           : w && w == x->facts.deployment ? KUBE_DEPLOYMENTS
                                           : KUBE_REPLICA_SETS;
}
