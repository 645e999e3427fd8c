/* What adopt.h asks for, read from a cluster. Blocking, for command lines. */
#ifndef HUDDLE_KUBERNETES_MOVE_FACTS_H
#define HUDDLE_KUBERNETES_MOVE_FACTS_H

#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_discovery.h"
#include "controller/kubernetes/adopt.h"

struct move_facts {
    struct kube_client *client; /* borrowed, as is the rest of these */
    const struct kube_capabilities *can;
    const char *namespace;
    const char *kind, *workload; /* where neither the pod nor another in its place is there: its
                                    workload, if that is known; NULL: not */
    bool stand_in;               /* what stand_in.h asks for, besides */
    /* Found out once. */
    char *set_name;  /* NULL: not known, or the pod has none */
    bool ordinals;   /* it is a StatefulSet, else a ReplicaSet */
    char *pods_path; /* of the list of pods that matter */
    /* Read anew by each move_facts_read(). */
    struct adopt_facts facts;
    struct view_pod *pods, *on_target;
    size_t n_pods, cap_pods, n_on_target, cap_on_target;
    struct view_budget *budgets;
    size_t n_budgets, cap_budgets;
    struct view_service *services;
    size_t n_services, cap_services;
    struct view_slice *slices;
    size_t n_slices, cap_slices;
    struct view_workload set, deployment;
    struct view_node target;
    char *exclusive_claim, *pinned_claim, *scaler;
};

/* Reads what matters now: without a surge the target node and what is on it; with one that is ready
 * the endpoints. -ENOENT: there is neither the pod nor one that replaces it. Other -errno: could
 * not be read; try again. */
int move_facts_read(struct move_facts *x, const struct adopt_move *m, struct err *e);
void move_facts_done(struct move_facts *x);

/* What stand_in_workload() is, as of the last reading. */
enum kube_resource move_facts_workload(const struct move_facts *x);

#endif
