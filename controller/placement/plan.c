/* The life of a plan. */
#include "controller/placement/plan.h"

#include <stdlib.h>

void plan_free(struct plan *p)
{
    if (!p)
        return;
    snapshot_unref(p->snapshot);
    free(p->models);
    free(p->nodes);
    free(p->node_texts);
    free(p->placements);
    free(p);
}

const char *plan_verdict_name(enum plan_verdict v)
{
    static const char *const names[] = { "stay", "sleep", "wake" };

    return (size_t)v < sizeof(names) / sizeof(names[0]) ? names[v] : "unknown";
}

const struct served_model *plan_placed_spec(const struct snapshot *s,
                                            const struct plan_placement *pp)
{
    uint32_t i = pp->replica != NO_INDEX ? pp->replica : pp->renews ? NO_INDEX : pp->replaces;

    return i == NO_INDEX ? s->models[pp->model].spec : snapshot_replica_spec(s, i);
}
