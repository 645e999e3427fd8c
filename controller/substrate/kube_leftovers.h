/* Moves that stand in a cluster of Kubernetes and that the core does not know of: those that were
 * written into the status of a ServedModel and of which no pod is left, pods that were to take the
 * place of one that is gone, or is no replica any more, and pods of which one stands in for another
 * (stand_in.h) with nobody to see to its end. They are taken back (kube_mover.h): so a controller
 * that ended at any moment, and a person's `move` that was killed, leave nothing behind, once
 * another one leads.
 *
 * Whoever may make a pod can make one that looks like a leftover: a few are taken back at a time,
 * those that wait longest first, and one that could not be is left alone for twice as long each
 * time. Pure. */
#ifndef HUDDLE_SUBSTRATE_KUBE_LEFTOVERS_H
#define HUDDLE_SUBSTRATE_KUBE_LEFTOVERS_H

#include <jansson.h>

#include "controller/state/named.h"
#include "controller/substrate/kube_cluster.h"
#include "controller/substrate/kube_mover.h"

#define KUBE_LEFTOVERS_MOST 4 /* orders at once: the rest of the mover's are for the core */

struct kube_leftover {
    char *model, *pod, *uid, *node, *kind, *workload; /* as of kube_mover_order, as is base */
    int64_t base, base_generation;
};

struct kube_leftovers {
    struct kube_leftover *items; /* moves that ServedModels tell of */
    size_t n_items, cap_items;
    struct named_set tries; /* of these and of orphans, by uid */
};

struct kube_leftovers_hand { /* whoever takes them back */
    void *data;
    bool (*has)(void *data, const char *uid); /* a move of this pod is in hand */
    void (*give)(void *data, const struct kube_mover_order *order);
};

/* The ServedModel, as the API server has it now; NULL: it is gone. */
void kube_leftovers_model(struct kube_leftovers *l, const char *model, const json_t *object);

/* While this controller leads, now and then: gives what is left over to the hand. */
void kube_leftovers_look(struct kube_leftovers *l, const struct kube_cluster *cluster,
                         const struct kube_leftovers_hand *hand, int64_t now_ms, int64_t wall_ms);

/* A term begins: nobody had them in hand before. */
void kube_leftovers_begin(struct kube_leftovers *l);

void kube_leftovers_done(struct kube_leftovers *l);

#endif
