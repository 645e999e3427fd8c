/* What is kept of a cluster, and how it changes. */
#include "controller/substrate/kube_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/drain_safe.h"
#include "controller/kubernetes/view_private.h"
#include "controller/substrate/kube_cluster_private.h"
#include "proto/base/random.h"

void kube_list_add(struct string_list *l, const char *text)
{
    l->item = xrealloc(l->item, (l->n + 1) * sizeof(*l->item));
    l->item[l->n++] = xstrdup(text);
}

/* --- life ---------------------------------------------------------------------------------------
 */

static void node_free(struct kube_seen_node *n)
{
    view_node_done(&n->view);
    amounts_done(&n->held);
    amounts_done(&n->replicas);
    free(n->name);
    free(n);
}

static void forget_view(struct kube_cluster *k, struct kube_seen_pod *p)
{
    if (p->view.meta.uid == p->uid)
        p->view.meta.uid = NULL;
    kube_pod_share_give(&k->share, &p->view, &p->shared);
}

static void pod_free(struct kube_cluster *k, struct kube_seen_pod *p)
{
    forget_view(k, p);
    free(p->uid);
    free(p);
}

static void workload_free(struct kube_workload *w)
{
    view_workload_done(&w->view);
    if (w->has_pod)
        view_pod_done(&w->pod);
    free(w->uid);
    free(w);
}

static void claim_free(struct kube_volume_claim *c)
{
    free(c->view.namespace);
    free(c->view.name);
    free(c->view.volume);
    free(c->key);
    free(c);
}

static void volume_free(struct kube_volume *v)
{
    view_pod_done(&v->user);
    free(v->name);
    free(v);
}

static void model_free(struct kube_model_target *m)
{
    free(m->namespace);
    free(m->kind);
    free(m->target);
    string_list_done(&m->unfit);
    free(m->name);
    free(m);
}

struct kube_cluster *kube_cluster_new(void)
{
    struct kube_cluster *k = xcalloc(1, sizeof(*k));

    k->look_dirty = true;
    k->epoch = 1;
    return k;
}

#define FREE_ALL(set, type, free_one)                        \
    do {                                                     \
        for (size_t i = 0; i < (set).n_items; i++)           \
            free_one((struct type *)(void *)(set).items[i]); \
        named_done(&(set));                                  \
    } while (0)

/* What it holds is borrowed. */
static void look_done(struct survey *s)
{
    for (size_t i = 0; i < ARRAY_LEN(s->workload); i++)
        free(s->workload[i]);
    free(s->claim);
    string_list_done(&s->pinned_volumes);
    *s = (struct survey){ 0 };
}

void kube_cluster_free(struct kube_cluster *k)
{
    if (!k)
        return;
    look_done(&k->look);
    FREE_ALL(k->nodes, kube_seen_node, node_free);
    for (size_t i = 0; i < k->pods.n_items; i++)
        pod_free(k, (struct kube_seen_pod *)(void *)k->pods.items[i]);
    named_done(&k->pods);
    kube_pod_share_done(&k->share);
    for (size_t w = 0; w < ARRAY_LEN(k->workloads); w++)
        FREE_ALL(k->workloads[w], kube_workload, workload_free);
    FREE_ALL(k->claims, kube_volume_claim, claim_free);
    FREE_ALL(k->volumes, kube_volume, volume_free);
    FREE_ALL(k->budgets, kube_budget, kube_budget_free);
    FREE_ALL(k->models, kube_model_target, model_free);
    FREE_ALL(k->powers, kube_seen_power, kube_power_free);
    FREE_ALL(k->tries, kube_wake_try, kube_wake_try_free);
    FREE_ALL(k->waits, kube_told_wait, kube_told_wait_free);
    FREE_ALL(k->drivers, kube_seen_drivers, kube_drivers_free);
    FREE_ALL(k->slices, kube_seen_slice, kube_slice_free);
    string_list_done(&k->gone_powers);
    string_list_done(&k->gone_nodes);
    string_list_done(&k->gone_pods);
    free(k);
}

/* --- objects ------------------------------------------------------------------------------------
 */

static uint64_t mix(uint64_t digest, const char *text)
{
    return random_mix(digest ^ random_hash(text)) + 0x9e3779b97f4a7c15u;
}

static uint64_t shape_of(const struct view_node *n)
{
    uint64_t d = mix(1, n->meta.name);

    for (size_t i = 0; i < n->meta.labels.n; i++)
        d = mix(mix(d, n->meta.labels.pair[i].key), n->meta.labels.pair[i].value);
    ARRAY_FOREACH(t, n, taint)
        d = mix(mix(d, t->key), t->value) + (uint64_t)t->effect;
    return d;
}

static void put_node(struct kube_cluster *k, const json_t *object)
{
    struct view_node view;
    struct kube_seen_node *n;

    if (view_node_read(object, &view) < 0)
        return;
    n = named_find(&k->nodes, view.meta.name);
    if (!n) {
        n = xcalloc(1, sizeof(*n));
        n->name = xstrdup(view.meta.name);
        named_add(&k->nodes, n);
    }
    view_node_done(&n->view);
    n->view = view;
    n->unknown = n->deleted = false;
    k->fit_dirty |= n->shape != shape_of(&view);
    n->shape = shape_of(&view);
}

static void put_pod(struct kube_cluster *k, const json_t *object)
{
    struct view_pod view;
    struct kube_seen_pod *p;

    if (view_pod_read(object, &view) < 0 || !*view.meta.uid) {
        view_pod_done(&view);
        return;
    }
    p = named_find(&k->pods, view.meta.uid);
    if (!p) {
        p = xcalloc(1, sizeof(*p));
        p->uid = xstrdup(view.meta.uid);
        named_add(&k->pods, p);
    }
    forget_view(k, p);
    free(view.meta.uid);
    view.meta.uid = p->uid;
    p->view = view;
    kube_pod_share_take(&k->share, &p->view, &p->shared);
    p->unknown = p->clean = false;
    p->judged = 0;
    p->shape = view.unschedulable ? kube_shape_of(&p->view) : 0;
    p->fit = p->shape ? kube_fit_of(&p->view) : 0;
}

/* A ReplicaSet that is kept, one of ten, so that its owner can go back to it. */
static bool is_of_the_past(enum kube_kind kind, const struct view_workload *w)
{
    return kind == KUBE_KIND_REPLICA_SETS && *w->meta.owner.kind && w->replicas == 0 &&
           w->status_replicas == 0;
}

/* Of templates only the pods are kept that they would make, and of those of the past not even that.
 */
static void put_workload(struct kube_cluster *k, enum kube_kind kind, const json_t *object)
{
    struct named_set *set = &k->workloads[kind - KUBE_KIND_REPLICA_SETS];
    struct view_workload view;
    struct kube_workload *w;

    if (view_workload_read(object, &view) < 0 || !*view.meta.uid) {
        view_workload_done(&view);
        return;
    }
    w = named_find(set, view.meta.uid);
    if (!w) {
        w = xcalloc(1, sizeof(*w));
        w->uid = xstrdup(view.meta.uid);
        named_add(set, w);
    }
    k->fit_dirty |= w->view.meta.generation != view.meta.generation;
    if (!w->view.meta.owner.uid || strcmp(w->view.meta.owner.uid, view.meta.owner.uid) != 0 ||
        w->view.claim_templates.n != view.claim_templates.n || w->view.claims_go != view.claims_go)
        k->epoch++; /* its pods may be another's, or held otherwise; else it is only its status */
    view_workload_done(&w->view);
    if (w->has_pod)
        view_pod_done(&w->pod);
    w->has_pod = !is_of_the_past(kind, &view) && view_template_read(&view, &w->pod) == 0;
    w->fit = w->has_pod ? kube_fit_of(&w->pod) : 0;
    w->loses = (struct err)ERR_INIT;
    if (w->has_pod)
        w->drain = drain_safety_of(&w->pod, view_at(view.template, "spec"), &w->loses);
    json_decref(view.template);
    view.template = NULL;
    w->view = view;
    k->look_dirty = true;
}

static void put_claim(struct kube_cluster *k, const json_t *object)
{
    struct survey s = { 0 };
    struct kube_volume_claim *c;
    char key[600];

    survey_add(&s, SURVEY_CLAIMS, object);
    if (s.n_claim == 1) {
        (void)snprintf(key, sizeof(key), "%.256s/%.256s", s.claim[0].namespace, s.claim[0].name);
        c = named_find(&k->claims, key);
        if (c) {
            named_remove(&k->claims, key);
            claim_free(c);
        }
        c = xcalloc(1, sizeof(*c));
        c->key = xstrdup(key);
        c->view = s.claim[0];
        s.n_claim = 0; /* its texts are ours now */
        named_add(&k->claims, c);
        k->look_dirty = true;
        k->epoch++;
    }
    survey_done(&s);
}

/* Its node affinity, as a pod's. */
static void set_user(struct view_pod *user, const json_t *object)
{
    const json_t *required = view_at(object, "spec.nodeAffinity.required");

    json_decref(user->affinity);
    user->affinity = required ? json_pack("{s:{s:O}}", "nodeAffinity",
                                          "requiredDuringSchedulingIgnoredDuringExecution",
                                          (json_t *)(uintptr_t)required)
                              : NULL;
}

static void put_volume(struct kube_cluster *k, const json_t *object)
{
    const char *name = view_word(object, "metadata.name");
    struct kube_volume *v = named_find(&k->volumes, name);
    struct survey s = { 0 };

    survey_add(&s, SURVEY_VOLUMES, object);
    if (!v && *name) {
        v = xcalloc(1, sizeof(*v));
        v->name = xstrdup(name);
        named_add(&k->volumes, v);
    }
    if (v)
        set_user(&v->user, object);
    if (v && v->pinned != (s.pinned_volumes.n > 0)) {
        v->pinned = s.pinned_volumes.n > 0;
        k->look_dirty = true;
        k->epoch++;
    }
    survey_done(&s);
}

void kube_cluster_put(struct kube_cluster *k, enum kube_kind kind, const json_t *object)
{
    switch (kind) {
    case KUBE_KIND_NODES:
        put_node(k, object);
        break;
    case KUBE_KIND_PODS:
        put_pod(k, object);
        break;
    case KUBE_KIND_REPLICA_SETS:
    case KUBE_KIND_DEPLOYMENTS:
    case KUBE_KIND_STATEFUL_SETS:
        put_workload(k, kind, object);
        break;
    case KUBE_KIND_CLAIMS:
        put_claim(k, object);
        break;
    case KUBE_KIND_VOLUMES:
        put_volume(k, object);
        break;
    case KUBE_KIND_NODE_POWERS:
        kube_power_put(k, object);
        break;
    case KUBE_KIND_CSI_NODES:
        kube_csi_put(k, object);
        break;
    case KUBE_KIND_RESOURCE_SLICES:
        kube_slice_put(k, object);
        break;
    case KUBE_KIND_BUDGETS:
        kube_budget_put(k, object);
        break;
    case KUBE_KIND_COUNT:
        break;
    }
}

/* --- going --------------------------------------------------------------------------------------
 */

/* The core drops the replicas of a node that goes, and of a model. */
static void untell(struct kube_seen_pod *p)
{
    p->told = 0;
    p->clean = false;
    p->told_node = p->told_model = NULL;
}

void kube_put_deleted(struct kube_cluster *k, const struct kube_seen_power *p)
{
    struct kube_seen_node *n;

    put_node(k, p->node);
    n = named_find(&k->nodes, p->name);
    if (n)
        n->deleted = true;
}

void kube_drop_node(struct kube_cluster *k, const char *name)
{
    struct kube_seen_node *n = named_find(&k->nodes, name);

    if (!n)
        return;
    if (n->told)
        kube_list_add(&k->gone_nodes, name);
    for (size_t i = 0; i < k->pods.n_items; i++) {
        struct kube_seen_pod *p = (struct kube_seen_pod *)(void *)k->pods.items[i];

        if (p->told_node && strcmp(p->told_node, name) == 0)
            untell(p);
    }
    named_remove(&k->nodes, name);
    node_free(n);
    kube_power_untell(k, name);
    k->fit_dirty = true;
}

static void drop_pod(struct kube_cluster *k, const char *uid)
{
    struct kube_seen_pod *p = named_find(&k->pods, uid);

    if (!p)
        return;
    if (p->told)
        kube_list_add(&k->gone_pods, uid);
    named_remove(&k->pods, uid);
    pod_free(k, p);
}

void kube_cluster_drop(struct kube_cluster *k, enum kube_kind kind, const struct kube_key *key)
{
    struct named_set *set;
    char text[600];
    void *item;

    switch (kind) {
    case KUBE_KIND_NODES:
        if (kube_power_keeps(k, key->name))
            kube_put_deleted(k, named_find(&k->powers, key->name));
        else
            kube_drop_node(k, key->name);
        return;
    case KUBE_KIND_PODS:
        drop_pod(k, key->uid);
        return;
    case KUBE_KIND_REPLICA_SETS:
    case KUBE_KIND_DEPLOYMENTS:
    case KUBE_KIND_STATEFUL_SETS:
        set = &k->workloads[kind - KUBE_KIND_REPLICA_SETS];
        item = named_find(set, key->uid);
        named_remove(set, key->uid);
        if (item)
            workload_free(item);
        k->fit_dirty = true;
        break;
    case KUBE_KIND_CLAIMS:
        (void)snprintf(text, sizeof(text), "%.256s/%.256s", key->namespace, key->name);
        item = named_find(&k->claims, text);
        named_remove(&k->claims, text);
        if (item)
            claim_free(item);
        break;
    case KUBE_KIND_VOLUMES:
        item = named_find(&k->volumes, key->name);
        named_remove(&k->volumes, key->name);
        if (item)
            volume_free(item);
        break;
    case KUBE_KIND_NODE_POWERS:
        kube_power_drop(k, key->name);
        return;
    case KUBE_KIND_CSI_NODES:
        kube_csi_drop(k, key->name);
        return;
    case KUBE_KIND_RESOURCE_SLICES:
        kube_slice_drop(k, key->name);
        return;
    case KUBE_KIND_BUDGETS:
        kube_budget_drop(k, key);
        return;
    case KUBE_KIND_COUNT:
        break;
    }
    k->look_dirty = true;
    k->epoch++;
}

/* --- what cannot be read ------------------------------------------------------------------------
 */

static void unknown_pod(struct kube_cluster *k, const struct kube_key *key)
{
    struct kube_seen_pod *p = named_find(&k->pods, key->uid);

    if (!p) { /* on a node that nobody knows */
        p = xcalloc(1, sizeof(*p));
        p->uid = xstrdup(key->uid);
        p->view.meta.namespace = xstrdup(key->namespace);
        p->view.meta.name = xstrdup(key->name);
        named_add(&k->pods, p);
    }
    p->unknown = true;
}

void kube_cluster_unknown(struct kube_cluster *k, enum kube_kind kind, const struct kube_key *key)
{
    struct kube_seen_node *n = kind == KUBE_KIND_NODES ? named_find(&k->nodes, key->name) : NULL;

    if (n)
        n->unknown = true;
    if (!*key->name)
        k->nameless[kind] = true;
    else if (kind == KUBE_KIND_PODS)
        unknown_pod(k, key);
}

void kube_cluster_blind(struct kube_cluster *k, enum kube_kind kind, bool blind)
{
    k->blind[kind] = blind;
}

void kube_cluster_listed(struct kube_cluster *k, enum kube_kind kind)
{
    k->nameless[kind] = false;
}

/* --- models -------------------------------------------------------------------------------------
 */

void kube_cluster_forget_model(struct kube_cluster *k, const char *name)
{
    struct kube_model_target *m = named_find(&k->models, name);

    if (!m)
        return;
    for (size_t i = 0; i < k->pods.n_items; i++) {
        struct kube_seen_pod *p = (struct kube_seen_pod *)(void *)k->pods.items[i];

        if (p->told_model && strcmp(p->told_model, name) == 0)
            untell(p);
    }
    k->epoch++;
    named_remove(&k->models, name);
    model_free(m);
}

static void set_text(char **at, const char *text)
{
    free(*at);
    *at = xstrdup(text);
}

void kube_cluster_model(struct kube_cluster *k, const char *name, const char *namespace,
                        const struct served_model *spec)
{
    struct kube_model_target *m = named_find(&k->models, name);
    bool is_new = !m;

    if (is_new) {
        m = xcalloc(1, sizeof(*m));
        m->name = xstrdup(name);
        named_add(&k->models, m);
    }
    m->external = spec->scaling_owner == SCALING_EXTERNAL;
    if (!is_new && strcmp(m->kind, spec->target.kind) == 0 &&
        strcmp(m->target, spec->target.name) == 0)
        return;
    k->epoch++;
    set_text(&m->namespace, namespace);
    set_text(&m->kind, spec->target.kind);
    set_text(&m->target, spec->target.name);
}

/* --- looking up ---------------------------------------------------------------------------------
 */

static void look_at_workloads(struct kube_cluster *k, enum kube_kind kind, enum survey_part part)
{
    const struct named_set *set = &k->workloads[kind - KUBE_KIND_REPLICA_SETS];
    size_t at = (size_t)(part - SURVEY_REPLICA_SETS);

    k->look.workload[at] = xcalloc(set->n_items + 1, sizeof(*k->look.workload[at]));
    k->look.n_workload[at] = set->n_items;
    for (size_t i = 0; i < set->n_items; i++) /* ascending by uid, as survey_workload() asks */
        k->look.workload[at][i] = ((struct kube_workload *)(void *)set->items[i])->view;
}

void kube_look(struct kube_cluster *k)
{
    if (!k->look_dirty)
        return;
    k->look_dirty = false;
    look_done(&k->look);
    look_at_workloads(k, KUBE_KIND_REPLICA_SETS, SURVEY_REPLICA_SETS);
    look_at_workloads(k, KUBE_KIND_DEPLOYMENTS, SURVEY_DEPLOYMENTS);
    look_at_workloads(k, KUBE_KIND_STATEFUL_SETS, SURVEY_STATEFUL_SETS);
    k->look.claim = xcalloc(k->claims.n_items + 1, sizeof(*k->look.claim));
    k->look.n_claim = k->claims.n_items;
    for (size_t i = 0; i < k->claims.n_items; i++)
        k->look.claim[i] = ((struct kube_volume_claim *)(void *)k->claims.items[i])->view;
    for (size_t i = 0; i < k->volumes.n_items; i++) {
        const struct kube_volume *v = (struct kube_volume *)(void *)k->volumes.items[i];

        if (v->pinned)
            kube_list_add(&k->look.pinned_volumes, v->name);
    }
    survey_close(&k->look);
}
