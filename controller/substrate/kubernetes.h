/* The substrate on Kubernetes, its edge: watches of a cluster's objects on the daemon's loop, made
 * events for the core by kube_cluster.h. The watches read alone (get, list, watch); what is written
 * goes by kube_leader.h, the candidate that begins with the first PowerPool of mode recommend or
 * act, or when anything of huddle's stands there (kube_cluster_has_own()).
 *
 * Followed are nodes, pods, ReplicaSets, Deployments, StatefulSets, PersistentVolumeClaims,
 * PersistentVolumes, and huddle's own ServedModels, PowerPools and PowerPolicies, all of their
 * stable versions (Kubernetes 1.20 on); once it asks to lead, CSINodes and ResourceSlices (1.34
 * on), too, without which it goes on and says what is lost. Where huddle's definitions are not
 * installed that is told once, and asked again at least every 45 s. Nothing is told before every
 * watch was through once.
 */
#ifndef HUDDLE_SUBSTRATE_KUBERNETES_H
#define HUDDLE_SUBSTRATE_KUBERNETES_H

#include "controller/controller.h"
#include "controller/substrate/kube_leader.h"
#include "controller/substrate/kube_reviewer.h"
#include "proto/base/loop.h"

struct kubernetes;

struct kubernetes_options { /* borrowed for the call */
    const char *kubeconfig; /* a file; NULL: the directory that a pod has */
    const char *context;    /* NULL: the current one */
    const char *namespace;  /* of the Lease; NULL: the pod's own, or huddle-system */
    struct kube_leader_terms lease;
    void *data;
    /* One event through the core, at once. */
    void (*step)(void *data, struct controller_event *event);
    /* Does what came of earlier events still wait, in memory, to be carried out? */
    bool (*busy)(void *data);
    /* May this object be put? -errno with the reason. */
    int (*admit)(void *data, const struct manifest *object, struct err *e);
    /* An object as the API shows it, a new reference; NULL: there is none. */
    json_t *(*view)(void *data, const char *kind, const char *name);
    /* What kubernetes_ask() found out; NULL: it is never asked. */
    kube_verdict_fn *verdict;
    /* For the log. */
    void (*note)(void *data, bool warning, const char *text);
};

/* -EINVAL and the like, with the way out, when the credentials cannot be read. That nobody answers
 * is no error. */
int kubernetes_new(struct loop *l, const struct kubernetes_options *options,
                   struct kubernetes **ret_kubernetes, struct err *e);
void kubernetes_free(struct kubernetes *k); /* before the loop; accepts NULL */

/* An FX_EVENT that is published, as an Event. */
void kubernetes_tell(struct kubernetes *k, const struct effect *e);

/* An FX_KUBE_NODE: see kube_nodes.h. */
void kubernetes_want_node(struct kubernetes *k, const struct effect *e);

/* An FX_KUBE_EPOCH. */
void kubernetes_raise_epoch(struct kubernetes *k, uint64_t seen);

/* Who may write; lives as long as `k`. */
struct kube_leader *kubernetes_leader(struct kubernetes *k);
/* Carries an FX_KUBE_MOVE out; CE_KUBE_MOVED answers it. */
void kubernetes_move(struct kubernetes *k, const struct effect *e);

/* About a caller whose token is none of huddle's: see kube_reviewer.h. Answered by `verdict`. */
void kubernetes_ask(struct kubernetes *k, uint64_t ticket, const struct kube_question *q);

/* From any thread: the kind whose list has not been had yet, "pods", or other words; NULL: the core
 * was told all. */
const char *kubernetes_waits_for(const struct kubernetes *k);

/* From any thread: does another controller lead? */
bool kubernetes_is_led_elsewhere(const struct kubernetes *k);

/* From any thread: watch number `i` and whether it works; false: there are no more. Left out is
 * what is not followed yet, or not served by this cluster. */
bool kubernetes_watch_up(const struct kubernetes *k, size_t i, const char **ret_kind, bool *ret_up);

#endif
