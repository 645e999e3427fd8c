/* A cluster of Kubernetes as the core is told of it: objects of the API in, facts out
 * (state/kube_facts.h). Only views are kept, and only what changed is told. Pure.
 *
 * A pod is a replica when the workload that owns it in the end is the target of a declared model.
 * Requests of all other pods are taken off their node's room. A node cannot be emptied, and says so
 * with the first pod in the way, while it has a pod that nothing may move (hold.h), one of a model
 * that has no recipe or would lose requests (drain_safe.h), one that is no replica (for which no
 * plan keeps room), one that has to be spread in a way that is not planned, or one that cannot be
 * read; nor while, empty and asleep, it would leave too few topology domains for the pods of some
 * workload (kubernetes/spread.h).
 *
 * A node whose Node is deleted while its machine is off is told as long as its NodePower is there,
 * by what that says of it.
 *
 * A pod that waits for a node (kubernetes/wait.h), and would fit one that huddle has closed, is
 * told with that node: the fewest, the largest pods first, nodes that are coming anyway before
 * others. A node that was woken and is open, has room for the pod, and is not used by the scheduler
 * all the same, says that nodes are not what such pods lack: no other is woken for them for ten
 * minutes, and twice as long each time, up to a day. */
#ifndef HUDDLE_KUBE_CLUSTER_H
#define HUDDLE_KUBE_CLUSTER_H

#include <jansson.h>

#include "controller/kube_client/kube_watch.h"
#include "controller/kubernetes/view.h"
#include "controller/state/kube_facts.h"
#include "proto/manifest.h"

enum kube_kind {
    KUBE_KIND_NODES,
    KUBE_KIND_PODS,
    KUBE_KIND_REPLICA_SETS,
    KUBE_KIND_DEPLOYMENTS,
    KUBE_KIND_STATEFUL_SETS,
    KUBE_KIND_CLAIMS,  /* PersistentVolumeClaims */
    KUBE_KIND_VOLUMES, /* PersistentVolumes */
    KUBE_KIND_NODE_POWERS,
    KUBE_KIND_CSI_NODES,
    KUBE_KIND_RESOURCE_SLICES,
    KUBE_KIND_BUDGETS, /* PodDisruptionBudgets */
    KUBE_KIND_COUNT
};

struct kube_sink { /* facts are borrowed for the call */
    void *data;
    void (*node)(void *data, const struct kube_node_facts *f);
    void (*pod)(void *data, const struct kube_pod_facts *f);
    void (*model)(void *data, const struct kube_model_facts *f);
    void (*power)(void *data, const struct kube_power_facts *f);
    void (*wait)(void *data, const struct kube_wait_facts *f); /* or NULL */
};

struct kube_cluster;

struct kube_cluster *kube_cluster_new(void);
void kube_cluster_free(struct kube_cluster *k); /* accepts NULL */

/* An object is there, or changed; what is none of its kind is left out. */
void kube_cluster_put(struct kube_cluster *k, enum kube_kind kind, const json_t *object);
void kube_cluster_drop(struct kube_cluster *k, enum kube_kind kind, const struct kube_key *key);

/* An object that cannot be read: what is known of it holds no more. Name "": nobody knows which;
 * that ends with kube_cluster_listed(). */
void kube_cluster_unknown(struct kube_cluster *k, enum kube_kind kind, const struct kube_key *key);
void kube_cluster_listed(struct kube_cluster *k, enum kube_kind kind);

/* Of CSINodes, or ResourceSlices, nothing is seen: they are not served, or may not be read. Then no
 * node is kept waiting for them. */
void kube_cluster_blind(struct kube_cluster *k, enum kube_kind kind, bool blind);

/* What drivers a node has, for the preSleep of its NodePower: {csiDrivers: [{name}],
 * resourceDrivers: [{name, slices}]}. A new reference. */
json_t *kube_cluster_drivers(const struct kube_cluster *k, const char *node);

/* A declared model, as the core names it, and its target in a namespace. The core knows it already.
 * Forgotten, its replicas are none any more, for the core too. */
void kube_cluster_model(struct kube_cluster *k, const char *name, const char *namespace,
                        const struct served_model *spec);
void kube_cluster_forget_model(struct kube_cluster *k, const char *name);

/* Moves that only pods tell of: a pod that a controller of huddle made to take the place of one
 * that is gone, or is no replica; one more replica (stand_in.h) of a workload that is no model's,
 * or, whoever asked for it, past its deadline. `pod` (NAMESPACE/NAME) and `uid` are of the one that
 * was to go, `node` where it was to be; "": wherever the scheduler likes. As of the last telling.
 */
typedef void kube_orphan_fn(void *data, const char *pod, const char *uid, const char *node);
void kube_cluster_orphans(const struct kube_cluster *k, int64_t wall_ms, kube_orphan_fn *fn,
                          void *data);

/* Does anything stand there that only the leader may take back: a taint or the label of huddle's,
 * the NodePower of a node that is not simply awake, a pod that is to take another's place? */
bool kube_cluster_has_own(const struct kube_cluster *k);

/* Pods that bear marks of a move, and with which nothing more is to come of it: no pod waits to
 * take their place, and the one whose place they took is not on its way out. Borrowed
 * views. */
typedef void kube_marked_fn(void *data, const struct view_pod *p);
void kube_cluster_marked(const struct kube_cluster *k, kube_marked_fn *fn, void *data);

struct kube_binding { /* of a pod that asks for huddle as its scheduler; borrowed */
    const struct view_pod *pod;
    const char *node; /* NULL: none */
    bool unsupported; /* it asks for what huddle does not do */
    const char *why;  /* it gets no node; "" */
};

struct kube_bind_hand {
    void *data;
    enum kube_bind (*may)(void *data, const char *node);
    const char *(*bound)(void *data, const char *uid); /* node that the pod is to have; NULL */
    bool (*due)(void *data, const char *uid);          /* is anything to be said of it just now? */
    void (*binding)(void *data, const struct kube_binding *b);
    void (*rejected)(void *data, const struct view_pod *p); /* see bind_is_rejected() */
};

/* Deals pods that wait for huddle to nodes with its taint, the first by priority, then by age; at
 * most a hundred that are due. As of the last telling. */
void kube_cluster_bind(struct kube_cluster *k, const struct kube_bind_hand *hand);

/* A pod that is no replica and may be evicted from the node now: of a ReplicaSet whose pods, two
 * and more, are all ready, where another open node has room for it. `skip` says which ReplicaSets
 * are left alone (by uid). NULL: none. Borrowed; as of the last telling. */
typedef bool kube_skip_fn(const void *data, const char *uid);
const struct view_pod *kube_cluster_evictable(const struct kube_cluster *k, const char *node,
                                              kube_skip_fn *skip, const void *data);

/* The labels by which the pods of a model's workload are found, as text; "": not known. */
void kube_cluster_selector(struct kube_cluster *k, const char *name, struct strbuf *ret_text);

/* Tells what changed since the last call: what is gone, then nodes, models, pods. `now_ms` > 0, of
 * a clock that only grows. At most about `most` nodes and pods at once, so that a large cluster is
 * never in memory a second time as what is to be done with all of it: true when there is more to
 * tell, that is, when it should be called again soon. */
bool kube_cluster_tell(struct kube_cluster *k, int64_t now_ms, size_t most,
                       const struct kube_sink *sink);

/* When it would tell something new though no object changes; INT64_MAX: never. */
int64_t kube_cluster_due_ms(const struct kube_cluster *k);

#endif
