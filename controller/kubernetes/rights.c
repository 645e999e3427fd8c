#include "controller/kubernetes/rights.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/array.h"

#define LOOK "get list watch"
#define TENANT "default"

static const struct right RIGHTS[] = {
    { "", "nodes", "", LOOK, "", false, "everything: huddle does not see the nodes" },
    { "", "pods", "", LOOK, "", false, "everything: huddle does not see what runs" },
    { "", "services", "", LOOK, "", false, "moves: whether a pod serves is not known" },
    { "", "namespaces", "", LOOK, "", false, "moves in namespaces that end are not refused" },
    { "", "persistentvolumeclaims", "", LOOK, "", false, "pods with volumes are not moved" },
    { "", "persistentvolumes", "", LOOK, "", false, "pods with volumes are not moved" },
    { "apps", "replicasets", "", LOOK, "", false, "moves by adoption" },
    { "apps", "deployments", "", LOOK, "", false, "moves: roll-outs are not seen" },
    { "apps", "statefulsets", "", LOOK, "", false, "moves of StatefulSets" },
    { "apps", "daemonsets", "", LOOK, "", false, "sleep: what goes with a node is not known" },
    { "policy", "poddisruptionbudgets", "", LOOK, "", false, "moves: budgets cannot be kept" },
    { "discovery.k8s.io", "endpointslices", "", LOOK, "", false,
      "moves: when traffic reaches a new pod is not known" },
    { "autoscaling", "horizontalpodautoscalers", "", LOOK, "", false,
      "scaling.owner is not detected" },
    { "scheduling.k8s.io", "priorityclasses", "", LOOK, "", false, "priorities of waiting pods" },
    { "storage.k8s.io", "csinodes", "", LOOK, "", false, "waking: CSI drivers are not awaited" },
    { "storage.k8s.io", "volumeattachments", "", LOOK, "", false,
      "sleep: whether a volume is attached is not known" },
    { "storage.k8s.io", "storageclasses", "", LOOK, "", false, "pods with volumes are not moved" },
    { "storage.k8s.io", "csistoragecapacities", "", LOOK, "", false,
      "pods with volumes are not moved" },
    { "resource.k8s.io", "resourceclaims", "", LOOK, "", true, "pods with resource claims" },
    { "resource.k8s.io", "resourceslices", "", LOOK, "", true, "pods with resource claims" },
    { "resource.k8s.io", "deviceclasses", "", LOOK, "", true, "pods with resource claims" },
    { "huddle.energy", "servedmodels", "", LOOK, "", false, "everything: no model is seen" },
    { "huddle.energy", "powerpools", "", LOOK, "", false, "everything: no pool is seen" },
    { "huddle.energy", "powerpolicies", "", LOOK, "", false, "everything: no policy is seen" },
    { "huddle.energy", "nodepowers", "", "get list watch create update patch delete", "", false,
      "sleep and waking" },
    { "huddle.energy", "servedmodels", "status", "patch update", "", false,
      "conditions of models, and moves" },
    { "huddle.energy", "powerpools", "status", "patch update", "", false, "conditions of pools" },
    { "huddle.energy", "powerpools", "", "patch", "", false,
      "the finalizer: a pool that is deleted leaves its nodes asleep" },
    { "huddle.energy", "nodepowers", "status", "patch update", "", false, "sleep and waking" },
    { "", "nodes", "", "patch", "", false, "acting: taints and labels of nodes" },
    { "", "nodes", "status", "patch", "", false, "the condition huddle.energy/Asleep of nodes" },
    { "", "pods", "eviction", "create", "", false, "moves by eviction; bystanders" },
    { "events.k8s.io", "events", "", "create patch", "", false, "Events" },
    { "authentication.k8s.io", "tokenreviews", "", "create", "", false,
      "agents cannot authenticate" },
    { "authorization.k8s.io", "subjectaccessreviews", "", "create", "", false,
      "people cannot use huddlectl against the controller" },
    { "coordination.k8s.io", "leases", "", "create get update", RIGHTS_OWN_NAMESPACE, false,
      "election: two replicas of the controller" },
    { "", "secrets", "", "get", RIGHTS_OWN_NAMESPACE, false, "credentials of power drivers" },
    { "coordination.k8s.io", "leases", "", LOOK, "kube-node-lease", false,
      "sleep: whether a kubelet lives is not known" },
    { "", "pods", "", "patch create delete", TENANT, true,
      "moves by adoption there (Role `move`, one for each namespace of models)" },
    { "apps", "deployments", "scale", "get patch update", TENANT, true,
      "scaling.owner Huddle there (Role `scale`)" },
    { "apps", "statefulsets", "scale", "get patch update", TENANT, true,
      "moves of StatefulSets there (Role `scale`)" },
    { "", "pods", "binding", "create", "", true, "mode bind" },
    { "", "pods", "status", "patch", "", true, "mode bind" },
    { NULL, NULL, NULL, NULL, NULL, false, NULL },
};

const struct right *rights(void)
{
    _Static_assert(ARRAY_LEN(RIGHTS) <= RIGHTS_MAX, "a mask of rights");
    return RIGHTS;
}

json_t *right_question(const struct right *r, int n_verb, char ret_verb[16])
{
    const char *verb = r->verbs;

    for (; n_verb > 0 && verb; n_verb--)
        verb = strchr(verb, ' ') ? strchr(verb, ' ') + 1 : NULL;
    if (!verb)
        return NULL;
    (void)snprintf(ret_verb, 16, "%.*s", (int)strcspn(verb, " "), verb);
    return json_pack("{s:s, s:s, s:{s:{s:s, s:s, s:s, s:s, s:s}}}", "apiVersion",
                     "authorization.k8s.io/v1", "kind", "SelfSubjectAccessReview", "spec",
                     "resourceAttributes", "group", r->group, "resource", r->resource,
                     "subresource", r->sub, "verb", ret_verb, "namespace", r->namespace);
}

bool right_answer(const json_t *review)
{
    return json_is_true(json_object_get(json_object_get(review, "status"), "allowed"));
}
