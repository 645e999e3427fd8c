/* The cluster as a whole: its version, what could not be looked at, other hands on its nodes, and
 * the webhooks without which nothing can be changed. */
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/doctor.h"
#include "proto/base/array.h"

#define VERSION_LEAST 20
#define VERSION_MOST 37

static void version(const struct survey *s, struct findings *f)
{
    static const struct {
        int minor;
        enum severity severity;
        const char *code, *what, *way_out;
    } SINCE[] = {
        { 22, FINDING_STOPS, "NoDeletionCost",
          "no pod-deletion-cost: pods cannot be moved by adoption",
          "update the cluster; until then scaling.owner Huddle moves by surge and eviction" },
        { 26, FINDING_NOTE, "NoTaintsPolicy",
          "no nodeTaintsPolicy: spread constraints count sleeping nodes", "update the cluster" },
        { 30, FINDING_NOTE, "NoAdmissionPolicy",
          "no ValidatingAdmissionPolicy: what huddle may change of nodes is not fenced",
          "update the cluster, or fence it with an admission webhook" },
    };
    int minor = s->server.minor;

    if (s->server.major != 1 || minor < VERSION_LEAST || minor > VERSION_MOST) {
        findings_add(
            f, FINDING_STOPS, "ServerVersion", "Cluster", "", "",
            finding_text("Kubernetes %d.%d is not one that huddle knows", s->server.major, minor),
            finding_text("huddle is made for 1.%d to 1.%d", VERSION_LEAST, VERSION_MOST),
            "update the cluster, or huddle");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(SINCE); i++)
        if (minor < SINCE[i].minor)
            findings_add(f, SINCE[i].severity, SINCE[i].code, "Cluster", "", "",
                         xstrdup(SINCE[i].what),
                         finding_text("Kubernetes 1.%d; it came with 1.%d", minor, SINCE[i].minor),
                         SINCE[i].way_out);
}

static void other_hands(const struct survey *s, struct findings *f)
{
    static const struct {
        const char *group, *code, *what, *way_out;
    } GROUP[] = {
        { "monitoring.coreos.com", "Alerts",
          "alerts on nodes that are not ready and on targets that are down would fire for sleepers",
          "let HuddleNodeAsleep hold them back: deploy/kubernetes/prometheus-operator "
          "(inhibit.yaml)" },
        { "metal3.io", "Metal3",
          "BareMetalHosts own the power of nodes: Metal3 switches them on "
          "again",
          "use driver metal3 for pools of such nodes: it sets spec.online instead" },
        { "remediation.medik8s.io", "NodeHealthCheck",
          "node health checks would remediate sleeping nodes",
          "exclude nodes labelled node.kubernetes.io/exclude-disruption from NodeHealthChecks" },
        { "machine.openshift.io", "MachineHealthCheck",
          "machine health checks would remediate sleeping nodes",
          "exclude huddle's pools from MachineHealthChecks" },
    };

    for (size_t i = 0; i < ARRAY_LEN(GROUP); i++)
        if (survey_has_group(s, GROUP[i].group))
            findings_add(f, FINDING_HURTS, GROUP[i].code, "APIGroup", "", GROUP[i].group,
                         xstrdup(GROUP[i].what), xstrdup("the API group is served"),
                         GROUP[i].way_out);
    if (s->cluster_autoscaler)
        findings_add(
            f, FINDING_HURTS, "ClusterAutoscaler", "ConfigMap", "kube-system",
            "cluster-autoscaler-status",
            xstrdup("Cluster Autoscaler stops all its work when more than 3 nodes and 45 % "
                    "are unready, and deletes unready nodes of its groups"),
            xstrdup("its status ConfigMap is there"),
            "keep its node groups out of PowerPools, raise --max-total-unready-percentage "
            "and --ok-total-unready-count, or use power: none and let it delete");
}

static void not_seen(const struct survey *s, struct findings *f)
{
    static const char *const NAME[SURVEY_PART_COUNT] = {
        "nodes",
        "pods",
        "replicasets",
        "deployments",
        "statefulsets",
        "daemonsets",
        "poddisruptionbudgets",
        "services",
        "horizontalpodautoscalers",
        "persistentvolumeclaims",
        "persistentvolumes",
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "scaledobjects",
        "inferenceservices",
    };

    for (size_t i = 0; i < SURVEY_PART_COUNT; i++)
        if (s->why[i])
            findings_add(f, FINDING_STOPS, "NotSeen", "Resource", "", NAME[i],
                         finding_text("%s could not be listed: nothing is known of them", NAME[i]),
                         xstrdup(s->why[i]),
                         "ask for the right to list them (huddlectl auth check), or use another "
                         "context");
}

/* A webhook that must answer, and how few pods stand behind it. */
static void webhook(const struct survey *s, const struct survey_hook *h, struct findings *f)
{
    const struct view_service *service = NULL;
    size_t ready = 0;

    ARRAY_FOREACH(v, s, service)
        if (!strcmp(v->meta.namespace, h->service_namespace) && !strcmp(v->meta.name, h->service))
            service = v;
    if (!service || service->selector.none)
        return;
    ARRAY_FOREACH(p, s, pod)
        ready += p->ready && !view_is_daemon(p) &&
                 !strcmp(p->meta.namespace, service->meta.namespace) &&
                 label_selector_matches(&service->selector, &p->meta.labels);
    if (ready > 1)
        return;
    findings_add(f, FINDING_HURTS, "WebhookBackend", h->kind, "", h->configuration,
                 finding_text("%s must answer, and %s: while it moves nothing it watches over can "
                              "be created or changed",
                              h->name,
                              ready ? "one pod alone stands behind it" : "no ready pod does"),
                 finding_text("failurePolicy Fail; Service %s/%s has %zu ready pod%s",
                              h->service_namespace, h->service, ready, ready == 1 ? "" : "s"),
                 "run two replicas of it with a PodDisruptionBudget, or set failurePolicy Ignore");
}

void doctor_cluster(const struct survey *s, struct findings *f)
{
    version(s, f);
    not_seen(s, f);
    other_hands(s, f);
    ARRAY_FOREACH(h, s, hook)
        webhook(s, h, f);
}
