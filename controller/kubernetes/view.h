/* Objects of a cluster, reduced to the fields that huddle uses: a pod as JSON is some 10 kB, as a
 * view a few hundred bytes. Pure. Every text is the view's own and never NULL; "" is: not given. */
#ifndef HUDDLE_KUBERNETES_VIEW_H
#define HUDDLE_KUBERNETES_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/kubernetes/amount.h"
#include "controller/kubernetes/label_selector.h"
#include "proto/field.h"

struct view_meta {
    char *namespace, *name, *uid, *resource_version;
    struct string_map labels,
        annotations; /* annotations: of huddle.energy and those named in view.c */
    struct {         /* the owner that is the controller */
        char *api_version, *kind, *name, *uid;
    } owner;
    int64_t generation, created_wall_ms; /* 0: not told */
    bool deleting;
};

enum view_effect { TAINT_NO_SCHEDULE, TAINT_PREFER_NO_SCHEDULE, TAINT_NO_EXECUTE };

struct view_node {
    struct view_meta meta;
    struct view_taint {
        char *key, *value;
        enum view_effect effect;
    } * taint;
    size_t n_taint, cap_taint;
    struct amounts allocatable;
    char *boot_id, *provider_id, *address; /* address: its InternalIP */
    char *beat;                            /* lastHeartbeatTime of Ready */
    bool cordoned, ready;
    bool told_asleep; /* it has huddle's condition Asleep, whatever that says */
};

struct view_toleration {
    char *key, *value; /* key "": every key */
    enum { TOLERATES_EQUAL, TOLERATES_EXISTS, TOLERATES_GREATER, TOLERATES_LESS } operator;
    int effect; /* enum view_effect, or -1: every effect */
};

struct view_spread {
    char *topology_key;
    int64_t max_skew, min_domains;
    bool required;         /* DoNotSchedule */
    bool honors_taints;    /* nodeTaintsPolicy: Honor */
    bool ignores_affinity; /* nodeAffinityPolicy: Ignore */
    bool by_revision;      /* matchLabelKeys has pod-template-hash: each revision by itself */
    struct label_selector selector;
};

struct view_pod {
    struct view_meta meta;
    char *node, *phase, *ip, *nominated_node, *scheduler,
        *reason;             /* reason: of a pod that is not scheduled */
    struct amounts requests; /* with init containers, sidecars, overhead and pod-level resources */
    struct string_map node_selector;
    json_t *affinity; /* own reference; NULL: none */
    struct view_toleration *toleration;
    size_t n_toleration, cap_toleration;
    struct view_spread *spread;
    size_t n_spread, cap_spread;
    struct string_list claims; /* PersistentVolumeClaims by name */
    int64_t grace_s, priority,
        pre_stop_s; /* pre_stop_s: shortest sleep of the serving containers; -1: none */
    bool ready, scheduled, unschedulable, mirror, host_network;
    bool host_path, empty_dir, resource_claims, gated;
    bool grouped;               /* to be scheduled with others, as a whole */
    bool named_resource_claims; /* one of them by name, not from a template: it may be shared */
    bool host_ports;            /* a container has one */
};

struct view_workload { /* Deployment, ReplicaSet, StatefulSet, DaemonSet */
    struct view_meta meta;
    struct label_selector selector;
    json_t *template; /* own reference */
    int64_t replicas; /* wanted; DaemonSet: desiredNumberScheduled */
    int64_t status_replicas, ready_replicas, updated_replicas, observed_generation;
    char *max_unavailable, *max_surge; /* of a rolling update: "1", "25%", "" */
    bool paused, on_delete, recreate;
    bool one_more; /* `replicas` is what a move wrote last, and nobody has written it since, not
                      even the same number: by metadata.managedFields, from Kubernetes 1.22 on */
    /* StatefulSet */
    struct string_list claim_templates;
    bool claims_go; /* claims of pods that are scaled away go with them (whenScaled: Delete) */
    int64_t first_ordinal;
};

/* As what a move writes one more replica through `scale`; whatever else it writes there is another
 * manager's. */
#define VIEW_ONE_MORE "huddle-one-more"

struct view_budget { /* PodDisruptionBudget */
    struct view_meta meta;
    struct label_selector selector;
    int64_t allowed, observed_generation, current_healthy, desired_healthy;
};

struct view_service {
    struct view_meta meta;
    struct label_selector selector; /* none: without selector */
    char *type;
};

struct view_slice { /* EndpointSlice */
    struct view_meta meta;
    char *service;
    char *address_type; /* "IPv4": a Service has slices of each of its families */
    struct view_endpoint {
        char *pod_uid, *pod_name;
        bool ready, serving, terminating;
    } * endpoint;
    size_t n_endpoint, cap_endpoint;
};

struct view_autoscaler { /* HorizontalPodAutoscaler */
    struct view_meta meta;
    char *target_api_version, *target_kind, *target_name;
    int64_t min, max, desired;
};

/* Each returns 0, or -EINVAL for what is no such object (then *ret is zero and free to drop). The
 * view copies; `object` stays the caller's, except that parts kept as JSON are shared references.
 */
int view_node_read(const json_t *object, struct view_node *ret_node);
int view_pod_read(const json_t *object, struct view_pod *ret_pod);
int view_workload_read(const json_t *object, struct view_workload *ret_workload);
int view_budget_read(const json_t *object, bool empty_selects_all, struct view_budget *ret_budget);
int view_service_read(const json_t *object, struct view_service *ret_service);
int view_slice_read(const json_t *object, struct view_slice *ret_slice);
int view_autoscaler_read(const json_t *object, struct view_autoscaler *ret_autoscaler);

void view_node_done(struct view_node *n);
void view_pod_done(struct view_pod *p);
void view_workload_done(struct view_workload *w);
void view_budget_done(struct view_budget *b);
void view_service_done(struct view_service *s);
void view_slice_done(struct view_slice *s);
void view_autoscaler_done(struct view_autoscaler *a);

/* What the scheduler reserves for a pod of this spec. Adds to *total. A container that states only
 * limits is taken to request them, as the API server has it for pods but not for templates. */
void view_requests(const json_t *spec, struct amounts *total);

/* The pods that a workload's template would make, as a view: without status, node and name of its
 * own (the workload's stands there). -EINVAL without a template. */
int view_template_read(const struct view_workload *w, struct view_pod *ret_pod);

/* "25%" or "1" of `of`, as Kubernetes rounds it; `absent` for "". */
int64_t view_number_or_share(const char *text, int64_t of, bool up, int64_t absent);

/* Does the pod tolerate the taint? As the scheduler's TolerationsTolerateTaint. */
bool view_tolerates(const struct view_pod *p, const struct view_taint *t);

/* nodeSelector and required node affinity (matchExpressions and matchFields), as the scheduler asks
 * them of this node. */
bool view_selects_node(const struct view_pod *p, const struct view_node *n);

/* Of a DaemonSet, or a mirror pod: it goes with its node. One that has a PersistentVolumeClaim, or
 * says that it must not be disrupted (karpenter.sh/do-not-disrupt), is more than that. */
bool view_is_daemon(const struct view_pod *p);

/* Succeeded or Failed: it holds nothing any more. */
bool view_is_finished(const struct view_pod *p);

#endif
