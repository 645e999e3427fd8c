#include "controller/kubernetes/bind.h"

#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"

#define DEFAULT " (leave such pods to the default scheduler)"

static bool is_ours(const struct view_pod *p)
{
    return !strcmp(p->scheduler, BIND_SCHEDULER);
}

bool bind_is_asked(const struct view_pod *p)
{
    return is_ours(p) && !*p->node && !p->gated && !p->meta.deleting && !view_is_finished(p);
}

static bool has_required(const struct view_pod *p, const char *path)
{
    return json_array_size(view_at(p->affinity, path)) > 0;
}

const char *bind_unsupported(const struct view_pod *p)
{
    if (p->claims.n > 0)
        return "it uses a PersistentVolumeClaim, and huddle does not look where volumes can "
               "be" DEFAULT;
    if (p->resource_claims)
        return "it uses a ResourceClaim, and huddle allocates none" DEFAULT;
    if (p->grouped)
        return "it is to be scheduled with a group" DEFAULT;
    if (has_required(p, "podAffinity.requiredDuringSchedulingIgnoredDuringExecution"))
        return "it requires pod affinity" DEFAULT;
    if (has_required(p, "podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution"))
        return "it requires pod anti-affinity" DEFAULT;
    ARRAY_FOREACH(s, p, spread)
        if (s->required)
            return "it has a topologySpreadConstraint with DoNotSchedule" DEFAULT;
    return NULL;
}

bool bind_is_rejected(const struct view_pod *p)
{
    return is_ours(p) && *p->node && !p->meta.deleting && !strcmp(p->phase, "Failed") &&
           (!strncmp(p->reason, "OutOf", strlen("OutOf")) ||
            !strcmp(p->reason, "UnexpectedAdmissionError"));
}

bool bind_is_dedicated(const struct view_node *n)
{
    ARRAY_FOREACH(t, n, taint)
        if (!strcmp(t->key, BIND_TAINT) && t->effect == TAINT_NO_SCHEDULE)
            return true;
    return false;
}
