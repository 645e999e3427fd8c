/* What an API server can do: one table of capabilities, each with the group and versions that carry
 * it, filled from its discovery documents (aggregated v2, v2beta1 or the plain ones) and version.
 * Pure; kube_discover() is the edge. Covers Kubernetes 1.20 to 1.37. */
#ifndef HUDDLE_KUBE_DISCOVERY_H
#define HUDDLE_KUBE_DISCOVERY_H

#include <stdbool.h>

#include "controller/kube_client/kube_client.h"

enum kube_resource { /* in the order of the table in kube_discovery.c */
                     KUBE_NODES,
                     KUBE_PODS,
                     KUBE_NAMESPACES,
                     KUBE_SERVICES,
                     KUBE_PERSISTENT_VOLUME_CLAIMS,
                     KUBE_PERSISTENT_VOLUMES,
                     KUBE_REPLICA_SETS,
                     KUBE_DEPLOYMENTS,
                     KUBE_STATEFUL_SETS,
                     KUBE_DAEMON_SETS,
                     KUBE_JOBS,
                     KUBE_POD_DISRUPTION_BUDGETS, /* policy/v1, or v1beta1 before 1.21 */
                     KUBE_ENDPOINT_SLICES,        /* discovery.k8s.io/v1, or v1beta1 before 1.21 */
                     KUBE_HORIZONTAL_POD_AUTOSCALERS, /* autoscaling/v2, v2beta2 before 1.23 */
                     KUBE_EVICTIONS,                  /* pods/eviction */
                     KUBE_LEASES,
                     KUBE_EVENTS, /* events.k8s.io/v1 */
                     KUBE_PRIORITY_CLASSES,
                     KUBE_VOLUME_ATTACHMENTS,
                     KUBE_CSI_NODES,
                     KUBE_RESOURCE_CLAIMS,
                     KUBE_RESOURCE_SLICES,
                     KUBE_SCALED_OBJECTS,     /* KEDA */
                     KUBE_INFERENCE_SERVICES, /* KServe */
                     KUBE_LEADER_WORKER_SETS,
                     KUBE_SERVED_MODELS, /* huddle's own */
                     KUBE_POWER_POOLS,
                     KUBE_POWER_POLICIES,
                     KUBE_NODE_POWERS,
                     KUBE_RESOURCE_COUNT
};

struct kube_capabilities {
    int major, minor; /* of the server; 0, 0: unknown */
    struct {
        bool served;
        char version[24];   /* "v1"; of KUBE_EVICTIONS the one of policy that an Eviction has */
        char prefix[96];    /* "/apis/policy/v1", "/api/v1"; "" : not served */
        const char *plural; /* "poddisruptionbudgets"; "pods/eviction" */
        bool namespaced;
    } resource[KUBE_RESOURCE_COUNT];
    bool streaming_lists;       /* gated by version: >= 1.34, and 1.32; see kube_watch.h */
    bool pod_deletion_cost;     /* >= 1.22 */
    bool scale_writers;         /* >= 1.22: managedFields tell who wrote through `scale` */
    bool field_validation;      /* >= 1.25 */
    bool pdb_empty_selects_all; /* policy/v1 */
    char stale[256];            /* groups whose discovery is stale or broken, for people */
};

/* Asks the server; blocking, for command lines and start-up. A broken aggregated API (metrics) does
 * not make it fail. CRDs come and go: ask again after a 404 of a list, and each hour. */
int kube_discover(struct kube_client *c, struct kube_capabilities *ret_capabilities, struct err *e);

/* "/apis/apps/v1/namespaces/NS/deployments[/NAME]"; namespace NULL: of all; name NULL: the list.
 * KUBE_EVICTIONS is ".../pods/NAME/eviction". Names are escaped. A new string; NULL when it is not
 * served, or "", "." or ".." are given for a name. */
char *kube_path(const struct kube_capabilities *c, enum kube_resource r, const char *namespace,
                const char *name);

#endif
