#include "controller/kubernetes/wait.h"

#include <string.h>

static const struct {
    const char *code, *words, *way_out;
} WAIT[WAIT_COUNT] = {
    [WAIT_NOT] = { "Placed", "nothing", "" },
    [WAIT_UNTRIED] = { "NotTried", "a scheduler", "" },
    [WAIT_ROOM] = { "Pending", "a node", "nothing, or what the scheduler asks for" },
    [WAIT_GATE] = { "PendingGate", "a scheduling gate to be taken away (spec.schedulingGates)",
                    "let the gate's controller take it away" },
    [WAIT_CLAIM_MISSING] = { "PendingClaim",
                             "a PersistentVolumeClaim that does not exist, or has lost its volume",
                             "create the claim, or correct its name (kubectl describe pod)" },
    [WAIT_CLAIM_UNBOUND] = { "PendingVolume",
                             "a PersistentVolumeClaim to be bound, which no node brings about",
                             "give the claim a volume, or a StorageClass whose "
                             "volumeBindingMode is WaitForFirstConsumer" },
    [WAIT_RESOURCE_CLAIM] = { "PendingResourceClaim",
                              "a ResourceClaim that does not exist, or has no devices",
                              "look at its ResourceClaim (kubectl describe resourceclaim)" },
};

const char *wait_code(enum wait w)
{
    return WAIT[w].code;
}

const char *wait_words(enum wait w)
{
    return WAIT[w].words;
}

const char *wait_way_out(enum wait w)
{
    return WAIT[w].way_out;
}

static bool lacks_claim(const struct survey *s, const struct view_pod *p)
{
    if (strstr(p->reason, "persistentvolumeclaim \"")) /* not found, being deleted, lost */
        return true;
    for (size_t i = 0; i < p->claims.n && !s->why[SURVEY_CLAIMS]; i++)
        if (!survey_claim_of(s, p->meta.namespace, p->claims.item[i]))
            return true;
    return false;
}

enum wait wait_of(const struct survey *s, const struct view_pod *p)
{
    if (*p->node || *p->nominated_node || p->meta.deleting || view_is_finished(p))
        return WAIT_NOT;
    if (p->gated)
        return WAIT_GATE;
    if (!p->unschedulable)
        return WAIT_UNTRIED;
    if (lacks_claim(s, p))
        return WAIT_CLAIM_MISSING;
    if (strstr(p->reason, "unbound immediate PersistentVolumeClaims"))
        return WAIT_CLAIM_UNBOUND;
    /* Which devices a sleeper has is not known: one is woken where nothing but its taint kept the
     * scheduler from asking. */
    if (p->resource_claims && !strstr(p->reason, "taint"))
        return WAIT_RESOURCE_CLAIM;
    return WAIT_ROOM;
}
