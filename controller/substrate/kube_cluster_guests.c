/* Pods that are no replicas of models ("bystanders"), on a node that is to sleep: which may be
 * evicted, and when. Whatever is one alone of its kind, or not made again by a ReplicaSet, stays,
 * and its node with it: behind such a pod may be the last endpoint of what others wait for. */
#include <string.h>

#include "controller/substrate/kube_cluster_private.h"
#include "controller/substrate/kube_stage.h"

static const struct view_workload *set_of(const struct kube_cluster *k, const struct view_pod *p)
{
    return strcmp(p->meta.owner.kind, "ReplicaSet") == 0
               ? survey_workload(&k->look, SURVEY_REPLICA_SETS, p->meta.owner.uid)
               : NULL;
}

bool kube_may_be_evicted(const struct kube_cluster *k, const struct kube_seen_pod *p)
{
    const struct view_workload *set = set_of(k, &p->view);

    return !p->model && p->hold == HOLD_NONE && !p->spread && set && set->replicas >= 2;
}

static bool has_room(const struct kube_cluster *k, const struct kube_seen_node *n,
                     const struct view_pod *p)
{
    if (!n->view.ready || n->view.cordoned || n->view.meta.deleting || n->unknown || *n->closed ||
        kube_stage_of(&n->view) >= KUBE_STAGE_DRAINING || !kube_room_fits(k, p, n) ||
        kube_room_places(k, n) < 1)
        return false;
    ARRAY_FOREACH(a, &p->requests, item)
        if (kube_room_free(k, n, a->name) < a->milli)
            return false;
    return true;
}

static bool fits_elsewhere(const struct kube_cluster *k, const struct view_pod *p)
{
    for (size_t i = 0; i < k->nodes.n_items; i++) {
        const struct kube_seen_node *n = (struct kube_seen_node *)(void *)k->nodes.items[i];

        if (strcmp(n->name, p->node) != 0 && has_room(k, n, p))
            return true;
    }
    return false;
}

const struct view_pod *kube_cluster_evictable(const struct kube_cluster *k, const char *node,
                                              kube_skip_fn *skip, const void *data)
{
    for (size_t i = 0; i < k->pods.n_items; i++) {
        const struct kube_seen_pod *p = (struct kube_seen_pod *)(void *)k->pods.items[i];
        const struct view_workload *set;

        if (p->unknown || !p->view.node || strcmp(p->view.node, node) != 0 ||
            p->view.meta.deleting || view_is_daemon(&p->view) || view_is_finished(&p->view) ||
            !kube_may_be_evicted(k, p) || skip(data, p->view.meta.owner.uid))
            continue;
        set = set_of(k, &p->view);
        if (set->ready_replicas >= set->replicas && set->status_replicas == set->replicas &&
            fits_elsewhere(k, &p->view))
            return &p->view;
    }
    return NULL;
}
