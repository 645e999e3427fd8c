#include "controller/kubernetes/hold.h"

#include <string.h>

#include "controller/kubernetes/recipe.h"
#include "proto/base/array.h"

static const struct {
    const char *code, *words, *way_out;
} HOLD[HOLD_COUNT] = {
    [HOLD_NONE] = { "Movable", "it can be moved", "" },
    [HOLD_NOBODY] = { "BarePod", "no controller would make it again elsewhere",
                      "let a Deployment own it, or delete it" },
    [HOLD_JOB] = { "Job", "a Job's work would be lost",
                   "nothing: its node may sleep when it has ended" },
    [HOLD_OWNER] = { "UnknownOwner", "its owner is of a kind for which huddle has no way to move",
                     "keep its nodes out of the PowerPool, or move it by hand" },
    [HOLD_NOT_SAFE_TO_EVICT] = { "NotSafeToEvict",
                                 "cluster-autoscaler.kubernetes.io/safe-to-evict is \"false\"",
                                 "remove the annotation if it may be moved" },
    [HOLD_DO_NOT_DISRUPT] = { "DoNotDisrupt", "karpenter.sh/do-not-disrupt is \"true\"",
                              "remove the annotation if it may be moved" },
    [HOLD_HOST_PATH] = { "HostPath", "it uses files of its node (hostPath)",
                         "use emptyDir for a cache, a PersistentVolumeClaim for data, or keep its "
                         "nodes out of the PowerPool" },
    [HOLD_PINNED_VOLUME] = { "PinnedVolume", "its volume is on this node alone",
                             "use storage that other nodes reach, or keep its nodes out of the "
                             "PowerPool" },
    [HOLD_ONE_NODE_VOLUME] = { "OneNodeVolume",
                               "its volume (ReadWriteOnce) cannot be on two nodes while it moves",
                               "use ReadWriteMany or ReadOnlyMany for models, or accept a gap "
                               "(allowUnavailable)" },
    [HOLD_CLAIM_TEMPLATES] = { "StatefulSetVolumes",
                               "a StatefulSet with volumeClaimTemplates would leave a volume "
                               "behind",
                               "set persistentVolumeClaimRetentionPolicy.whenScaled to Delete "
                               "where the data can be loaded again, or keep its nodes out of the "
                               "PowerPool" },
    [HOLD_NAMED_CLAIM] = { "NamedResourceClaim",
                           "its ResourceClaim is named and bound to devices of this node",
                           "use resourceClaimTemplateName: a claim for each pod" },
    [HOLD_DAEMON_VOLUME] = { "DaemonVolume",
                             "it is a DaemonSet's, and has a PersistentVolumeClaim on this node",
                             "keep its nodes out of the PowerPool, or use hostPath or emptyDir for "
                             "what may be gone for a while" },
};

static bool says(const struct view_pod *p, const char *annotation, const char *word)
{
    const char *value = string_map_get(&p->meta.annotations, annotation);

    return value && !strcmp(value, word);
}

static const struct view_workload *set_of(const struct survey *s, const struct view_pod *p)
{
    const char *kind = p->meta.owner.kind;

    if (!strcmp(kind, "ReplicaSet"))
        return survey_workload(s, SURVEY_REPLICA_SETS, p->meta.owner.uid);
    return !strcmp(kind, "StatefulSet")
               ? survey_workload(s, SURVEY_STATEFUL_SETS, p->meta.owner.uid)
               : NULL;
}

static const struct recipe *recipe_of_pod(const struct survey *s, const struct view_pod *p,
                                          unsigned *ret_ways)
{
    return recipe_for(p, set_of(s, p), NULL, ret_ways);
}

static enum hold volumes_hold(const struct survey *s, const struct view_pod *p,
                              const struct view_workload *set)
{
    enum hold h = HOLD_NONE;

    for (size_t i = 0; i < p->claims.n; i++) {
        const struct survey_claim *c = survey_claim_of(s, p->meta.namespace, p->claims.item[i]);

        if (c && survey_is_pinned(s, c))
            return HOLD_PINNED_VOLUME;
        if (recipe_is_own_claim(set, p, p->claims.item[i]))
            continue;          /* it is free when the pod comes again */
        if (!c || c->one_node) /* of one that is not known the worst is supposed */
            h = HOLD_ONE_NODE_VOLUME;
    }
    return h;
}

enum hold hold_of(const struct survey *s, const struct view_pod *p)
{
    const char *kind = p->meta.owner.kind;
    const struct view_workload *set = set_of(s, p);
    unsigned ways;

    if (view_is_daemon(p) || view_is_finished(p))
        return HOLD_NONE;
    if (!*kind)
        return HOLD_NOBODY;
    if (!strcmp(kind, "Job"))
        return HOLD_JOB;
    if (!strcmp(kind, "DaemonSet"))
        return p->claims.n ? HOLD_DAEMON_VOLUME : HOLD_DO_NOT_DISRUPT;
    (void)recipe_of_pod(s, p, &ways);
    if (!ways)
        return HOLD_OWNER;
    if (says(p, "cluster-autoscaler.kubernetes.io/safe-to-evict", "false"))
        return HOLD_NOT_SAFE_TO_EVICT;
    if (says(p, "karpenter.sh/do-not-disrupt", "true"))
        return HOLD_DO_NOT_DISRUPT;
    if (set && set->claim_templates.n && !set->claims_go)
        return HOLD_CLAIM_TEMPLATES;
    if (p->host_path)
        return HOLD_HOST_PATH;
    if (p->named_resource_claims)
        return HOLD_NAMED_CLAIM;
    return volumes_hold(s, p, set);
}

const char *hold_code(enum hold h)
{
    return HOLD[h].code;
}

const char *hold_words(enum hold h)
{
    return HOLD[h].words;
}

const char *hold_words_of(const struct survey *s, const struct view_pod *p, enum hold h)
{
    unsigned ways;

    return h == HOLD_OWNER ? recipe_of_pod(s, p, &ways)->why : HOLD[h].words;
}

const char *hold_way_out(enum hold h)
{
    return HOLD[h].way_out;
}
