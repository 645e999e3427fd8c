/* Moves one pod of a ReplicaSet (a Deployment's, or a bare one) to a named node, without a lost
 * request and without a change of `replicas`: by adoption. Pure.
 *
 * A surge pod (surge.h) is made on the node beside the others. When it is Ready, stands in the
 * endpoints of every Service of the victim, and proxies had time to hear of it, the victim is
 * marked as the cheapest to delete, then the surge is given the label that was withheld: the
 * ReplicaSet adopts it, counts one too many and deletes the victim. Before that hand-over
 * everything can be taken back; behind it the ReplicaSet decides.
 *
 * Level-triggered: what to do next follows from the objects alone. Whoever does it may end at any
 * moment, answers may be lost, another may go on: asked again, the move continues. A surge that is
 * past its deadline was abandoned, and is removed. Writes carry uid and resourceVersion. */
#ifndef HUDDLE_KUBERNETES_ADOPT_H
#define HUDDLE_KUBERNETES_ADOPT_H

#include "controller/kubernetes/move_act.h"
#include "controller/kubernetes/surge.h"
#include "controller/kubernetes/view.h"
#include "proto/base/err.h"

struct adopt_facts { /* borrowed views, read in this order: what was read later is not older */
    const struct view_pod *pods; /* of the namespace: those that the ReplicaSet selects, with and
                                    without the label that is withheld */
    size_t n_pods;
    const struct view_workload *replica_set;  /* the victim's controller; NULL: it is none */
    const struct view_workload *deployment;   /* the ReplicaSet's controller; NULL: none */
    const struct view_workload *stateful_set; /* the victim's controller; NULL: it is none */
    const struct view_budget *budgets;        /* of the namespace, as are services and slices */
    size_t n_budgets;
    const struct view_service *services;
    size_t n_services;
    const struct view_slice *slices;
    size_t n_slices;
    const struct view_node *target;   /* NULL: there is no such node */
    const struct view_pod *on_target; /* all pods there, of all namespaces */
    size_t n_on_target;
    const char *exclusive_claim; /* a PersistentVolumeClaim of the victim that only one node can
                                    hold; NULL: none. Of a StatefulSet's: one that is not the
                                    pod's own */
    const char *pinned_claim;    /* one of its own whose volume only its node reaches; NULL: none */
    const char *scaler; /* who else writes the workload's replicas, for people; NULL: nobody */
    bool deletion_cost; /* the cluster heeds it (Kubernetes 1.22) */
    bool tells_writers; /* view_workload.one_more can be true (Kubernetes 1.22) */
};

struct adopt_move {
    const char *pod, *node; /* victim's name; where to */
    int64_t settle_ms;      /* from "in all endpoints" to the hand-over */
    int64_t deadline_ms;    /* from creation of the surge to giving up */
    int64_t patience_ms;    /* before anything is done: what may come right by itself (a roll-out,
                               pods that are not ready) is waited for; then it is refused */
    bool acknowledge_drain; /* also when the pod is not DrainSafe */
    const char *by;         /* of surge.h: whose move it is; NULL: a person's */
    /* Of stand_in.h: replicas before the move, and the workload's generation with them, as they
     * were written down or seen; 0: not known. */
    int64_t base, base_generation;
    bool by_cost;  /* of stand_in.h: the victim may not be evicted: its set is to delete it */
    bool on_proof; /* of stand_in.h: what pods say of the number of replicas is believed only as far
                      as the workload itself tells (view_workload.one_more) */
    /* Memory; may be lost (zero). */
    char victim_uid[64];
    bool seen;            /* a surge of this move within its deadline */
    bool handed_over;     /* it had its label; of stand_in.h: the victim was seen to go */
    int64_t waits_from;   /* since when it may not begin yet; 0: it does not wait */
    int64_t settled_from; /* 0: not in all endpoints */
    int64_t marked_from;  /* of stand_in.h: since when the victim is known to be the cheapest; 0 */
    const char *ending;   /* the reason for which the move is taken back; NULL: it is not */
    struct err ending_why;
};

/* The next act. `m` keeps what need not be found out again. Times: boot time for intervals, wall
 * time for the deadline that stands in the surge. */
void adopt_next(const struct adopt_facts *f, struct adopt_move *m, int64_t boot_ms, int64_t wall_ms,
                struct move_act *ret_act);

/* Takes the move back, unless it is handed over already. */
void adopt_abort(struct adopt_move *m);

/* Every reason against beginning the move now, told one by one; how many. */
size_t adopt_reasons_against(const struct adopt_facts *f, const struct adopt_move *m,
                             move_reason_fn *tell, void *data);

/* The surge of the move among the pods; NULL: there is none. */
const struct view_pod *adopt_surge(const struct adopt_facts *f, const struct adopt_move *m);
const struct view_pod *adopt_victim(const struct adopt_facts *f, const struct adopt_move *m);

/* A PersistentVolumeClaim that several nodes can hold at once. */
bool adopt_claim_is_shared(const json_t *claim);

#endif
