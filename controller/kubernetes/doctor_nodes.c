/* Nodes: who else decides over them, and what their state means for failure handling. */
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/doctor.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define NAMES_SHOWN 5
#define ZONE_SMALL 50 /* nodes; source: kube-controller-manager --large-cluster-size-threshold */

/* Nodes to which one finding applies: it is told once, with the first few names. */
struct group {
    struct strbuf names;
    size_t n;
    const char *first;
};

static void group_add(struct group *g, const struct view_node *n)
{
    if (!g->n)
        g->first = n->meta.name;
    if (g->n < NAMES_SHOWN)
        strbuf_printf(&g->names, "%s%s", g->n ? ", " : "", n->meta.name);
    g->n++;
}

static void group_tell(struct group *g, struct findings *f, enum severity severity,
                       const char *code, const char *what, const char *derived, const char *way_out)
{
    if (g->n) {
        char *more =
            g->n > NAMES_SHOWN ? finding_text(" and %zu more", g->n - NAMES_SHOWN) : xstrdup("");

        findings_add(f, severity, code, "Node", "", g->first,
                     finding_text("%zu node%s %s (%s%s)", g->n, g->n == 1 ? "" : "s", what,
                                  strbuf_text(&g->names), more),
                     xstrdup(derived), way_out);
        free(more);
    }
    strbuf_done(&g->names);
}

static bool has_annotation(const struct view_node *n, const char *key)
{
    return string_map_get(&n->meta.annotations, key) != NULL;
}

static void owners_of_power(const struct survey *s, struct findings *f)
{
    struct group karpenter = { 0 }, machine = { 0 };

    ARRAY_FOREACH(n, s, node) {
        if (sleepers_is_karpenters(n))
            group_add(&karpenter, n);
        if (has_annotation(n, "cluster.x-k8s.io/machine") ||
            has_annotation(n, "machine.openshift.io/machine"))
            group_add(&machine, n);
    }
    group_tell(&karpenter, f, FINDING_STOPS, "Karpenter",
               "made and deleted by Karpenter: powered off they would be replaced",
               "label karpenter.sh/nodepool",
               "leave these nodes to Karpenter's consolidation and keep them out of PowerPools");
    group_tell(
        &machine, f, FINDING_HURTS, "MachineRemediation",
        "owned by Machines: health checks would remediate them in their sleep",
        "annotation cluster.x-k8s.io/machine or machine.openshift.io/machine",
        "annotate the Machines with cluster.x-k8s.io/skip-remediation, or use driver metal3");
}

static void states(const struct survey *s, struct findings *f)
{
    struct group control = { 0 }, cordoned = { 0 }, tainted = { 0 };

    ARRAY_FOREACH(n, s, node) {
        if (sleepers_is_control_plane(n))
            group_add(&control, n);
        else if (n->cordoned)
            group_add(&cordoned, n);
        else if (sleepers_foreign_taint(n))
            group_add(&tainted, n);
    }
    group_tell(&control, f, FINDING_NOTE, "ControlPlane",
               "of the control plane: never put to sleep",
               "label node-role.kubernetes.io/control-plane", "nothing has to be done");
    group_tell(&cordoned, f, FINDING_STOPS, "Cordoned",
               "cordoned by somebody: huddle neither fills nor empties, nor uncordons",
               "spec.unschedulable", "kubectl uncordon when the work is done");
    group_tell(&tainted, f, FINDING_STOPS, "ForeignTaint",
               "tainted by somebody: huddle neither fills nor empties",
               "a taint NoSchedule or NoExecute that is neither huddle's nor a node's condition",
               "remove the taint, or keep these nodes out of PowerPools");
}

static const char *zone_of(const struct view_node *n)
{
    const char *zone = string_map_get(&n->meta.labels, "topology.kubernetes.io/zone");

    if (!zone)
        zone = string_map_get(&n->meta.labels, "failure-domain.beta.kubernetes.io/zone");
    return zone ? zone : "";
}

static bool is_counted(const struct view_node *n) /* in its zone's health */
{
    return !string_map_get(&n->meta.labels, "node.kubernetes.io/exclude-disruption");
}

/* NotReady nodes from 55 % (and three) of a zone on: what is really dead there is no longer
 * evicted, or ten times as slowly. Source: node_lifecycle_controller.go ComputeZoneState,
 * setLimiterInZone. */
static void zone_health(const struct survey *s, const char *zone, struct findings *f)
{
    size_t all = 0, down = 0;

    ARRAY_FOREACH(n, s, node) {
        if (strcmp(zone_of(n), zone) != 0 || !is_counted(n))
            continue;
        all++;
        down += !n->ready;
    }
    if (down < 3 || down * 100 < all * 55)
        return;
    findings_add(f, FINDING_HURTS, "ZoneDisruption", "Zone", "", zone,
                 finding_text("%zu of %zu nodes are not ready: pods of dead nodes are %s", down,
                              all,
                              all <= ZONE_SMALL ? "no longer evicted"
                                                : "evicted at a tenth of the "
                                                  "rate"),
                 finding_text("at 55 %% (and 3) the zone counts as disrupted; of %d nodes or fewer "
                              "none is tainted NoExecute then",
                              ZONE_SMALL),
                 "label nodes that are off on purpose node.kubernetes.io/exclude-disruption "
                 "(huddle does so before it switches one off)");
}

static void zones(const struct survey *s, struct findings *f)
{
    for (size_t i = 0; i < s->n_node; i++) {
        const char *zone = zone_of(&s->node[i]);
        size_t k = 0;

        while (k < i && strcmp(zone_of(&s->node[k]), zone) != 0)
            k++;
        if (k == i)
            zone_health(s, zone, f);
    }
}

void doctor_nodes(const struct survey *s, struct findings *f)
{
    owners_of_power(s, f);
    states(s, f);
    zones(s, f);
}
