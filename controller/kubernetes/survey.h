/* A whole cluster at one moment, as views: what doctor and discover look at. Filled object by
 * object from lists; nothing in it is followed. Pure. */
#ifndef HUDDLE_KUBERNETES_SURVEY_H
#define HUDDLE_KUBERNETES_SURVEY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "controller/kubernetes/view.h"

enum survey_part {
    SURVEY_NODES,
    SURVEY_PODS,
    SURVEY_REPLICA_SETS,
    SURVEY_DEPLOYMENTS,
    SURVEY_STATEFUL_SETS,
    SURVEY_DAEMON_SETS,
    SURVEY_BUDGETS,
    SURVEY_SERVICES,
    SURVEY_AUTOSCALERS,
    SURVEY_CLAIMS,
    SURVEY_VOLUMES,
    SURVEY_VALIDATING_HOOKS,
    SURVEY_MUTATING_HOOKS,
    SURVEY_SCALED_OBJECTS,     /* KEDA */
    SURVEY_INFERENCE_SERVICES, /* KServe */
    SURVEY_PART_COUNT
};

struct survey_claim { /* PersistentVolumeClaim */
    char *namespace, *name, *volume;
    bool one_node; /* ReadWriteOnce or ReadWriteOncePod */
};

struct survey_hook { /* of a webhook configuration, failurePolicy Fail, with a Service behind it */
    char *kind, *configuration, *name, *service_namespace, *service;
};

struct survey {
    struct {
        int major, minor; /* 0, 0: unknown */
        bool pdb_empty_selects_all;
    } server;
    struct string_list groups;    /* API groups that are served */
    bool cluster_autoscaler;      /* its status ConfigMap is there */
    char *why[SURVEY_PART_COUNT]; /* of a part that could not be listed; NULL: it was */
    struct view_node *node;
    size_t n_node, cap_node;
    struct view_pod *pod;
    size_t n_pod, cap_pod;
    struct view_workload *workload[4]; /* by enum survey_part from SURVEY_REPLICA_SETS on */
    size_t n_workload[4], cap_workload[4];
    struct view_budget *budget;
    size_t n_budget, cap_budget;
    struct view_service *service;
    size_t n_service, cap_service;
    struct view_autoscaler *autoscaler; /* HPAs, and KEDA's ScaledObjects in the same form */
    size_t n_autoscaler, cap_autoscaler;
    struct survey_claim *claim;
    size_t n_claim, cap_claim;
    struct string_list pinned_volumes; /* PersistentVolumes that only some nodes reach */
    struct survey_hook *hook;
    size_t n_hook, cap_hook;
    struct survey_inference {
        struct view_meta meta;
        int64_t min, max; /* -1: not said */
        char *runtime, *format;
    } * inference;
    size_t n_inference, cap_inference;
};

/* Takes the object in; what is no such object is left out. */
void survey_add(struct survey *s, enum survey_part part, const json_t *object);
void survey_forget(struct survey *s, enum survey_part part); /* a list begins anew */

/* To be called when all is in: puts workloads in the order that finding them needs. */
void survey_close(struct survey *s);
void survey_done(struct survey *s);

bool survey_has_group(const struct survey *s, const char *group);

/* The ReplicaSet, StatefulSet... of this uid; NULL: none that was listed. */
const struct view_workload *survey_workload(const struct survey *s, enum survey_part part,
                                            const char *uid);

/* Who owns the pod in the end: a ReplicaSet's Deployment rather than the ReplicaSet. Borrowed;
 * kind "" for a pod of nobody. */
struct survey_owner {
    const char *kind, *name, *uid;
    const struct view_workload *workload; /* or NULL */
};
struct survey_owner survey_owner_of(const struct survey *s, const struct view_pod *p);

const struct survey_claim *survey_claim_of(const struct survey *s, const char *namespace,
                                           const char *name);
bool survey_is_pinned(const struct survey *s, const struct survey_claim *c);

/* Of its namespace, and selects these labels. NULL: none. */
const struct view_service *survey_service_of(const struct survey *s, const char *namespace,
                                             const struct string_map *labels);

/* The autoscaler whose target this is; NULL: none. */
const struct view_autoscaler *survey_autoscaler_of(const struct survey *s, const char *namespace,
                                                   const char *kind, const char *name);

#define SURVEY_WORKLOADS(s, part) ((s)->workload[(part)-SURVEY_REPLICA_SETS])
#define SURVEY_N_WORKLOADS(s, part) ((s)->n_workload[(part)-SURVEY_REPLICA_SETS])

#endif
