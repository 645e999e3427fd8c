/* What huddle writes into objects on Kubernetes: the status of each kind, and the spec of
 * NodePower. Keys that the controller's own API has too (controller/api/OBJECTS.md) have the same
 * names. No live watts: a status is written at most every half minute. */
#include <string.h>

#include "controller/kubernetes/crd_private.h"
#include "proto/base/array.h"
#include "proto/field.h"
#include "proto/manifest_structural.h"

#define KINDS(crd) (1u << CRD_##crd)
#define DECLARED (KINDS(SERVED_MODEL) | KINDS(POWER_POOL) | KINDS(POWER_POLICY))
#define EVERY (DECLARED | KINDS(NODE_POWER))

#define NODE_STATES                                                                     \
    "unmanaged awake draining empty preparing sleeping asleep waking held unreachable " \
    "quarantined"

enum type {
    INTEGER,
    NUMBER, /* not negative */
    BOOLEAN,
    TEXT,    /* of at most `most` characters */
    WORD,    /* one of `words` */
    TIME,    /* RFC 3339 */
    MAP,     /* of texts, at most `most` */
    OBJECTS, /* a list of at most `most`, told apart by `words`, or replaced whole: NULL */
};

static const struct row {
    unsigned kinds;
    const char *path; /* below status, or spec */
    enum type type;
    int64_t most;
    const char *words;
    const char *help;
} STATUS[] = {
    { EVERY, "observedGeneration", INTEGER, 0, NULL, "of the spec that this status is about" },

    { KINDS(SERVED_MODEL), "total", INTEGER, 0, NULL,
      "replicas that there are, ready or not: the scale subresource shows it" },
    { KINDS(SERVED_MODEL), "ready", INTEGER, 0, NULL, "replicas that serve" },
    { KINDS(SERVED_MODEL), "target", INTEGER, 0, NULL, "replicas that huddle wants" },
    { KINDS(SERVED_MODEL), "floor", INTEGER, 0, NULL,
      "ready replicas below which no act of huddle goes now" },
    { KINDS(SERVED_MODEL), "nodes", INTEGER, 0, NULL, "nodes on which its replicas are" },
    { KINDS(SERVED_MODEL), "selector", TEXT, 4096, NULL,
      "labels of its pods, for autoscalers (scale subresource)" },
    { KINDS(SERVED_MODEL), "strategy", WORD, 0, "demand predictive",
      "of its policy, as it is in force: without a forecast predictive behaves as demand" },
    { KINDS(SERVED_MODEL), "demandNeed", NUMBER, 0, NULL,
      "requests per second that must be servable: the forecast's quantile; where the workload's "
      "own "
      "number is what is forecast, replicas" },
    { KINDS(SERVED_MODEL), "capacity", NUMBER, 0, NULL, "of that, what one replica serves" },
    { KINDS(SERVED_MODEL), "joulesPerRequest", NUMBER, 0, NULL,
      "energy of its replicas by requests served, of the last day" },
    { KINDS(SERVED_MODEL), "loadMs", INTEGER, 0, NULL,
      "milliseconds from start to ready, as learned" },
    { KINDS(SERVED_MODEL), "lastMove", TIME, 0, NULL, "when a replica was moved last" },
    { KINDS(SERVED_MODEL), "why", TEXT, 1024, NULL, "why so many replicas" },
    { KINDS(SERVED_MODEL), "moves", OBJECTS, 16, "id", "moves under way" },
    { KINDS(SERVED_MODEL), "moves[].id", TEXT, 63, NULL, "of the move; pods are named for it" },
    { KINDS(SERVED_MODEL), "moves[].recipe", WORD, 0,
      "adopt surge-evict-shrink deletion-cost borrow",
      "how the new pod takes the old one's place" },
    { KINDS(SERVED_MODEL), "moves[].victim", TEXT, 253, NULL, "pod that is to go" },
    { KINDS(SERVED_MODEL), "moves[].victimUID", TEXT, 64, NULL, "its uid" },
    { KINDS(SERVED_MODEL), "moves[].node", TEXT, 253, NULL, "node to which it moves" },
    { KINDS(SERVED_MODEL), "moves[].base", INTEGER, 0, NULL,
      "replicas of the workload before the move" },
    { KINDS(SERVED_MODEL), "moves[].generation", INTEGER, 0, NULL,
      "the workload's, with that number of replicas" },
    { KINDS(SERVED_MODEL), "moves[].target", INTEGER, 0, NULL,
      "replicas that the move asks for while it lasts" },
    { KINDS(SERVED_MODEL), "moves[].deadline", TIME, 0, NULL, "after which it is taken back" },
    { KINDS(SERVED_MODEL), "moves[].leaderEpoch", INTEGER, 0, NULL,
      "leaseTransitions of the leader that began it" },

    { KINDS(POWER_POOL), "nodes", INTEGER, 0, NULL, "nodes that the selector finds" },
    { KINDS(POWER_POOL), "awake", INTEGER, 0, NULL, "of them awake" },
    { KINDS(POWER_POOL), "asleep", INTEGER, 0, NULL, "of them asleep" },
    { KINDS(POWER_POOL), "transitioning", INTEGER, 0, NULL, "of them on the way" },
    { KINDS(POWER_POOL), "quarantined", INTEGER, 0, NULL, "of them quarantined" },
    { KINDS(POWER_POOL), "unreachable", INTEGER, 0, NULL, "of them unreachable" },
    { KINDS(POWER_POOL), "policy", TEXT, 253, NULL, "PowerPolicy in force" },
    { KINDS(POWER_POOL), "paused", BOOLEAN, 0, NULL, "nothing but wakes" },

    { KINDS(POWER_POLICY), "windowOpen", BOOLEAN, 0, NULL, "moves and sleeps are allowed now" },
    { KINDS(POWER_POLICY), "pools", OBJECTS, 256, "name", "PowerPools that name it" },
    { KINDS(POWER_POLICY), "pools[].name", TEXT, 253, NULL, "of the PowerPool" },

    { KINDS(NODE_POWER), "phase", WORD, 0, NODE_STATES, "of the node's life cycle" },
    { KINDS(NODE_POWER), "since", TIME, 0, NULL, "when the phase began" },
    { KINDS(NODE_POWER), "reason", TEXT, 1024, NULL, "why it is in this phase" },
    { KINDS(NODE_POWER), "attempt", INTEGER, 0, NULL, "of the act under way, from 1" },
    { KINDS(NODE_POWER), "deadline", TIME, 0, NULL, "of the act under way" },
    { KINDS(NODE_POWER), "nextWake", TIME, 0, NULL,
      "when it is woken at the latest: as the plan says, or after timing.maxAsleep" },
    { KINDS(NODE_POWER), "leaderEpoch", INTEGER, 0, NULL,
      "leaseTransitions of the leader that wrote this; a lower one is refused" },
    { KINDS(NODE_POWER), "op", TEXT, 63, NULL, "of the act under way, as its agent knows it" },
    { KINDS(NODE_POWER), "pool", TEXT, 253, NULL,
      "PowerPool under which it was taken in hand, and whose driver wakes it, whatever labels and "
      "selectors say meanwhile; empty while it is in nobody's" },
    { KINDS(NODE_POWER), "record", TEXT, 8192, NULL,
      "what a controller with an empty store goes on from: JSON of huddle's own" },
    { KINDS(NODE_POWER), "powerReadback", WORD, 0, "on off unknown",
      "power as the board last said, not as was asked for" },
    { KINDS(NODE_POWER), "joules", NUMBER, 0, NULL, "of the node, as counted so far" },
    { KINDS(NODE_POWER), "cyclesToday", INTEGER, 0, NULL, "power cycles in the last 24 hours" },
    { KINDS(NODE_POWER), "preSleep.bootID", TEXT, 64, NULL,
      "of the boot that went to sleep; a woken node has another" },
    { KINDS(NODE_POWER), "preSleep.labels", MAP, 1024, NULL, "of the Node before it slept" },
    { KINDS(NODE_POWER), "preSleep.allocatable", MAP, 256, NULL,
      "of the Node before it slept: what must be back before it is awake" },
    { KINDS(NODE_POWER), "preSleep.csiDrivers", OBJECTS, 64, "name",
      "CSI drivers that had registered with the node: they must have again" },
    { KINDS(NODE_POWER), "preSleep.csiDrivers[].name", TEXT, 63, NULL, "of the driver" },
    { KINDS(NODE_POWER), "preSleep.resourceDrivers", OBJECTS, 64, "name",
      "drivers that offered devices of the node to claims: they must again" },
    { KINDS(NODE_POWER), "preSleep.resourceDrivers[].name", TEXT, 63, NULL, "of the driver" },
    { KINDS(NODE_POWER), "preSleep.resourceDrivers[].slices", INTEGER, 0, NULL,
      "ResourceSlices of it" },
    { KINDS(NODE_POWER), "preSleep.taints", OBJECTS, 128, NULL, "of the Node before it slept" },
    { KINDS(NODE_POWER), "preSleep.taints[].key", TEXT, 317, NULL, "of the taint" },
    { KINDS(NODE_POWER), "preSleep.taints[].value", TEXT, 63, NULL, "of the taint" },
    { KINDS(NODE_POWER), "preSleep.taints[].effect", WORD, 0,
      "NoSchedule PreferNoSchedule NoExecute", "of the taint" },
};

static const struct row DESIRED = { KINDS(NODE_POWER),
                                    "desired",
                                    WORD,
                                    0,
                                    "awake asleep",
                                    "what huddle wants of the node: written before it is done" };

static json_t *bounded(json_t *schema, const char *key, int64_t most)
{
    json_object_set_new(schema, key, json_integer(most));
    return schema;
}

static json_t *objects(const struct row *r)
{
    json_t *list =
        json_pack("{s:s, s:o}", "type", "array", "items", json_pack("{s:s}", "type", "object"));

    json_object_set_new(list, "x-kubernetes-list-type", json_string(r->words ? "map" : "atomic"));
    if (r->words) {
        json_object_set_new(list, "x-kubernetes-list-map-keys", json_pack("[s]", r->words));
        json_object_set_new(json_object_get(list, "items"), "required", json_pack("[s]", r->words));
    }
    return bounded(list, "maxItems", r->most);
}

static json_t *row_schema(const struct row *r)
{
    switch (r->type) {
    case INTEGER:
        return json_pack("{s:s, s:s, s:i}", "type", "integer", "format", "int64", "minimum", 0);
    case NUMBER:
        return json_pack("{s:s, s:i}", "type", "number", "minimum", 0);
    case BOOLEAN:
        return json_pack("{s:s}", "type", "boolean");
    case WORD:
        return json_pack("{s:s, s:o}", "type", "string", "enum", field_words(r->words));
    case TIME:
        return json_pack("{s:s, s:s, s:i}", "type", "string", "format", "date-time", "maxLength",
                         64);
    case MAP:
        return bounded(
            json_pack("{s:s, s:o}", "type", "object", "additionalProperties", structural_text(253)),
            "maxProperties", r->most);
    case OBJECTS:
        return objects(r);
    default:
        return structural_text(r->most);
    }
}

static void put_row(json_t *object, const struct row *r)
{
    json_t *schema = json_pack("{s:s}", "description", r->help), *value = row_schema(r);

    json_object_update(schema, value);
    json_decref(value);
    structural_put(object, r->path, schema);
}

/* As metav1.Condition of apimachinery; those that kstatus knows (Ready, Reconciling, Stalled) tell
 * Argo CD and Flux how the object is. */
static json_t *conditions(enum crd which)
{
    static const char *const TYPES[CRD_COUNT] = {
        ("Ready Reconciling Stalled Accepted TargetResolved DrainSafe CapacityMet ForecastReady "
         "Consolidating"),
        "Ready Reconciling Stalled PowerReachable HeadroomMet Paused",
        "Ready Reconciling Stalled",
        "Asleep WakeFailed Quarantined",
    };
    json_t *list = json_pack("{s:o, s:s, s:i, s:s, s:[s]}", "description",
                             json_sprintf("what is so, of the types %s", TYPES[which]), "type",
                             "array", "maxItems", 16, "x-kubernetes-list-type", "map",
                             "x-kubernetes-list-map-keys", "type");
    json_t *fields = json_pack(
        "{s:{s:s, s:i, s:s}, s:{s:s, s:o}, s:{s:s, s:i, s:i, s:s}, s:{s:s, s:i}, s:{s:s, s:s, "
        "s:i}, s:{s:s, s:s, s:i}}",
        "type", "type", "string", "maxLength", 316, "pattern",
        "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
        "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        "status", "type", "string", "enum", field_words("True False Unknown"), "reason", "type",
        "string", "minLength", 1, "maxLength", 1024, "pattern",
        "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", "message", "type", "string", "maxLength", 32768,
        "lastTransitionTime", "type", "string", "format", "date-time", "maxLength", 64,
        "observedGeneration", "type", "integer", "format", "int64", "minimum", 0);

    json_object_set_new(list, "items",
                        json_pack("{s:s, s:[s, s, s, s, s], s:o}", "type", "object", "required",
                                  "type", "status", "reason", "message", "lastTransitionTime",
                                  "properties", fields));
    return list;
}

json_t *crd_status(enum crd which)
{
    json_t *status =
        json_pack("{s:s, s:s}", "description", "what huddle saw and did last", "type", "object");

    for (size_t i = 0; i < ARRAY_LEN(STATUS); i++)
        if (STATUS[i].kinds >> which & 1)
            put_row(status, &STATUS[i]);
    structural_put(status, "conditions", conditions(which));
    return status;
}

json_t *crd_node_power_spec(void)
{
    json_t *spec =
        json_pack("{s:s, s:s}", "description", "written by huddle alone", "type", "object");

    put_row(spec, &DESIRED);
    return spec;
}
