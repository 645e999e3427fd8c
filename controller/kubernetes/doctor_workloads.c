/* Workloads: roll-outs of DaemonSets, spread over nodes, the end of a pod without a lost request,
 * and single replicas. */
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/doctor.h"
#include "controller/kubernetes/drain_safe.h"
#include "proto/base/array.h"

#define ASLEEP_TAINT "huddle.energy/asleep"

/* On how many of the nodes that could sleep do its pods stay? */
static size_t stays_on(const struct survey *s, const struct sleepers_now *now,
                       const struct view_pod *p)
{
    const struct view_taint asleep = { (char *)(uintptr_t)ASLEEP_TAINT, (char *)(uintptr_t) "",
                                       TAINT_NO_EXECUTE };
    size_t n = 0;

    if (!view_tolerates(p, &asleep))
        return 0;
    for (size_t i = 0; i < s->n_node; i++)
        n += now->verdict[i] == NODE_SLEEPS && view_selects_node(p, &s->node[i]);
    return n;
}

/* Its pods on sleeping nodes count as unavailable: once there are maxUnavailable of them, no other
 * node is updated. Source: daemon/update.go rollingUpdate; kubernetes#117204. */
static void daemon_set(const struct survey *s, const struct sleepers_now *now,
                       const struct view_workload *w, struct findings *f)
{
    int64_t unavailable = view_number_or_share(w->max_unavailable, w->replicas, true, 1);
    int64_t surge = view_number_or_share(w->max_surge, w->replicas, true, 0);
    int64_t bound = unavailable > surge ? unavailable : surge;
    struct view_pod p;
    size_t n;

    if (w->on_delete || view_template_read(w, &p) < 0)
        return;
    n = stays_on(s, now, &p);
    view_pod_done(&p);
    if (n == 0 || (int64_t)n < bound)
        return;
    findings_add(
        f, FINDING_HURTS, "DaemonSetRollout", "DaemonSet", w->meta.namespace, w->meta.name,
        finding_text("its roll-outs would stop: %zu sleeping node%s against %lld that may be "
                     "unavailable",
                     n, n == 1 ? "" : "s", (long long)bound),
        finding_text("its pods tolerate %s:NoExecute and so stay on sleeping nodes; "
                     "%zu of %zu nodes could sleep now",
                     ASLEEP_TAINT, now->count[NODE_SLEEPS], now->n_nodes),
        "tolerate named taints instead of all, or set maxUnavailable above the nodes that "
        "sleep; or wake the nodes for the roll-out");
}

void doctor_daemons(const struct survey *s, const struct sleepers_now *now, struct findings *f)
{
    for (size_t i = 0; i < SURVEY_N_WORKLOADS(s, SURVEY_DAEMON_SETS); i++)
        daemon_set(s, now, &SURVEY_WORKLOADS(s, SURVEY_DAEMON_SETS)[i], f);
}

/* --- spread ------------------------------------------------------------------------------------
 */

struct domains {
    size_t awake, asleep; /* values of the key on nodes that the pod may use: with an awake node, or
                             with sleepers alone */
};

static const char *domain_of(const struct view_node *n, const char *key)
{
    return string_map_get(&n->meta.labels, key);
}

/* Is there a node of this domain, awake or asleep, before `end`? */
static bool has_one(const struct survey *s, const struct sleepers_now *now,
                    const struct view_pod *p, const char *key, const char *value, bool asleep,
                    size_t end)
{
    for (size_t i = 0; i < end; i++) {
        const char *v = domain_of(&s->node[i], key);

        if (v && !strcmp(v, value) && (now->verdict[i] == NODE_SLEEPS) == asleep &&
            view_selects_node(p, &s->node[i]))
            return true;
    }
    return false;
}

static struct domains count_domains(const struct survey *s, const struct sleepers_now *now,
                                    const struct view_pod *p, const char *key)
{
    struct domains d = { 0 };

    for (size_t i = 0; i < s->n_node; i++) {
        bool asleep = now->verdict[i] == NODE_SLEEPS;
        const char *value = domain_of(&s->node[i], key);

        if (!value || !view_selects_node(p, &s->node[i]) ||
            has_one(s, now, p, key, value, asleep, i))
            continue;
        if (!asleep)
            d.awake++;
        else if (!has_one(s, now, p, key, value, false, s->n_node))
            d.asleep++;
    }
    return d;
}

/* A domain of sleepers alone holds no pod: no other may hold more than maxSkew. */
static void spread(const struct survey *s, const struct sleepers_now *now,
                   const struct view_workload *w, const char *kind, struct findings *f)
{
    struct view_pod p;

    if (view_template_read(w, &p) < 0)
        return;
    ARRAY_FOREACH(c, &p, spread) {
        struct domains d;
        int64_t fit;

        if (!c->required || c->honors_taints ||
            !label_selector_matches(&c->selector, &p.meta.labels))
            continue;
        d = count_domains(s, now, &p, c->topology_key);
        fit = (int64_t)d.awake * c->max_skew;
        if (!d.asleep || fit >= w->replicas)
            continue;
        findings_add(f, FINDING_HURTS, "SpreadCountsSleepers", kind, w->meta.namespace,
                     w->meta.name,
                     finding_text("%lld of %lld pods would not schedule",
                                  (long long)(w->replicas - fit), (long long)w->replicas),
                     finding_text("%s, maxSkew %lld, DoNotSchedule: %zu domains of sleeping nodes "
                                  "would count with 0 pods beside %zu awake",
                                  c->topology_key, (long long)c->max_skew, d.asleep, d.awake),
                     "set nodeTaintsPolicy: Honor (Kubernetes 1.26), or whenUnsatisfiable: "
                     "ScheduleAnyway");
    }
    view_pod_done(&p);
}

void doctor_spread(const struct survey *s, const struct sleepers_now *now, struct findings *f)
{
    if (!now->count[NODE_SLEEPS])
        return;
    for (size_t i = 0; i < SURVEY_N_WORKLOADS(s, SURVEY_DEPLOYMENTS); i++)
        spread(s, now, &SURVEY_WORKLOADS(s, SURVEY_DEPLOYMENTS)[i], "Deployment", f);
    for (size_t i = 0; i < SURVEY_N_WORKLOADS(s, SURVEY_STATEFUL_SETS); i++)
        spread(s, now, &SURVEY_WORKLOADS(s, SURVEY_STATEFUL_SETS)[i], "StatefulSet", f);
}

/* --- one workload ------------------------------------------------------------------------------
 */

static void drains(const struct survey *s, const struct view_workload *w, const struct view_pod *p,
                   const char *kind, struct findings *f)
{
    const struct view_service *service = survey_service_of(s, w->meta.namespace, &p->meta.labels);
    struct err why = ERR_INIT;
    enum drain_safety d;

    if (!service)
        return;
    d = drain_safety_of(p, json_object_get(w->template, "spec"), &why);
    if (d == DRAIN_SAFE)
        return;
    findings_add(f, FINDING_STOPS, drain_safety_name(d), kind, w->meta.namespace, w->meta.name,
                 finding_text("moving its pods could lose requests: %s", why.text),
                 finding_text("Service %s selects its pods", service->meta.name),
                 d == DRAIN_NO_PRE_STOP ? "give it lifecycle.preStop.sleep of 15 s (before 1.30: "
                                          "exec sleep), or acknowledge the loss"
                 : d == DRAIN_GRACE_TOO_SHORT
                     ? "raise terminationGracePeriodSeconds above preStop and the longest request"
                     : "give vLLM --shutdown-timeout with the seconds of the longest request");
}

static void surge_room(const struct survey *s, const struct sleepers_room *room,
                       const struct view_workload *w, const struct view_pod *p, struct findings *f)
{
    size_t fits = 0;

    if (w->recreate) {
        findings_add(f, FINDING_STOPS, "Recreate", "Deployment", w->meta.namespace, w->meta.name,
                     xstrdup("two of its pods must not run at once: huddle cannot make a second "
                             "before the first goes"),
                     xstrdup("strategy Recreate"),
                     "use RollingUpdate if two may run at once for a while");
        return;
    }
    if (w->replicas != 1)
        return;
    if (view_number_or_share(w->max_surge, 1, true, 1) == 0)
        findings_add(f, FINDING_HURTS, "SingleReplicaNoSurge", "Deployment", w->meta.namespace,
                     w->meta.name,
                     xstrdup("its only pod goes before another comes, in every roll-out"),
                     xstrdup("replicas 1, maxSurge 0"), "set maxSurge to 1, or run two replicas");
    for (size_t i = 0; i < s->n_node && !fits; i++)
        fits += s->node[i].ready && !s->node[i].cordoned && sleepers_fits(s, room, i, p);
    if (!fits && s->n_node)
        findings_add(f, FINDING_STOPS, "NoSurgeRoom", "Deployment", w->meta.namespace, w->meta.name,
                     xstrdup("no node has room for a second pod beside its only one: it cannot be "
                             "moved without a gap"),
                     xstrdup("replicas 1; its requests fit on no ready node"),
                     "lower its requests, or keep a node's worth of room free");
}

void doctor_workloads(const struct survey *s, struct findings *f)
{
    static const struct {
        enum survey_part part;
        const char *kind;
    } KIND[] = { { SURVEY_DEPLOYMENTS, "Deployment" }, { SURVEY_STATEFUL_SETS, "StatefulSet" } };
    struct sleepers_room *room = sleepers_rooms(s);

    for (size_t k = 0; k < ARRAY_LEN(KIND); k++)
        for (size_t i = 0; i < SURVEY_N_WORKLOADS(s, KIND[k].part); i++) {
            const struct view_workload *w = &SURVEY_WORKLOADS(s, KIND[k].part)[i];
            struct view_pod p;

            if (w->replicas == 0 || view_template_read(w, &p) < 0)
                continue;
            drains(s, w, &p, KIND[k].kind, f);
            if (k == 0)
                surge_room(s, room, w, &p, f);
            view_pod_done(&p);
        }
    sleepers_rooms_free(room, s->n_node);
}
