/* What must hold before a pod is moved by `replicas`, and again before the eviction. */
#include <string.h>

#include "controller/kubernetes/adopt_private.h"
#include "controller/kubernetes/recipe.h"
#include "controller/kubernetes/stand_in_private.h"

#define SAY(p, verdict, word, ...) ((p)->reason = (word), err_text(&(p)->why, __VA_ARGS__), verdict)

const struct view_workload *stand_in_workload(const struct adopt_facts *f)
{
    if (f->stateful_set)
        return f->stateful_set;
    return f->replica_set && *f->replica_set->meta.owner.kind ? f->deployment : f->replica_set;
}

static enum adopt_verdict check_owner(const struct adopt_case *c, struct adopt_problem *p)
{
    const struct view_workload *set = adopt_set(c->f), *w = stand_in_workload(c->f);
    unsigned ways;
    const struct recipe *r = recipe_for(c->victim, set, c->f->deployment, &ways);

    if (!ways)
        return SAY(p, ADOPT_NEVER, r->reason, "%s", r->why);
    if (!set || set->meta.deleting || !w || w->meta.deleting)
        return SAY(p, ADOPT_NEVER, "WorkloadGone", "its workload is gone or being deleted");
    if (!(ways & (RECIPE_SURGE_EVICT_SHRINK | RECIPE_BORROW)))
        return SAY(p, ADOPT_NEVER, "ReplicasNotHuddles",
                   "replicas of deployment/%s are written by %s %s, which would take back what "
                   "huddle writes",
                   w->meta.name, w->meta.owner.kind, w->meta.owner.name);
    return ADOPT_FINE;
}

static enum adopt_verdict check_scaler(const struct adopt_case *c, struct adopt_problem *p)
{
    if (c->f->scaler)
        return SAY(p, ADOPT_NEVER, "ReplicasNotHuddles",
                   "%s says that its replicas are another's: huddle does not write them",
                   c->f->scaler);
    return ADOPT_FINE;
}

static enum adopt_verdict check_claims(const struct adopt_case *c, struct adopt_problem *p)
{
    const struct view_workload *set = c->f->stateful_set;

    if (set && set->claim_templates.n && !set->claims_go)
        return SAY(
            p, ADOPT_NEVER, "ClaimTemplates",
            "statefulset/%s has volumeClaimTemplates: one pod more would leave a volume "
            "behind; set persistentVolumeClaimRetentionPolicy.whenScaled to Delete where the "
            "data can be loaded again",
            set->meta.name);
    if (c->f->pinned_claim)
        return SAY(p, ADOPT_NEVER, "PinnedVolume",
                   "the volume of its PersistentVolumeClaim %s is on its node alone: it would come "
                   "again there",
                   c->f->pinned_claim);
    return ADOPT_FINE;
}

/* A pod that is to be adopted would be one too many. */
static enum adopt_verdict check_surges(const struct adopt_case *c, struct adopt_problem *p)
{
    for (size_t i = 0; i < c->f->n_pods; i++)
        if (surge_is_waiting(&c->f->pods[i]))
            return SAY(p, ADOPT_NOT_YET, "MoveUnderWay",
                       "pod/%s is to be adopted by the same workload; wait for that, or take it "
                       "back with --abort",
                       c->f->pods[i].meta.name);
    return ADOPT_FINE;
}

/* Its controller has counted all of them: what it counts less afterwards has gone since. */
static enum adopt_verdict check_counted(const struct adopt_case *c, struct adopt_problem *p)
{
    const struct view_workload *set = adopt_set(c->f);

    if (set && set->status_replicas != set->replicas)
        return SAY(p, ADOPT_NOT_YET, "Scaling", "%s has counted %lld of %lld pods", set->meta.name,
                   (long long)set->status_replicas, (long long)set->replicas);
    return ADOPT_FINE;
}

adopt_check_fn *const STAND_IN_TO_BEGIN[] = {
    check_owner,         check_scaler,
    adopt_check_wishes,  adopt_check_bound,
    check_claims,        adopt_check_drain,
    adopt_check_rollout, adopt_check_pods,
    adopt_check_alone,   check_surges,
    adopt_check_budget,  adopt_check_target,
    adopt_check_room,    NULL,
};

adopt_check_fn *const STAND_IN_TO_SCALE[] = {
    check_owner, check_scaler, adopt_check_rollout, adopt_check_pods, check_surges, NULL,
};

bool stand_in_goes_by_cost(const struct adopt_facts *f, const struct adopt_move *m)
{
    const struct view_pod *victim = adopt_victim(f, m);
    unsigned ways = 0;

    if (victim && f->replica_set)
        (void)recipe_for(victim, f->replica_set, f->deployment, &ways);
    return (ways & RECIPE_DELETION_COST) && f->deletion_cost;
}

/* What an Eviction would ask the budget is asked here: a set that shrinks does not ask. */
adopt_check_fn *const STAND_IN_TO_SHRINK[] = {
    check_owner,   check_scaler,       adopt_check_rollout, adopt_check_pods,
    check_counted, adopt_check_budget, adopt_check_cost,    NULL,
};

adopt_check_fn *const STAND_IN_TO_EVICT[] = {
    check_owner,        check_scaler, adopt_check_rollout, adopt_check_pods, check_counted,
    adopt_check_budget, NULL,
};
