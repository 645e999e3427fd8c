/* CustomResourceDefinitions: see crd.h. */
#include "controller/kubernetes/crd_private.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "proto/base/array.h"
#include "proto/manifest_structural.h"

#define GROUP "huddle.energy"
#define VERSION "v1alpha1"
#define RULES_SINCE 25 /* minor versions of Kubernetes in which they are not alpha any more */
#define FIELD_PATH_SINCE 28
#define SELECTABLE_SINCE 31

/* Short names and singulars that no other operator has: huddlectl alone takes model, pool, policy.
 */
static const struct {
    const char *kind, *plural, *singular, *brief, *brief_here;
    bool namespaced;
    const char *help;
    const char *selectable; /* JSON path, or NULL */
} KINDS[CRD_COUNT] = {
    { "ServedModel", "servedmodels", "servedmodel", "sm", "model", true,
      "A model, and what its replicas need.", ".spec.targetRef.name" },
    { "PowerPool", "powerpools", "powerpool", "ppool", "pool", false,
      "Nodes that huddle may put to sleep, and how they are woken.", ".spec.policy" },
    { "PowerPolicy", "powerpolicies", "powerpolicy", "ppolicy", "policy", false,
      "How demand is met, and when huddle may act.", NULL },
    { "NodePower", "nodepowers", "nodepower", "np", "np", false,
      "huddle's own record of a node and its power; nobody else writes it.", ".status.phase" },
};
static const char *const NAMES[CRD_COUNT] = {
    "servedmodels." GROUP,
    "powerpools." GROUP,
    "powerpolicies." GROUP,
    "nodepowers." GROUP,
};

static const struct column {
    enum crd of;
    const char *name, *type, *path, *help;
    int priority; /* 1: with -o wide */
} COLUMNS[] = {
    { CRD_SERVED_MODEL, "Target", "string", ".spec.targetRef.name", "workload that serves it", 0 },
    { CRD_SERVED_MODEL, "Ready", "integer", ".status.ready", "replicas that serve", 0 },
    { CRD_SERVED_MODEL, "Desired", "integer", ".status.target", "replicas that huddle wants", 0 },
    { CRD_SERVED_MODEL, "Min", "integer", ".spec.replicas.min", "fewest replicas", 0 },
    { CRD_SERVED_MODEL, "Max", "integer", ".spec.replicas.max", "most replicas", 0 },
    { CRD_SERVED_MODEL, "Nodes", "integer", ".status.nodes", "nodes with replicas", 0 },
    { CRD_SERVED_MODEL, "SLO", "string", ".spec.slo.latency", "latency to be kept", 0 },
    { CRD_SERVED_MODEL, "Strategy", "string", ".status.strategy", "in force", 0 },
    { CRD_SERVED_MODEL, "J/req", "number", ".status.joulesPerRequest", "energy of a request", 1 },
    { CRD_SERVED_MODEL, "Forecast", "number", ".status.demandNeed",
      "requests/s that must be servable", 1 },
    { CRD_SERVED_MODEL, "LastMove", "date", ".status.lastMove", "since a replica was moved", 1 },
    { CRD_SERVED_MODEL, "Age", "date", ".metadata.creationTimestamp", "since it was made", 0 },

    { CRD_POWER_POOL, "Nodes", "integer", ".status.nodes", "nodes that are in it", 0 },
    { CRD_POWER_POOL, "Awake", "integer", ".status.awake", "nodes awake", 0 },
    { CRD_POWER_POOL, "Asleep", "integer", ".status.asleep", "nodes asleep", 0 },
    { CRD_POWER_POOL, "Min", "integer", ".spec.minAwake", "nodes that stay awake", 0 },
    { CRD_POWER_POOL, "Spare", "integer", ".spec.spare", "awake nodes beyond need", 0 },
    { CRD_POWER_POOL, "Driver", "string", ".spec.driver.type", "how nodes are woken", 0 },
    { CRD_POWER_POOL, "Paused", "boolean", ".status.paused", "nothing but wakes", 0 },
    { CRD_POWER_POOL, "Age", "date", ".metadata.creationTimestamp", "since it was made", 0 },

    { CRD_POWER_POLICY, "Strategy", "string", ".spec.strategy", "how demand is met", 0 },
    { CRD_POWER_POLICY, "Quantile", "number", ".spec.quantile", "of demand to be servable", 0 },
    { CRD_POWER_POLICY, "Objective", "string", ".spec.objective", "by what joules are weighed", 0 },
    { CRD_POWER_POLICY, "DryRun", "boolean", ".spec.dryRun", "plans and does nothing", 0 },
    { CRD_POWER_POLICY, "Paused", "boolean", ".spec.paused", "nothing but wakes", 0 },
    { CRD_POWER_POLICY, "Age", "date", ".metadata.creationTimestamp", "since it was made", 0 },

    { CRD_NODE_POWER, "Desired", "string", ".spec.desired", "what huddle wants", 0 },
    { CRD_NODE_POWER, "Phase", "string", ".status.phase", "of the life cycle", 0 },
    { CRD_NODE_POWER, "Since", "date", ".status.since", "since the phase began", 0 },
    { CRD_NODE_POWER, "Reason", "string", ".status.reason", "of the phase", 0 },
    { CRD_NODE_POWER, "Pool", "string", ".status.pool", "whose driver wakes it", 1 },
    { CRD_NODE_POWER, "NextWake", "string", ".status.nextWake", "woken at the latest", 0 },
    { CRD_NODE_POWER, "Cycles", "integer", ".status.cyclesToday", "power cycles in 24 hours", 0 },
};

const char *crd_name(enum crd which)
{
    return NAMES[which];
}

const char *crd_plural(enum crd which)
{
    return KINDS[which].plural;
}

int crd_find(const char *word, enum crd *ret_which)
{
    for (int k = 0; k < CRD_COUNT; k++) {
        const char *const known[] = { KINDS[k].kind,  KINDS[k].plural,     KINDS[k].singular,
                                      KINDS[k].brief, KINDS[k].brief_here, NAMES[k] };

        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            if (strcasecmp(word, known[i]) == 0) {
                *ret_which = (enum crd)k;
                return 0;
            }
    }
    return -ENOENT;
}

/* --- the schema --------------------------------------------------------------------------------
 */

/* A workload may be named later, never another one, nor none again: what was begun with it is under
 * way. No rule of a single object, and so not one of manifest_rules.h. */
static void keep_target(json_t *spec)
{
    json_array_append_new(
        json_object_get(spec, "x-kubernetes-validations"),
        json_pack(
            "{s:s, s:s, s:s}", "rule",
            "!has(oldSelf.targetRef) || !has(oldSelf.targetRef.name) || "
            "oldSelf.targetRef.name == '' || (has(self.targetRef) && self.targetRef == "
            "oldSelf.targetRef)",
            "message",
            "cannot be changed; delete this ServedModel and declare one for the other workload",
            "fieldPath", ".targetRef"));
}

static json_t *spec_schema(enum crd which)
{
    static const enum manifest_kind OF[] = { KIND_SERVED_MODEL, KIND_POWER_POOL,
                                             KIND_POWER_POLICY };
    json_t *spec;

    if (which == CRD_NODE_POWER)
        return crd_node_power_spec();
    spec = manifest_structural(OF[which]);
    if (which == CRD_SERVED_MODEL)
        keep_target(spec);
    return spec;
}

/* Takes away what an older server does not know. */
static void suit(json_t *schema, int minor)
{
    json_t *rules = json_object_get(schema, "x-kubernetes-validations"), *rule, *child;
    const char *key;
    size_t i;

    json_array_foreach(rules, i, rule) {
        if (minor < FIELD_PATH_SINCE)
            json_object_del(rule, "fieldPath");
    }
    if (minor < RULES_SINCE)
        json_object_del(schema, "x-kubernetes-validations");
    json_object_foreach(json_object_get(schema, "properties"), key, child) {
        suit(child, minor);
    }
}

static json_t *root_schema(enum crd which, int minor)
{
    json_t *spec = spec_schema(which);

    suit(spec, minor);
    return json_pack("{s:s, s:s, s:[s], s:{s:{s:s}, s:{s:s}, s:{s:s}, s:o, s:o}}", "description",
                     KINDS[which].help, "type", "object", "required", "spec", "properties",
                     "apiVersion", "type", "string", "kind", "type", "string", "metadata", "type",
                     "object", "spec", spec, "status", crd_status(which));
}

/* --- the version and its names -----------------------------------------------------------------
 */

static json_t *columns(enum crd which)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_LEN(COLUMNS); i++) {
        const struct column *c = &COLUMNS[i];
        json_t *column;

        if (c->of != which)
            continue;
        column = json_pack("{s:s, s:s, s:s, s:s}", "name", c->name, "type", c->type, "jsonPath",
                           c->path, "description", c->help);
        if (c->priority)
            json_object_set_new(column, "priority", json_integer(c->priority));
        json_array_append_new(list, column);
    }
    return list;
}

static json_t *subresources(enum crd which)
{
    json_t *both = json_pack("{s:{}}", "status");

    if (which == CRD_SERVED_MODEL)
        json_object_set_new(both, "scale",
                            json_pack("{s:s, s:s, s:s}", "specReplicasPath",
                                      ".spec.scaling.replicas", "statusReplicasPath",
                                      ".status.total", "labelSelectorPath", ".status.selector"));
    return both;
}

json_t *crd_build(enum crd which, int minor)
{
    json_t *version =
        json_pack("{s:s, s:b, s:b, s:o, s:o}", "name", VERSION, "served", 1, "storage", 1,
                  "subresources", subresources(which), "additionalPrinterColumns", columns(which));

    if (KINDS[which].selectable && minor >= SELECTABLE_SINCE)
        json_object_set_new(version, "selectableFields",
                            json_pack("[{s:s}]", "jsonPath", KINDS[which].selectable));
    json_object_set_new(version, "schema",
                        json_pack("{s:o}", "openAPIV3Schema", root_schema(which, minor)));
    return json_pack("{s:s, s:s, s:{s:s, s:{s:s}}, s:{s:s, s:s, s:{s:s, s:o, s:s, s:s, s:[s], "
                     "s:[s]}, s:[o]}}",
                     "apiVersion", "apiextensions.k8s.io/v1", "kind", "CustomResourceDefinition",
                     "metadata", "name", NAMES[which], "labels", "app.kubernetes.io/part-of",
                     "huddle", "spec", "group", GROUP, "scope",
                     KINDS[which].namespaced ? "Namespaced" : "Cluster", "names", "kind",
                     KINDS[which].kind, "listKind", json_sprintf("%sList", KINDS[which].kind),
                     "plural", KINDS[which].plural, "singular", KINDS[which].singular, "shortNames",
                     KINDS[which].brief, "categories", "huddle", "versions", version);
}
