#include "controller/substrate/kube_leftovers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"

#define GRACE_MS 15000 /* in which the core takes up what it knows, and watches follow */

static void item_done(struct kube_leftover *x)
{
    free(x->model);
    free(x->pod);
    free(x->uid);
    free(x->node);
}

void kube_leftovers_done(struct kube_leftovers *l)
{
    ARRAY_FOREACH(x, l, items)
        item_done(x);
    free(l->items);
    *l = (struct kube_leftovers){ 0 };
}

static void add(struct kube_leftovers *l, const char *model, const char *namespace,
                const json_t *entry, int64_t now_ms)
{
    char pod[600];

    if (!*view_word(entry, "victim") || !*view_word(entry, "victimUID"))
        return; /* not huddle's */
    (void)snprintf(pod, sizeof(pod), "%.253s/%.253s", namespace, view_word(entry, "victim"));
    *ARRAY_ADD(l, items) = (struct kube_leftover){ .model = xstrdup(model),
                                                   .pod = xstrdup(pod),
                                                   .uid = view_copy(entry, "victimUID"),
                                                   .node = view_copy(entry, "node"),
                                                   .since_ms = now_ms };
}

static int64_t known_since(const struct kube_leftovers *l, const char *model, const char *uid,
                           int64_t now_ms)
{
    ARRAY_FOREACH(x, l, items)
        if (strcmp(x->model, model) == 0 && strcmp(x->uid, uid) == 0)
            return x->since_ms;
    return now_ms;
}

void kube_leftovers_model(struct kube_leftovers *l, const char *model, const json_t *object,
                          int64_t now_ms)
{
    struct kube_leftovers now = { 0 };
    const json_t *entry;
    size_t i;

    ARRAY_FOREACH(x, l, items) /* of the others */
        if (strcmp(x->model, model) != 0)
            *ARRAY_ADD(&now, items) = (struct kube_leftover){ .model = xstrdup(x->model),
                                                              .pod = xstrdup(x->pod),
                                                              .uid = xstrdup(x->uid),
                                                              .node = xstrdup(x->node),
                                                              .since_ms = x->since_ms };
    json_array_foreach(view_at(object, "status.moves"), i, entry)
        add(&now, model, view_word(object, "metadata.namespace"), entry,
            known_since(l, model, view_word(entry, "victimUID"), now_ms));
    kube_leftovers_done(l);
    *l = now;
}

void kube_leftovers_begin(struct kube_leftovers *l, int64_t now_ms)
{
    ARRAY_FOREACH(x, l, items)
        x->since_ms = now_ms;
}

static void take_back(struct kube_mover *mover, const char *model, const char *pod, const char *uid,
                      const char *node)
{
    kube_mover_give(mover, &(struct kube_mover_order){ .model = model,
                                                       .pod = pod,
                                                       .uid = uid,
                                                       .node = node,
                                                       .abort = true,
                                                       .listed = *model != '\0' });
}

static void take_back_orphan(void *data, const char *pod, const char *uid, const char *node)
{
    struct kube_mover *mover = data;

    if (!kube_mover_has(mover, uid))
        take_back(mover, "", pod, uid, node);
}

void kube_leftovers_look(struct kube_leftovers *l, const struct kube_cluster *cluster,
                         struct kube_mover *mover, int64_t now_ms)
{
    kube_cluster_orphans(cluster, take_back_orphan, mover);
    ARRAY_FOREACH(x, l, items) {
        if (kube_mover_has(mover, x->uid)) {
            x->since_ms = now_ms;
        } else if (now_ms - x->since_ms >= GRACE_MS) {
            x->since_ms = now_ms;
            take_back(mover, x->model, x->pod, x->uid, x->node);
        }
    }
}
