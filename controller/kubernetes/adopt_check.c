/* What must hold before a pod is moved, and again before the hand-over. See adopt_private.h. */
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/adopt_private.h"
#include "controller/kubernetes/drain_safe.h"
#include "controller/kubernetes/recipe.h"
#include "controller/kubernetes/stand_in.h"
#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"

#define HASH_LABEL "pod-template-hash"

/* A macro, as err_set: one line says and returns it. */
#define SAY(p, verdict, word, ...) ((p)->reason = (word), err_text(&(p)->why, __VA_ARGS__), verdict)

enum adopt_verdict adopt_ask(adopt_check_fn *const *checks, const struct adopt_case *c,
                             struct adopt_problem *p)
{
    for (; *checks; checks++) {
        enum adopt_verdict v = (*checks)(c, p);

        if (v != ADOPT_FINE)
            return v;
    }
    return ADOPT_FINE;
}

size_t adopt_tell_reasons(adopt_check_fn *const *checks, const struct adopt_case *c,
                          move_reason_fn *tell, void *data)
{
    size_t n = 0;

    for (; c->victim && *checks; checks++) {
        struct adopt_problem p = { 0 };

        if ((*checks)(c, &p) == ADOPT_FINE)
            continue;
        tell(data, p.reason, p.why.text);
        n++;
    }
    return n;
}

const struct view_workload *adopt_set(const struct adopt_facts *f)
{
    return f->replica_set ? f->replica_set : f->stateful_set;
}

static const char *set_kind(const struct adopt_facts *f)
{
    return f->replica_set ? "replicaset" : "statefulset";
}

bool adopt_counts(const struct adopt_case *c, const struct view_pod *p)
{
    const struct view_workload *set = adopt_set(c->f);

    return set && !strcmp(p->meta.owner.uid, set->meta.uid) && !p->meta.deleting &&
           !view_is_finished(p);
}

/* --- what the pod is --- */

static enum adopt_verdict check_owner(const struct adopt_case *c, struct adopt_problem *p)
{
    const struct view_pod *v = c->victim;
    unsigned ways;
    const struct recipe *r = recipe_for(v, c->f->replica_set, c->f->deployment, &ways);

    if (!ways)
        return SAY(p, ADOPT_NEVER, r->reason, "%s", r->why);
    if (!(ways & RECIPE_ADOPT))
        return SAY(
            p, ADOPT_NEVER, "StatefulSet",
            "a StatefulSet's pod has a name of its own, a second one cannot stand beside it");
    if (!c->f->replica_set || c->f->replica_set->meta.deleting)
        return SAY(p, ADOPT_NEVER, "ReplicaSetGone", "its ReplicaSet %s is gone or being deleted",
                   v->meta.owner.name);
    return ADOPT_FINE;
}

enum adopt_verdict adopt_check_wishes(const struct adopt_case *c, struct adopt_problem *p)
{
    if (!strcmp(adopt_annotation(c->victim, "cluster-autoscaler.kubernetes.io/safe-to-evict"),
                "false"))
        return SAY(p, ADOPT_NEVER, "SafeToEvictFalse",
                   "its annotation cluster-autoscaler.kubernetes.io/safe-to-evict is false: its "
                   "owner wants it to stay");
    if (!strcmp(adopt_annotation(c->victim, "karpenter.sh/do-not-disrupt"), "true"))
        return SAY(
            p, ADOPT_NEVER, "DoNotDisrupt",
            "its annotation karpenter.sh/do-not-disrupt is true: its owner wants it to stay");
    return ADOPT_FINE;
}

enum adopt_verdict adopt_check_bound(const struct adopt_case *c, struct adopt_problem *p)
{
    const struct view_workload *set = adopt_set(c->f);
    const json_t *spec = set ? view_at(set->template, "spec") : NULL;

    if (c->f->exclusive_claim)
        return SAY(p, ADOPT_NEVER, "ExclusiveVolume",
                   "its PersistentVolumeClaim %s can be held by one node only: a second pod could "
                   "not start elsewhere",
                   c->f->exclusive_claim);
    if (c->victim->resource_claims)
        return SAY(p, ADOPT_NEVER, "ResourceClaims",
                   "it has resourceClaims: devices are bound to their node");
    if (c->victim->host_path)
        return SAY(p, ADOPT_NEVER, "HostPath", "it has a hostPath volume: files of its node");
    if (*view_word(spec, "nodeName"))
        return SAY(p, ADOPT_NEVER, "NodeName", "its template names the node %s",
                   view_word(spec, "nodeName"));
    if (view_at(spec, "schedulingGroup") || view_at(spec, "workloadRef"))
        return SAY(p, ADOPT_NEVER, "SchedulingGroup",
                   "it is scheduled as one of a group: one alone cannot be moved");
    if (json_array_size(view_at(spec, "schedulingGates")))
        return SAY(
            p, ADOPT_NEVER, "SchedulingGates",
            "its template has schedulingGates: the new pod would wait for whoever lifts them");
    return ADOPT_FINE;
}

enum adopt_verdict adopt_check_drain(const struct adopt_case *c, struct adopt_problem *p)
{
    const struct view_workload *set = adopt_set(c->f);
    const json_t *spec = set ? view_at(set->template, "spec") : NULL;
    enum drain_safety d;

    if (c->m->acknowledge_drain)
        return ADOPT_FINE;
    d = drain_safety_of(c->victim, spec, &p->why);
    p->reason = drain_safety_name(d);
    return d == DRAIN_SAFE ? ADOPT_FINE : ADOPT_NEVER;
}

/* --- what its ReplicaSet and Deployment are about --- */

static bool same_template(const struct view_workload *set, const struct view_workload *deployment)
{
    json_t *copy = json_deep_copy(set->template);
    bool same;

    (void)json_object_del(json_object_get(json_object_get(copy, "metadata"), "labels"), HASH_LABEL);
    same = json_equal(copy, deployment->template);
    json_decref(copy);
    return same;
}

static enum adopt_verdict check_ordinals(const struct view_workload *set, struct adopt_problem *p)
{
    if (set->meta.deleting)
        return SAY(p, ADOPT_NEVER, "StatefulSetGone", "its StatefulSet is being deleted");
    if (set->observed_generation != set->meta.generation || set->updated_replicas != set->replicas)
        return SAY(p, ADOPT_NOT_YET, "Rollout",
                   "statefulset/%s is changing: %lld of %lld pods are up to date; wait for the end",
                   set->meta.name, (long long)set->updated_replicas, (long long)set->replicas);
    return ADOPT_FINE;
}

enum adopt_verdict adopt_check_rollout(const struct adopt_case *c, struct adopt_problem *p)
{
    const struct view_workload *set = c->f->replica_set, *d = c->f->deployment;

    if (!set && c->f->stateful_set)
        return check_ordinals(c->f->stateful_set, p);
    if (!set || set->meta.deleting)
        return SAY(p, ADOPT_NEVER, "ReplicaSetGone", "its ReplicaSet is gone or being deleted");
    if (!*set->meta.owner.kind)
        return ADOPT_FINE;
    if (!d)
        return SAY(p, ADOPT_NEVER, "DeploymentGone", "its deployment/%s is gone",
                   set->meta.owner.name);
    if (d->paused)
        return SAY(p, ADOPT_NEVER, "Paused", "deployment/%s is paused: resume it first",
                   d->meta.name);
    if (!same_template(set, d))
        return SAY(p, ADOPT_NEVER, "Rollout",
                   "deployment/%s is being rolled out: the pod is of an older template; wait for "
                   "the end",
                   d->meta.name);
    if (d->observed_generation != d->meta.generation || d->updated_replicas != d->replicas ||
        d->status_replicas != d->replicas)
        return SAY(p, ADOPT_NOT_YET, "Rollout",
                   "deployment/%s is changing: %lld of %lld pods are up to date; wait for the end",
                   d->meta.name, (long long)d->updated_replicas, (long long)d->replicas);
    return ADOPT_FINE;
}

/* The ReplicaSet's own pods: as many as wanted, all ready, none ending. */
enum adopt_verdict adopt_check_pods(const struct adopt_case *c, struct adopt_problem *p)
{
    const struct view_workload *set = adopt_set(c->f);
    int64_t n = 0, ready = 0;

    if (!set)
        return SAY(p, ADOPT_NEVER, "ReplicaSetGone", "its ReplicaSet is gone");
    for (size_t i = 0; i < c->f->n_pods; i++) {
        const struct view_pod *one = &c->f->pods[i];

        if (!strcmp(one->meta.owner.uid, set->meta.uid) && one->meta.deleting)
            return SAY(p, ADOPT_NOT_YET, "PodsEnding",
                       "pod/%s beside it is being deleted; wait until it is gone", one->meta.name);
        if (!adopt_counts(c, one))
            continue;
        n++;
        ready += one->ready;
    }
    if (set->observed_generation != set->meta.generation || n != set->replicas)
        return SAY(p, ADOPT_NOT_YET, "Scaling",
                   "%s/%s has %lld pods and wants %lld; wait until it has them", set_kind(c->f),
                   set->meta.name, (long long)n, (long long)set->replicas);
    if (ready < n)
        return SAY(p, ADOPT_NOT_YET, "NotReady",
                   "%lld of %lld pods of %s/%s are not ready: one of those would be deleted first",
                   (long long)(n - ready), (long long)n, set_kind(c->f), set->meta.name);
    return ADOPT_FINE;
}

enum adopt_verdict adopt_check_budget(const struct adopt_case *c, struct adopt_problem *p)
{
    const struct view_budget *found = NULL;

    for (size_t i = 0; i < c->f->n_budgets; i++) {
        const struct view_budget *b = &c->f->budgets[i];

        if (!label_selector_matches(&b->selector, &c->victim->meta.labels))
            continue;
        if (found)
            return SAY(p, ADOPT_NEVER, "TwoBudgets",
                       "the PodDisruptionBudgets %s and %s both select it: Kubernetes refuses "
                       "that; keep one",
                       found->meta.name, b->meta.name);
        found = b;
    }
    if (!found)
        return ADOPT_FINE;
    if (found->observed_generation != found->meta.generation)
        return SAY(p, ADOPT_NOT_YET, "BudgetNotSynced",
                   "poddisruptionbudget/%s was changed and is not counted yet; try again",
                   found->meta.name);
    if (found->allowed < 1)
        return SAY(p, ADOPT_NOT_YET, "BudgetExhausted",
                   "poddisruptionbudget/%s allows no disruption now (%lld healthy, %lld wanted)",
                   found->meta.name, (long long)found->current_healthy,
                   (long long)found->desired_healthy);
    return ADOPT_FINE;
}

/* No other pod may be as cheap to delete as the victim will be. */
enum adopt_verdict adopt_check_cost(const struct adopt_case *c, struct adopt_problem *p)
{
    if (!c->f->deletion_cost)
        return SAY(p, ADOPT_NEVER, "NoDeletionCost",
                   "this cluster is older than Kubernetes 1.22: it has no pod-deletion-cost, the "
                   "new pod would be deleted in the old one's place");
    for (size_t i = 0; i < c->f->n_pods; i++) {
        const struct view_pod *one = &c->f->pods[i];

        if (one != c->victim && (adopt_counts(c, one) || one == c->surge) &&
            strtoll(adopt_annotation(one, VICTIM_COST), NULL, 10) <= INT32_MIN)
            return SAY(p, ADOPT_NEVER, "DeletionCost",
                       "pod/%s is the cheapest to delete (%s is %d): take that away",
                       one->meta.name, VICTIM_COST, INT32_MIN);
    }
    return ADOPT_FINE;
}

/* A move that writes `replicas` (stand_in.h) has the workload to itself. */
enum adopt_verdict adopt_check_alone(const struct adopt_case *c, struct adopt_problem *p)
{
    for (size_t i = 0; i < c->f->n_pods; i++) {
        const struct view_pod *one = &c->f->pods[i];
        const char *pod = adopt_annotation(one, STAND_IN_FOR_POD);

        pod = *pod ? pod : one->meta.name;
        if (!one->meta.deleting && stand_in_is_open(one) && strcmp(pod, c->m->pod) != 0)
            return SAY(p, ADOPT_NOT_YET, "MoveUnderWay",
                       "pod/%s of the same workload is being moved; wait for its end", pod);
    }
    return ADOPT_FINE;
}

static enum adopt_verdict check_planned(const struct adopt_case *c, struct adopt_problem *p)
{
    if (c->f->replica_set && !c->has_planned)
        return SAY(p, ADOPT_NEVER, "NoWithheldLabel",
                   "every label that replicaset/%s asks for is asked for by a Service, too: a pod "
                   "beside the others cannot be told from them; make it a Deployment",
                   c->f->replica_set->meta.name);
    return ADOPT_FINE;
}

adopt_check_fn *const ADOPT_TO_BEGIN[] = {
    check_owner,
    adopt_check_wishes,
    adopt_check_bound,
    adopt_check_drain,
    adopt_check_rollout,
    adopt_check_pods,
    adopt_check_alone,
    adopt_check_budget,
    adopt_check_cost,
    check_planned,
    adopt_check_target,
    adopt_check_room,
    NULL,
};

adopt_check_fn *const ADOPT_TO_HAND_OVER[] = {
    adopt_check_rollout, adopt_check_pods, adopt_check_budget, adopt_check_cost, NULL,
};
