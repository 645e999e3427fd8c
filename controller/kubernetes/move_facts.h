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
    /* Found out once. */
    char *replica_set; /* name; NULL: not known, or the pod has none */
    char *pods_path;   /* of the list of pods that matter */
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
    char *exclusive_claim;
};

/* Reads what matters now: without a surge the target node and what is on it; with one that is ready
 * the endpoints. -ENOENT: there is neither the pod nor one that replaces it. Other -errno: could
 * not be read; try again. */
int move_facts_read(struct move_facts *x, const struct adopt_move *m, struct err *e);
void move_facts_done(struct move_facts *x);

#endif
