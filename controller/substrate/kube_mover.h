/* Carries out moves of pods (kubernetes/move_run.h) for the controller: each on a thread and with a
 * client of its own, since a move waits for minutes; all keep to one rate, and ask once in a while,
 * together, what the server can do. Orders are level-triggered: one that is given
 * again changes nothing, and a move that stands in the cluster already is carried on.
 *
 * Before its first act a move is written into status.moves of its ServedModel, and taken out of it
 * when it has ended, so that whoever leads next finds it, whatever the core of that one knows.
 * Every write is asked of the leader first; where this controller does not lead, the move is left
 * as it stands. */
#ifndef HUDDLE_SUBSTRATE_KUBE_MOVER_H
#define HUDDLE_SUBSTRATE_KUBE_MOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/kube_client/kube_limit.h"
#include "controller/state/kube_facts.h"
#include "proto/base/loop.h"

struct kube_mover;

struct kube_mover_options {           /* borrowed for the call */
    const char *kubeconfig, *context; /* as of kubernetes_options */
    struct kube_limit *limit;         /* outlives the mover */
    void *data;
    /* On the loop: what came of an order. */
    void (*moved)(void *data, const struct kube_moved *moved);
    /* From any thread. May a write begin that only the leader may do? Then the boot time by which
     * it is to be sent, and it counts as under way until end_write(); or 0. */
    int64_t (*begin_write)(void *data);
    void (*end_write)(void *data);
    uint64_t (*epoch)(void *data);                            /* of the leader */
    void (*note)(void *data, bool warning, const char *text); /* for the log */
};

struct kube_mover_order {  /* borrowed for the call */
    const char *model;     /* as the core names it; "": none that is declared */
    const char *pod, *uid; /* NAMESPACE/NAME of the one that is to go */
    const char *node;
    bool abort;                    /* take it back, unless it is handed over */
    bool listed;                   /* it is known to stand in the model's status */
    bool unrecorded;               /* as of move_order */
    int64_t base, base_generation; /* as of move_order, as they stand there; 0: not */
    const char *kind, *workload;   /* of the model's target; NULL: not known */
};

struct kube_mover *kube_mover_new(struct loop *l, const struct kube_mover_options *options);
/* What is under way comes to a place where it can be left, within seconds whatever the server does.
 * Accepts NULL. */
void kube_mover_free(struct kube_mover *m);

void kube_mover_give(struct kube_mover *m, const struct kube_mover_order *order);

/* Is a move of this pod in hand? */
bool kube_mover_has(const struct kube_mover *m, const char *uid);

#endif
