/* The kinds of objects and their columns: see kind.h. */
#include "controller/cli/kind.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "controller/cli/columns.h"
#include "controller/cli/look.h"
#include "proto/base/guess.h"

#define NAME_COLUMN                               \
    {                                             \
        "NAME", "metadata.name", show_text, false \
    }
#define AGE_COLUMN                                             \
    {                                                          \
        "AGE", "metadata.creationTimestamp", show_since, false \
    }
#define LAST_COLUMN             \
    {                           \
        NULL, NULL, NULL, false \
    }

static const struct column MODEL[] = {
    NAME_COLUMN,
    { "READY", "", show_ready, false },
    { "DEMAND", "status.demand", show_number, false },
    { "NEED", "status.demandNeed", show_number, false },
    { "LATENCY", "status.latencyMs", show_ms, false },
    { "SLO", "", show_slo, false },
    { "WATTS", "status.watts", show_watts, false },
    AGE_COLUMN,
    { "FLOOR", "status.floor", show_count, true },
    { "UP-TO-DATE", "status.updatedReplicas", show_count, true },
    { "ROLL-OUT", "status.rollout.state", show_state, true },
    { "CAPACITY", "status.capacity", show_number, true },
    { "RUNTIME", "spec.runtime", show_text, true },
    { "WHY", "status.why", show_text, true },
    LAST_COLUMN,
};

static const struct column POOL[] = {
    NAME_COLUMN,
    { "NODES", "status.nodes", show_count, false },
    { "AWAKE", "status.awake", show_count, false },
    { "ASLEEP", "status.asleep", show_count, false },
    { "MOVING", "status.transitioning", show_count, false },
    { "QUARANTINED", "status.quarantined", show_count, false },
    { "UNREACHABLE", "status.unreachable", show_count, true },
    { "WATTS", "status.watts", show_watts, false },
    { "POLICY", "status.policy", show_text, false },
    AGE_COLUMN,
    { "MIN-AWAKE", "spec.minAwake", show_count, true },
    { "SPARE", "spec.spare", show_count, true },
    { "DRIVER", "spec.driver.type", show_text, true },
    LAST_COLUMN,
};

static const struct column POLICY[] = {
    NAME_COLUMN,
    { "STRATEGY", "spec.strategy", show_text, false },
    { "INTERVAL", "spec.interval", show_text, false },
    { "QUANTILE", "spec.quantile", show_share, false },
    { "DRY-RUN", "spec.dryRun", show_flag, false },
    { "PAUSED", "spec.paused", show_flag, false },
    { "WINDOW-OPEN", "status.windowOpen", show_flag, false },
    AGE_COLUMN,
    { "HORIZON", "spec.horizon", show_text, true },
    { "POOLS", "status.pools", show_words, true },
    LAST_COLUMN,
};

static const struct column NODE[] = {
    NAME_COLUMN,
    { "STATE", "", show_node_flags, false },
    { "SINCE", "status.since", show_since, false },
    { "POOL", "status.pool", show_text, false },
    { "REPLICAS", "status.replicas", show_count, false },
    { "UTIL", "status.utilization", show_share, false },
    { "WATTS", "status.watts", show_watts, false },
    AGE_COLUMN,
    { "METER", "status.wattsProvenance", show_text, true },
    { "CPU", "status.capacity.cpuMilli", show_cpu, true },
    { "MEMORY", "status.capacity.memoryBytes", show_bytes, true },
    { "CYCLES", "status.cyclesToday", show_count, true },
    { "PROVEN", "status.wakeProof.basis", show_text, true },
    { "ADDRESS", "status.address", show_text, true },
    { "AGENT", "status.agent.version", show_text, true },
    { "REASON", "status.reason", show_text, true },
    LAST_COLUMN,
};

static const struct column NODE_POWER[] = {
    NAME_COLUMN,
    { "STATE", "status.state", show_state, false },
    { "POWER", "status.power", show_text, false },
    { "SINCE", "status.since", show_since, false },
    { "SLEEPS", "status.sleeps", show_count, false },
    { "WAKES", "status.wakes", show_count, false },
    { "TODAY", "status.cyclesToday", show_count, false },
    { "WAKE-PROVEN", "status.wakeProven", show_flag, false },
    { "QUARANTINE", "status.quarantine", show_state, false },
    { "POOL", "spec.pool", show_text, true },
    { "DRIVER", "spec.driver", show_text, true },
    { "LAST", "status.transition", show_text, true },
    { "ATTEMPT", "status.attempt", show_count, true },
    { "NEXT-TRY", "status.nextTry", show_text, true },
    { "BY", "status.by", show_text, true },
    { "OP", "status.op", show_text, true },
    { "REASON", "status.reason", show_text, true },
    LAST_COLUMN,
};

static const struct column REPLICA[] = {
    { "NAME", "", show_shown, false },
    { "MODEL", "spec.model", show_text, false },
    { "NODE", "spec.node", show_text, false },
    { "PHASE", "status.phase", show_state, false },
    { "READY", "status.ready", show_flag, false },
    { "LEAVING", "status.leaving", show_state, false },
    { "IN-FLIGHT", "status.inFlight", show_number, false },
    { "RESTARTS", "status.restarts", show_count, false },
    AGE_COLUMN,
    { "ADDRESS", "status.address", show_text, true },
    { "DOOR", "status.door", show_state, true },
    { "MEMORY", "status.memoryBytes", show_bytes, true },
    { "LOAD-TIME", "status.loadMs", show_ms, true },
    { "REPLACES", "status.replaces", show_text, true },
    { "REASON", "status.reason", show_text, true },
    LAST_COLUMN,
};

static const struct column PLAN[] = {
    NAME_COLUMN,
    { "PLAN", "metadata.uid", show_text, false },
    { "AWAKE", "status", show_plan_awake, false },
    { "MOVES", "status.moves", show_count, false },
    { "SLEEPS", "status.sleeps", show_count, false },
    { "WAKES", "status.wakes", show_count, false },
    { "WATTS", "status.wattsNow", show_watts, false },
    { "AFTER", "status.wattsAfter", show_watts, false },
    { "IN-FORCE", "status.inForce", show_flag, false },
    { "AGE", "status.ageMs", show_ms, false },
    { "SUMMARY", "status.summary", show_text, true },
    LAST_COLUMN,
};

static const struct column EVENT[] = {
    { "LAST SEEN", "time", show_since, false },
    { "TYPE", "type", show_state, false },
    { "REASON", "reason", show_text, false },
    { "OBJECT", "involvedObject", show_object_ref, false },
    { "TIME", "time", show_text, true },
    { "MESSAGE", "message", show_text, false },
    LAST_COLUMN,
};

static const struct column JOURNAL[] = {
    { "ROW", "metadata.name", show_text, false },
    { "AGE", "spec.time", show_since, false },
    { "ACT", "spec.act", show_text, false },
    { "OBJECT", "spec", show_object_ref, false },
    { "BY", "spec.by", show_text, false },
    { "JOULES", "spec.joules", show_joules, true },
    { "EDGE", "spec.transition", show_text, true },
    { "TERM", "spec.term", show_count, true },
    { "OP", "spec.op", show_text, true },
    { "REASON", "spec.reason", show_text, false },
    LAST_COLUMN,
};

static const struct column CLUSTER[] = {
    NAME_COLUMN,
    { "STATE", "", show_cluster_state, false },
    { "NODES", "status.nodes", show_counts, false },
    { "REPLICAS", "status.replicas", show_cluster_replicas, false },
    { "WATTS", "status.watts", show_watts, false },
    { "SAVED", "status", show_saved, false },
    { "TERM", "status.term", show_count, true },
    { "SLEEPS", "status.sleeps", show_count, true },
    { "WAKES", "status.wakes", show_count, true },
    { "MOVES", "status.moves", show_count, true },
    { "PLAN-AGE", "status.planAgeMs", show_ms, true },
    { "LEADER", "status.lead.leader", show_text, true },
    LAST_COLUMN,
};

static const struct kind KINDS[] = {
    { "ServedModel", "servedmodels", "servedmodel", "model models sm", true, true, MODEL,
      "a model and what its replicas need" },
    { "PowerPool", "powerpools", "powerpool", "pool pools pp", true, true, POOL,
      "nodes that may be put to sleep, and how they are woken" },
    { "PowerPolicy", "powerpolicies", "powerpolicy", "policy policies", true, true, POLICY,
      "how demand is met and when huddle may act" },
    { "Node", "nodes", "node", "no", false, true, NODE, "a machine and what runs on it" },
    { "NodePower", "nodepowers", "nodepower", "np power", false, false, NODE_POWER,
      "the life-cycle record of a node" },
    { "Replica", "replicas", "replica", "rep reps", false, false, REPLICA,
      "one running copy of a model" },
    { "Plan", "plans", "plan", "", false, false, PLAN, "the plan in force" },
    { "Event", "events", "event", "ev", false, false, EVENT, "what happened" },
    { "JournalEntry", "journal", "journalentry", "journals", false, false, JOURNAL,
      "every act of huddle" },
    { "Cluster", "clusters", "cluster", "", false, false, CLUSTER, "all of it at a glance" },
    { NULL, NULL, NULL, NULL, false, false, NULL, NULL },
};

const struct kind *kinds(void)
{
    return KINDS;
}

static bool is_among(const char *words, const char *word)
{
    size_t n = strlen(word);

    while (*words) {
        size_t len = strcspn(words, " ");

        if (len == n && strncasecmp(words, word, n) == 0)
            return true;
        words += len + (words[len] == ' ');
    }
    return false;
}

const struct kind *kind_find(const char *word, struct err *e)
{
    struct guess g = guess_begin(word);
    const char *near;
    size_t n;

    for (const struct kind *r = KINDS; r->name; r++) {
        if (strcasecmp(word, r->name) == 0 || strcasecmp(word, r->plural) == 0 ||
            strcasecmp(word, r->singular) == 0 || is_among(r->others, word))
            return r;
        guess_consider(&g, r->plural, strlen(r->plural));
        guess_consider(&g, r->singular, strlen(r->singular));
        for (const char *other = r->others; *other;) {
            size_t len = strcspn(other, " ");

            if (len > 3)
                guess_consider(&g, other, len);
            other += len + (other[len] == ' ');
        }
    }
    near = guess_word(&g, &n);
    if (near)
        (void)err_set(e, -EINVAL, "\"%.60s\" is no kind of object; did you mean \"%.*s\"?", word,
                      (int)n, near);
    else
        (void)err_set(
            e, -EINVAL,
            "\"%.60s\" is no kind of object; there are servedmodels, powerpools, "
            "powerpolicies, nodes, nodepowers, replicas, plans, events, journal, clusters",
            word);
    return NULL;
}
