/* What the pods of a node, its taints and its owners mean for it: what they hold, whether something
 * more may be placed there, and whether it could be emptied. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/sleepers_now.h"
#include "controller/kubernetes/stand_in.h"
#include "controller/kubernetes/surge.h"
#include "controller/substrate/kube_cluster_private.h"
#include "controller/substrate/kube_stage.h"

enum weight { /* of a reason to stay; one that lasts longer hides the others */
              WEIGHT_FOREIGN = 1,
              WEIGHT_SPREAD,
              WEIGHT_UNSAFE,
              WEIGHT_HELD,
              WEIGHT_UNREADABLE,
              WEIGHT_POWER,
};

static struct kube_seen_node *node_at(const struct kube_cluster *k, size_t i)
{
    return (struct kube_seen_node *)(void *)k->nodes.items[i];
}

static void stays(struct kube_seen_node *n, int weight, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Of reasons of one weight the first by its text, so that it does not change with the order. */
static void stays(struct kube_seen_node *n, int weight, const char *format, ...)
{
    char text[KUBE_WHY_MAX];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (weight < n->weight || (weight == n->weight && strcmp(text, n->stays) >= 0))
        return;
    n->weight = weight;
    memcpy(n->stays, text, sizeof(text));
}

void kube_stays_for_spread(struct kube_seen_node *n, const char *why)
{
    stays(n, WEIGHT_SPREAD, "%s", why);
}

/* --- the node by itself -------------------------------------------------------------------------
 */

bool kube_taint_counts(const struct view_node *n, const struct view_taint *t)
{
    bool is_away = strcmp(t->key, "node.kubernetes.io/unreachable") == 0 ||
                   strcmp(t->key, "node.kubernetes.io/not-ready") == 0;

    return t->effect != TAINT_PREFER_NO_SCHEDULE && !kube_stage_owns(t->key) &&
           !(is_away && kube_stage_of(n) == KUBE_STAGE_CLOSED);
}

bool kube_fits(const struct view_pod *p, const struct view_node *n)
{
    ARRAY_FOREACH(t, n, taint)
        if (kube_taint_counts(n, t) && !view_tolerates(p, t))
            return false;
    return view_selects_node(p, n);
}

/* A taint that the pods of a model live with is for them, not against them. */
static bool is_lived_with(const struct kube_cluster *k, const struct view_taint *t)
{
    for (size_t i = 0; i < k->models.n_items; i++) {
        const struct kube_model_target *m = (struct kube_model_target *)(void *)k->models.items[i];

        if (m->workload && m->workload->has_pod && view_tolerates(&m->workload->pod, t))
            return true;
    }
    return false;
}

static void close_node(const struct kube_cluster *k, struct kube_seen_node *n)
{
    n->closed[0] = '\0';
    if (sleepers_is_control_plane(&n->view)) {
        (void)snprintf(n->closed, sizeof(n->closed), "it is of the control plane");
        return;
    }
    if (n->view.cordoned) {
        (void)snprintf(n->closed, sizeof(n->closed), "it is cordoned (kubectl uncordon ends that)");
        return;
    }
    ARRAY_FOREACH(t, &n->view, taint) {
        bool own = strncmp(t->key, "node.kubernetes.io/", strlen("node.kubernetes.io/")) == 0;

        if (!kube_taint_counts(&n->view, t) || (!own && is_lived_with(k, t)))
            continue;
        (void)snprintf(n->closed, sizeof(n->closed), "it is tainted %.200s, %s", t->key,
                       own ? "by a condition of its own" : "which no model's pods tolerate");
        return;
    }
}

static void look_at_owner(struct kube_seen_node *n)
{
    static const char *const MACHINES[] = { "cluster.x-k8s.io/machine",
                                            "machine.openshift.io/machine" };

    if (sleepers_is_karpenters(&n->view))
        stays(n, WEIGHT_POWER, "Karpenter makes and deletes it");
    for (size_t i = 0; i < ARRAY_LEN(MACHINES); i++)
        if (string_map_get(&n->view.meta.annotations, MACHINES[i]))
            stays(n, WEIGHT_POWER, "its power has another owner (%s)", MACHINES[i]);
    if (n->unknown)
        stays(n, WEIGHT_UNREADABLE, "Kubernetes tells of it what cannot be read");
}

/* --- its pods -----------------------------------------------------------------------------------
 */

bool kube_has_to_be_spread(const struct view_pod *p)
{
    const json_t *anti = json_object_get(json_object_get(p->affinity, "podAntiAffinity"),
                                         "requiredDuringSchedulingIgnoredDuringExecution");
    const json_t *with = json_object_get(json_object_get(p->affinity, "podAffinity"),
                                         "requiredDuringSchedulingIgnoredDuringExecution");

    ARRAY_FOREACH(s, p, spread)
        if (s->required)
            return true;
    return json_array_size(anti) > 0 || json_array_size(with) > 0;
}

static void weigh_unreadable(struct kube_cluster *k, const struct kube_seen_pod *p)
{
    struct kube_seen_node *n = p->view.node ? named_find(&k->nodes, p->view.node) : NULL;

    for (size_t i = 0; i < k->nodes.n_items; i++)
        if (!n || node_at(k, i) == n) {
            stays(node_at(k, i), WEIGHT_UNREADABLE, "pod %.120s/%.120s cannot be read%s",
                  p->view.meta.namespace, p->view.meta.name, n ? "" : ", and may be here");
            node_at(k, i)->left++;
        }
}

/* A surge pod is one of the model whose pod it replaces, as long as that is there. */
static struct kube_model_target *model_to_come(const struct kube_cluster *k,
                                               const struct view_pod *p)
{
    const struct kube_seen_pod *old =
        named_find(&k->pods, string_map_get(&p->meta.annotations, SURGE_REPLACES));

    if (!old || old->unknown || surge_is_waiting(&old->view) ||
        strcmp(old->view.meta.namespace, p->meta.namespace) != 0)
        return NULL;
    return kube_model_of(k, &old->view);
}

const char *kube_place_of(const struct kube_seen_pod *p)
{
    return *p->view.node || !p->coming || !p->model ? p->view.node : surge_pin(&p->view);
}

static void judge(const struct kube_cluster *k, struct kube_seen_pod *p)
{
    if (p->judged == k->epoch)
        return;
    p->coming = surge_is_waiting(&p->view);
    p->judged = p->coming ? 0 : k->epoch; /* what it replaces may come and go */
    p->model = p->coming ? model_to_come(k, &p->view) : kube_model_of(k, &p->view);
    p->hold = p->coming && p->model ? HOLD_NONE : hold_of(&k->look, &p->view);
    p->hold_words = hold_words_of(&k->look, &p->view, p->hold);
    p->spread = kube_has_to_be_spread(&p->view);
    p->clean = false;
}

static void has_guest(struct kube_seen_node *n, const struct view_pod *p)
{
    char text[KUBE_WHY_MAX];

    (void)snprintf(text, sizeof(text),
                   "%.90s/%.90s is no replica of a ServedModel, and its PowerPool keeps such pods "
                   "(bystanders)",
                   p->meta.namespace, p->meta.name);
    if (!*n->guest || strcmp(text, n->guest) < 0)
        memcpy(n->guest, text, sizeof(text));
}

/* `n` has the pod, and it does not go with its node by itself. */
static void weigh_guest(const struct kube_cluster *k, struct kube_seen_node *n,
                        const struct kube_seen_pod *seen)
{
    const struct view_pod *p = &seen->view;

    if (seen->hold != HOLD_NONE)
        stays(n, WEIGHT_HELD, "%.90s/%.90s cannot be moved: %s", p->meta.namespace, p->meta.name,
              seen->hold_words);
    else if (!seen->model && kube_may_be_evicted(k, seen))
        has_guest(n, p);
    else if (!seen->model)
        stays(n, WEIGHT_FOREIGN, "%.90s/%.90s is no replica of a ServedModel, and no plan moves it",
              p->meta.namespace, p->meta.name);
    else if (seen->model->held[0])
        stays(n, WEIGHT_UNSAFE, "%.60s/%.60s cannot be moved: %.170s", p->meta.namespace,
              p->meta.name, seen->model->held);
    else if (seen->spread)
        stays(n, WEIGHT_SPREAD,
              "%.90s/%.90s has to be spread, or kept together, by rules that are not planned yet",
              p->meta.namespace, p->meta.name);
}

/* Also one for which others are being put off the node just now. */
static void count_left(struct kube_cluster *k, const struct kube_seen_pod *seen)
{
    const struct view_pod *p = &seen->view;
    const char *node = *kube_place_of(seen) ? kube_place_of(seen) : p->nominated_node;
    struct kube_seen_node *n = *node ? named_find(&k->nodes, node) : NULL;
    char name[KUBE_WHY_MAX];

    if (!n)
        return;
    (void)snprintf(name, sizeof(name), "%.120s/%.120s", p->meta.namespace, p->meta.name);
    if (n->left++ == 0 || strcmp(name, n->first_left) < 0)
        memcpy(n->first_left, name, sizeof(name));
}

static void weigh_pod(struct kube_cluster *k, struct kube_seen_pod *seen)
{
    const struct view_pod *p = &seen->view;
    struct kube_seen_node *n;

    if (seen->unknown) {
        weigh_unreadable(k, seen);
        return;
    }
    judge(k, seen);
    if (view_is_finished(p))
        return;
    if (seen->model && !*p->node && !seen->coming)
        seen->model->pending++;
    if (seen->model && stand_in_is_open(p))
        seen->model->before = stand_in_replicas_before(p);
    if (!view_is_daemon(p))
        count_left(k, seen);
    n = *kube_place_of(seen) ? named_find(&k->nodes, kube_place_of(seen)) : NULL;
    if (!n)
        return;
    amounts_add(seen->model ? &n->replicas : &n->held, &p->requests);
    n->n_pods++;
    if (!view_is_daemon(p))
        weigh_guest(k, n, seen);
}

void kube_weigh_nodes(struct kube_cluster *k)
{
    for (size_t i = 0; i < k->nodes.n_items; i++) {
        struct kube_seen_node *n = node_at(k, i);

        amounts_done(&n->held);
        amounts_done(&n->replicas);
        n->n_pods = 0;
        n->stays[0] = n->guest[0] = n->first_left[0] = '\0';
        n->weight = 0;
        n->left = 0;
        close_node(k, n);
        look_at_owner(n);
        if (k->nameless[KUBE_KIND_PODS])
            stays(n, WEIGHT_UNREADABLE, "a pod cannot be read, not even its name: it may be here");
    }
    for (size_t i = 0; i < k->models.n_items; i++) {
        struct kube_model_target *m = (struct kube_model_target *)(void *)k->models.items[i];

        m->pending = 0;
        m->pending_why[0] = '\0';
        m->before = 0;
    }
    for (size_t i = 0; i < k->pods.n_items; i++)
        weigh_pod(k, (struct kube_seen_pod *)(void *)k->pods.items[i]);
}
