/* Moves that stand in a cluster of Kubernetes and that the core does not know of: those that were
 * written into the status of a ServedModel and of which no pod is left, and pods that were to take
 * the place of one that is gone, or is no replica any more. They are taken back (kube_mover.h): so
 * a controller that ended at any moment leaves nothing behind, once another one leads. */
#ifndef HUDDLE_SUBSTRATE_KUBE_LEFTOVERS_H
#define HUDDLE_SUBSTRATE_KUBE_LEFTOVERS_H

#include <jansson.h>

#include "controller/substrate/kube_cluster.h"
#include "controller/substrate/kube_mover.h"

struct kube_leftover {
    char *model, *pod, *uid, *node; /* as of kube_mover_order */
    int64_t since_ms;               /* since when it is in nobody's hand */
};

struct kube_leftovers {
    struct kube_leftover *items; /* moves that ServedModels tell of */
    size_t n_items, cap_items;
};

/* The ServedModel, as the API server has it now; NULL: it is gone. */
void kube_leftovers_model(struct kube_leftovers *l, const char *model, const json_t *object,
                          int64_t now_ms);

/* While this controller leads, now and then: gives what is left over to the mover. */
void kube_leftovers_look(struct kube_leftovers *l, const struct kube_cluster *cluster,
                         struct kube_mover *mover, int64_t now_ms);

/* A term begins: nobody had them in hand before. */
void kube_leftovers_begin(struct kube_leftovers *l, int64_t now_ms);

void kube_leftovers_done(struct kube_leftovers *l);

#endif
