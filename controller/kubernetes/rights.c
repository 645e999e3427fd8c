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
    { "", "resourcequotas", "", LOOK, "", false,
      "moves where a quota has no room are not refused" },
    { "", "persistentvolumeclaims", "", LOOK, "", false, "pods with volumes are not moved" },
    { "", "persistentvolumes", "", LOOK, "", false, "pods with volumes are not moved" },
    { "apps", "replicasets", "", LOOK, "", false, "moves by adoption" },
    { "apps", "deployments", "", LOOK, "", false, "moves: roll-outs are not seen" },
    { "apps", "statefulsets", "", LOOK, "", false, "moves of StatefulSets" },
    { "apps", "daemonsets", "", LOOK, "", false, "sleep: what goes with a node is not known" },
    { "policy", "poddisruptionbudgets", "", LOOK, "", false,
      "moves: budgets cannot be kept, and plans count on pods that may not go" },
    { "discovery.k8s.io", "endpointslices", "", LOOK, "", false,
      "moves: when traffic reaches a new pod is not known" },
    { "autoscaling", "horizontalpodautoscalers", "", LOOK, "", false,
      "scaling.owner is not detected" },
    { "storage.k8s.io", "csinodes", "", LOOK, "", false, "waking: CSI drivers are not awaited" },
    { "resource.k8s.io", "resourceslices", "", LOOK, "", false,
      "waking: devices for claims are not awaited (Kubernetes 1.34 on)" },
    { "storage.k8s.io", "volumeattachments", "", LOOK, "", false,
      "sleep: whether a volume is attached is not known" },
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
    { "huddle.energy", "powerpolicies", "status", "patch update", "", false,
      "conditions of policies" },
    { "huddle.energy", "nodepowers", "status", "patch update", "", false, "sleep and waking" },
    { "", "nodes", "", "patch", "", false, "acting: taints and labels of nodes" },
    { "", "nodes", "status", "patch", "", false,
      "the condition huddle.energy/Asleep of nodes: kubectl describe node does not say why" },
    { "events.k8s.io", "events", "", "create patch", "", false, "Events" },
    { "authentication.k8s.io", "tokenreviews", "", "create", "", false,
      "users of Kubernetes at huddle's own API" },
    { "authorization.k8s.io", "subjectaccessreviews", "", "create", "", false,
      "users of Kubernetes at huddle's own API" },
    { "coordination.k8s.io", "leases", "", "create get update", RIGHTS_OWN_NAMESPACE, false,
      "election: two replicas of the controller" },
    { "coordination.k8s.io", "leases", "", LOOK, "kube-node-lease", false,
      "sleep: whether a kubelet lives is not known" },
    { "", "pods", "", "patch create delete", TENANT, true,
      "moves by adoption there (Role `move`, one for each namespace of models)" },
    { "apps", "deployments", "scale", "patch", TENANT, true,
      "moves there where pods may not be created (Role `scale`)" },
    { "apps", "replicasets", "scale", "patch", TENANT, true,
      "moves there where pods may not be created (Role `scale`)" },
    { "apps", "statefulsets", "scale", "patch", TENANT, true,
      "moves of StatefulSets there (Role `scale`)" },
    { "", "pods", "binding", "create", "", true, "mode bind" },
    { "", "pods", "status", "patch", "", true, "mode bind" },
    { "", "pods", "", "delete", "", true, "mode bind: pods that a kubelet refused are left" },
    { "", "pods", "eviction", "create", TENANT, true,
      "moves there by one more replica (Role `scale`), and bystanders there" },
    { NULL, NULL, NULL, NULL, NULL, false, NULL },
};

const struct right *rights(void)
{
    _Static_assert(ARRAY_LEN(RIGHTS) <= RIGHTS_MAX, "a mask of rights");
    return RIGHTS;
}

/* One object is asked for by its name: the right to all Leases of the namespace is not needed. */
static const char *name_of(const struct right *r)
{
    return strcmp(r->resource, "leases") == 0 && strcmp(r->namespace, RIGHTS_OWN_NAMESPACE) == 0
               ? "huddle-controller"
               : "";
}

json_t *right_question(const struct right *r, int n_verb, const char *account, char ret_verb[16])
{
    const char *verb = r->verbs, *own = "system:serviceaccount:" RIGHTS_OWN_NAMESPACE;
    char user[300];
    json_t *spec;

    for (; n_verb > 0 && verb; n_verb--)
        verb = strchr(verb, ' ') ? strchr(verb, ' ') + 1 : NULL;
    if (!verb)
        return NULL;
    (void)snprintf(ret_verb, 16, "%.*s", (int)strcspn(verb, " "), verb);
    spec = json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "resourceAttributes", "group", r->group,
                     "resource", r->resource, "subresource", r->sub, "verb", ret_verb, "namespace",
                     r->namespace, "name", name_of(r));
    if (account) {
        (void)snprintf(user, sizeof(user), "%s:%.200s", own, account);
        json_object_set_new(spec, "user", json_string(user));
        json_object_set_new(spec, "groups",
                            json_pack("[s, s, s]", "system:serviceaccounts",
                                      "system:serviceaccounts:" RIGHTS_OWN_NAMESPACE,
                                      "system:authenticated"));
    }
    return json_pack("{s:s, s:s, s:o}", "apiVersion", "authorization.k8s.io/v1", "kind",
                     account ? "SubjectAccessReview" : "SelfSubjectAccessReview", "spec", spec);
}

bool right_answer(const json_t *review)
{
    return json_is_true(json_object_get(json_object_get(review, "status"), "allowed"));
}
