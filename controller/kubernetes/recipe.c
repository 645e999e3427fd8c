#include "controller/kubernetes/recipe.h"

#include <string.h>

#include "proto/base/array.h"

#define KEEPS "keep its nodes out of the PowerPool, or move it by hand"
#define OF_SETS (RECIPE_ADOPT | RECIPE_SURGE_EVICT_SHRINK | RECIPE_DELETION_COST)
#define EVERY (OF_SETS | RECIPE_BORROW)

static const struct recipe RECIPES[] = {
    { RECIPE_POD, "apps", "ReplicaSet", "pod", OF_SETS, "the Deployment's",
      "adopt, deletion-cost: the pod marked as the cheapest, by the ReplicaSet; "
      "surge-evict-shrink: the pod that is evicted",
      "", "" },
    { RECIPE_POD, "apps", "StatefulSet", "pod", RECIPE_BORROW, "the StatefulSet's",
      "the pod that is evicted, and comes again; then the highest ordinal, by the StatefulSet", "",
      "" },
    { RECIPE_POD, "batch", "Job", "pod", RECIPE_NONE, "the Job's", "nobody", "Job",
      "a Job's work would begin anew: let it end" },
    { RECIPE_POD, "apps", "DaemonSet", "pod", RECIPE_NONE, "one for each node", "nobody",
      "DaemonSet", "a DaemonSet has its pod on each node" },
    { RECIPE_POD, "", "Node", "pod", RECIPE_NONE, "one for its node", "nobody", "MirrorPod",
      "it is a static pod of its node: it stays there" },
    { RECIPE_POD, "", "", "pod", RECIPE_NONE, "nobody's", "nobody", "BarePod",
      "it has no controller that would count another pod in its place: make it a Deployment" },
    { RECIPE_POD, "", "ReplicationController", "pod", RECIPE_NONE, "its own", "nobody",
      "ReplicationController",
      "a ReplicationController has no template hash by which a second pod could be told from its "
      "own: make it a Deployment" },
    { RECIPE_POD, "apps.kruise.io", "CloneSet", "pod", RECIPE_NONE, "OpenKruise's", "nobody",
      "OpenKruise",
      "a CloneSet of OpenKruise deletes by rules of its own: let a Deployment own it, or " KEEPS },
    { RECIPE_POD, "apps.kruise.io", "StatefulSet", "pod", RECIPE_NONE, "OpenKruise's", "nobody",
      "OpenKruise",
      "an Advanced StatefulSet of OpenKruise may reserve ordinals, and update in place: let a "
      "StatefulSet of apps/v1 own it, or " KEEPS },
    { RECIPE_POD, "argoproj.io", "Workflow", "pod", RECIPE_NONE, "the Workflow's", "nobody",
      "ArgoWorkflow", "a Workflow's step would begin anew: let it end" },
    { RECIPE_POD, "", NULL, "pod", RECIPE_NONE, "its owner's", "nobody", "OwnerKind",
      "huddle knows no way to move pods of its owner's kind: " KEEPS },

    { RECIPE_SET, "", "", "pod", EVERY, "its own", "as the pod's own row says", "", "" },
    { RECIPE_SET, "apps", "Deployment", "pod", EVERY, "the Deployment's",
      "as the pod's own row says", "", "" },
    { RECIPE_SET, "argoproj.io", "Rollout", "pod", RECIPE_NONE, "the Rollout's", "nobody",
      "ArgoRollout",
      "an Argo Rollout shifts traffic between ReplicaSets by their hash, and would not expect the "
      "pod: let the Rollout refer to a Deployment (workloadRef) that huddle may move, or " KEEPS },
    { RECIPE_SET, "leaderworkerset.x-k8s.io", "LeaderWorkerSet", "group", RECIPE_NONE,
      "the LeaderWorkerSet's, in groups", "nobody", "LeaderWorkerSet",
      "a leader moves only with all its workers, and a group cannot be placed as one: " KEEPS },
    { RECIPE_SET, "", "Pod", "group", RECIPE_NONE, "the LeaderWorkerSet's", "nobody",
      "LeaderWorkerSet", "it is a worker, and to evict one recreates its whole group: " KEEPS },
    { RECIPE_SET, "", NULL, "pod", RECIPE_NONE, "its owner's", "nobody", "OwnerKind",
      "its set belongs to a controller that would not expect another pod, and may take back what "
      "is written: " KEEPS },

    /* They write `replicas` of the Deployment, and take back what others write there. */
    { RECIPE_WORKLOAD, "", "", "pod", EVERY, "its own", "as the pod's own row says", "", "" },
    { RECIPE_WORKLOAD, "serving.kserve.io", "InferenceService", "pod", RECIPE_ADOPT,
      "the InferenceService's (spec.predictor)", "the pod marked as the cheapest", "", "" },
    { RECIPE_WORKLOAD, "serving.knative.dev", "Revision", "pod", RECIPE_ADOPT,
      "Knative's autoscaler's", "the pod marked as the cheapest", "", "" },
    { RECIPE_WORKLOAD, "", NULL, "pod", RECIPE_ADOPT, "its owner's",
      "the pod marked as the cheapest", "", "" },
};

static bool is_of(const char *api_version, const char *group)
{
    size_t n = strlen(group);

    if (!*api_version) /* of hand-made objects */
        return true;
    return n ? !strncmp(api_version, group, n) && api_version[n] == '/' : !strchr(api_version, '/');
}

const struct recipe *recipe_of(enum recipe_level level, const char *api_version, const char *kind)
{
    for (size_t i = 0;; i++) {
        const struct recipe *r = &RECIPES[i];

        if (r->level == level &&
            (!r->kind || (!strcmp(r->kind, kind) && (!*kind || is_of(api_version, r->group)))))
            return r;
    }
}

const struct recipe *recipe_for(const struct view_pod *p, const struct view_workload *set,
                                const struct view_workload *deployment, unsigned *ret_ways)
{
    const struct recipe *r =
        p->mirror ? recipe_of(RECIPE_POD, "v1", "Node")
                  : recipe_of(RECIPE_POD, p->meta.owner.api_version, p->meta.owner.kind);
    const struct view_workload *const above[] = { set, deployment };

    *ret_ways = r->ways;
    for (size_t i = 0; i < ARRAY_LEN(above) && *ret_ways && above[i]; i++) {
        const struct recipe *one =
            recipe_of(i == 0 ? RECIPE_SET : RECIPE_WORKLOAD, above[i]->meta.owner.api_version,
                      above[i]->meta.owner.kind);

        *ret_ways &= one->ways;
        if (!*ret_ways)
            r = one;
    }
    return r;
}

bool recipe_is_own_claim(const struct view_workload *set, const struct view_pod *p,
                         const char *claim)
{
    for (size_t i = 0; set && i < set->claim_templates.n; i++) {
        const char *template = set->claim_templates.item[i];
        size_t n = strlen(template);

        if (!strncmp(claim, template, n) && claim[n] == '-' && !strcmp(claim + n + 1, p->meta.name))
            return true;
    }
    return false;
}

const char *recipe_name(enum recipe_way way)
{
    switch (way) {
    case RECIPE_ADOPT:
        return "adopt";
    case RECIPE_SURGE_EVICT_SHRINK:
        return "surge-evict-shrink";
    case RECIPE_DELETION_COST:
        return "deletion-cost";
    case RECIPE_BORROW:
        return "borrow";
    default:
        return "none";
    }
}
