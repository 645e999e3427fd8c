/* What `describe` shows of each kind: see description_private.h. */
#include <stddef.h>
#include <string.h>

#include "controller/cli/columns.h"
#include "controller/cli/description_private.h"

#define END                     \
    {                           \
        NULL, NULL, NULL, false \
    }

/* --- nodes -------------------------------------------------------------------------------------
 */

static const struct column NODE[] = {
    { "State", "", show_node_flags, false },
    { "Since", "status.since", show_time_and_age, false },
    { "Reason", "status.reason", show_text, false },
    { "Pool", "status.pool", show_text, false },
    { "Address", "status.address", show_text, false },
    { "Last report", "status.reportAgeMs", show_ms, false },
    { "Replicas", "status.replicas", show_count, false },
    { "CPU", "status.capacity.cpuMilli", show_cpu, false },
    { "Memory", "status.capacity.memoryBytes", show_bytes, false },
    { "Memory used", "status.memoryUsedBytes", show_bytes, false },
    { "Utilization", "status.utilization", show_share, false },
    { "Power", "status.watts", show_watts, false },
    { "Meter", "status.wattsProvenance", show_text, false },
    { "Energy measured", "status.energy.measuredJ", show_joules, false },
    { "Energy estimated", "status.energy.estimatedJ", show_joules, false },
    { "Of no replica", "status.energy.unattributedJ", show_joules, false },
    { "Gaps in metering", "status.energy.gaps", show_count, false },
    { "Standby", "status.curve.standbyW", show_watts, false },
    { "Boot time", "status.curve.bootS", show_seconds, false },
    { "Boot time p99", "status.curve.bootP99S", show_seconds, false },
    { "Power cycle", "status.curve.cycleJ", show_joules, false },
    { "Break-even", "status.curve.breakEvenS", show_seconds, false },
    { "Curve", "status.curve.provenance", show_text, false },
    { "Cycles today", "status.cyclesToday", show_count, false },
    { "Waking proven by", "status.wakeProof.basis", show_text, false },
    { "  last", "status.wakeProof.time", show_time_and_age, false },
    { "  until", "status.wakeProof.expires", show_text, false },
    { "  tested", "status.wakeProof.tested", show_time_and_age, false },
    { "  cycles", "status.wakeProof.cycles", show_count, false },
    { "  to sleep, p50", "status.wakeProof.sleepS.p50", show_seconds, false },
    { "  to sleep, worst", "status.wakeProof.sleepS.worst", show_seconds, false },
    { "  to wake, p50", "status.wakeProof.wakeS.p50", show_seconds, false },
    { "  to wake, worst", "status.wakeProof.wakeS.worst", show_seconds, false },
    { "  metered a cycle", "status.wakeProof.cycleJ", show_joules, false },
    { "  MAC addresses", "status.wakeProof.identity.macs", show_words, false },
    { "  machine id", "status.wakeProof.identity.machineId", show_text, false },
    { "  product UUID", "status.wakeProof.identity.productUuid", show_text, false },
    { "Wake test", "status.wakeTest.state", show_state, false },
    { "  asked by", "status.wakeTest.by", show_text, false },
    { "  cycles wanted", "status.wakeTest.cycles", show_count, false },
    { "  cycles done", "status.wakeTest.done", show_count, false },
    { "  says", "status.wakeTest.message", show_text, false },
    { "  begun", "status.wakeTest.begun", show_time_and_age, false },
    { "  ended", "status.wakeTest.ended", show_time_and_age, false },
    { "Power says", "status.powerMessage", show_text, false },
    { "Plan", "status.plan.verdict", show_state, false },
    { "Plan says", "status.plan.why", show_text, false },
    { "Joules at stake", "status.plan.joulesAtStake", show_joules, false },
    { "Agent", "status.agent.version", show_text, false },
    { "Kernel", "status.agent.kernel", show_text, false },
    { "Architecture", "status.agent.architecture", show_text, false },
    { "Virtualization", "status.agent.virtualization", show_text, false },
    { "Runtimes", "status.agent.runtimes", show_words, false },
    { "Clock offset", "status.clockOffsetMs", show_signed_ms, false },
    END,
};

static const struct condition NODE_CONDITIONS[] = {
    { "Reachable", "status.reachable", NULL, false },
    { "Schedulable", "status.schedulable", NULL, false },
    { "Sleepable", "status.sleepable", "status.whyNotAsleep", false },
    { "WakeProven", "status.wakeProven", "status.wakeProof.message", false },
    { "Wakeable", "status.wakeable", NULL, false },
    { "SleepAllowedByNode", "status.agent.allowSleep", NULL, false },
    { NULL, NULL, NULL, false },
};

static const struct column GPU[] = {
    { "MODEL", "model", show_text, false },
    { "MEMORY", "memoryBytes", show_bytes, false },
    END,
};

static const struct inner_list NODE_LISTS[] = {
    { "GPUs", "status.capacity.gpus", GPU },
    { NULL, NULL, NULL },
};

static const struct related NODE_REPLICAS = { "Replicas", "replicas", "spec.node" };

static const struct column NODE_POWER[] = {
    { "Pool", "spec.pool", show_text, false },
    { "Driver", "spec.driver", show_text, false },
    { "State", "status.state", show_state, false },
    { "Since", "status.since", show_time_and_age, false },
    { "Reason", "status.reason", show_text, false },
    { "Power", "status.power", show_text, false },
    { "Power says", "status.powerMessage", show_text, false },
    { "Last edge", "status.transition", show_text, false },
    { "Asked by", "status.by", show_text, false },
    { "Operation", "status.op", show_text, false },
    { "Term", "status.term", show_count, false },
    { "Attempt", "status.attempt", show_count, false },
    { "Next try", "status.nextTry", show_text, false },
    { "Quarantine", "status.quarantine", show_state, false },
    { "Sleeps", "status.sleeps", show_count, false },
    { "Wakes", "status.wakes", show_count, false },
    { "Cycles today", "status.cyclesToday", show_count, false },
    END,
};

static const struct condition NODE_POWER_CONDITIONS[] = {
    { "WakeProven", "status.wakeProven", "status.wakeProof.message", false },
    { "Assumed", "status.assumed", NULL, true },
    { NULL, NULL, NULL, false },
};

/* --- declared ----------------------------------------------------------------------------------
 */

static const struct column MODEL[] = {
    { "Ready", "", show_ready, false },
    { "Total", "status.total", show_count, false },
    { "Phases", "status.phases", show_counts, false },
    { "Up to date", "status.updatedReplicas", show_count, false },
    { "Outdated", "status.outdatedReplicas", show_count, false },
    { "Roll-out", "status.rollout.state", show_state, false },
    { "Roll-out says", "status.rollout.message", show_text, false },
    { "Next try", "status.rollout.retry", show_text, false },
    { "Placed by plan", "status.placed", show_count, false },
    { "Not placed", "status.unplaced", show_text, false },
    { "Floor", "status.floor", show_count, false },
    { "Demand", "status.demand", show_rate, false },
    { "Waiting", "status.waiting", show_count, false },
    { "May wait", "spec.deferrable.deadline", show_text, false },
    { "Held until", "status.heldUntil", show_text, false },
    { "Must be servable", "status.demandNeed", show_rate, false },
    { "Capacity", "status.capacity", show_rate, false },
    { "Capacity learned", "status.capacityLearned", show_flag, false },
    { "Latency", "status.latencyMs", show_ms, false },
    { "SLO latency", "spec.slo.latency", show_text, false },
    { "Failed share", "status.errorShare", show_share, false },
    { "Load time", "status.loadMs", show_ms, false },
    { "Power", "status.watts", show_watts, false },
    { "Energy idle", "status.energyIdleJ", show_joules, false },
    { "Energy dynamic", "status.energyDynamicJ", show_joules, false },
    { "Requests", "status.requests", show_count, false },
    { "Errors", "status.errors", show_count, false },
    { "Runtime", "spec.runtime", show_text, false },
    { "CPU", "spec.resources.cpu", show_text, false },
    { "Memory", "spec.resources.memory", show_text, false },
    { "Why", "status.why", show_text, false },
    END,
};

static const struct condition MODEL_CONDITIONS[] = {
    { "SLOBroken", "status.sloBroken", NULL, true },
    { "Frozen", "status.frozen", NULL, true },
    { "Forecast", "status.predictive", "status.forecast.why", false },
    { "RollOutStalled", "status.rollout.stalled", NULL, true },
    { "Deleting", "status.deleting", NULL, true },
    { NULL, NULL, NULL, false },
};

static const struct related MODEL_REPLICAS = { "Replicas", "replicas", "spec.model" };

static const struct column POOL[] = {
    { "Selector", "spec.selector", show_pairs, false },
    { "Policy", "spec.policy", show_text, false },
    { "Policy in force", "status.policy", show_text, false },
    { "Nodes", "status.nodes", show_count, false },
    { "Awake", "status.awake", show_count, false },
    { "Asleep", "status.asleep", show_count, false },
    { "Transitioning", "status.transitioning", show_count, false },
    { "Quarantined", "status.quarantined", show_count, false },
    { "Unreachable", "status.unreachable", show_count, false },
    { "Power", "status.watts", show_watts, false },
    { "Min awake", "spec.minAwake", show_count, false },
    { "Spare", "spec.spare", show_count, false },
    { "Driver", "spec.driver.type", show_text, false },
    { "Program", "spec.driver.program", show_text, false },
    { "Standby", "spec.standby", show_text, false },
    { "Mode", "spec.mode", show_text, false },
    { "Cycles per day", "spec.cyclesPerDay", show_count, false },
    { "Wake proven", "spec.wakeProven", show_flag, false },
    END,
};

static const struct related POOL_NODES = { "Nodes", "nodes", "status.pool" };

static const struct column POLICY[] = {
    { "Strategy", "spec.strategy", show_text, false },
    { "Interval", "spec.interval", show_text, false },
    { "Horizon", "spec.horizon", show_text, false },
    { "Quantile", "spec.quantile", show_share, false },
    { "Pool quantile", "spec.poolQuantile", show_share, false },
    { "Confidence", "spec.confidence", show_share, false },
    { "Moves at once", "spec.budget.moves", show_count, false },
    { "Sleeps at once", "spec.budget.sleeps", show_count, false },
    { "Wakes at once", "spec.budget.wakes", show_count, false },
    { "Carbon g/kWh", "status.carbon.perKwh", show_number, false },
    { "  known until", "status.carbon.knownUntil", show_text, false },
    { "Price per kWh", "status.price.perKwh", show_number, false },
    { "  known until", "status.price.knownUntil", show_text, false },
    { "Pools", "status.pools", show_words, false },
    END,
};

static const struct condition POLICY_CONDITIONS[] = {
    { "WindowOpen", "status.windowOpen", NULL, false },
    { "DryRun", "spec.dryRun", NULL, true },
    { "Paused", "spec.paused", NULL, true },
    { NULL, NULL, NULL, false },
};

static const struct column WINDOW[] = {
    { "DENY", "deny", show_flag, false },   { "DAYS", "days", show_text, false },
    { "START", "start", show_text, false }, { "END", "end", show_text, false },
    { "ZONE", "zone", show_text, false },   END,
};

static const struct inner_list POLICY_LISTS[] = {
    { "Windows", "spec.windows", WINDOW },
    { NULL, NULL, NULL },
};

/* --- the rest ----------------------------------------------------------------------------------
 */

static const struct column REPLICA[] = {
    { "Model", "spec.model", show_text, false },
    { "Node", "spec.node", show_text, false },
    { "Generation", "spec.generation", show_count, false },
    { "Phase", "status.phase", show_state, false },
    { "Reason", "status.reason", show_text, false },
    { "Leaving", "status.leaving", show_state, false },
    { "Address", "status.address", show_text, false },
    { "Front door", "status.door", show_state, false },
    { "In flight", "status.inFlight", show_number, false },
    { "Load", "status.load", show_number, false },
    { "Restarts", "status.restarts", show_count, false },
    { "Memory", "status.memoryBytes", show_bytes, false },
    { "Load time", "status.loadMs", show_ms, false },
    { "Requests", "status.requests", show_count, false },
    { "Errors", "status.errors", show_count, false },
    { "Energy idle", "status.energyIdleJ", show_joules, false },
    { "Energy dynamic", "status.energyDynamicJ", show_joules, false },
    { "Replaces", "status.replaces", show_text, false },
    { "Why here", "status.why", show_text, false },
    END,
};

static const struct condition REPLICA_CONDITIONS[] = {
    { "Ready", "status.ready", NULL, false },
    { "Outdated", "status.outdated", NULL, true },
    { NULL, NULL, NULL, false },
};

static const struct column CLUSTER[] = {
    { "State", "", show_cluster_state, false },
    { "Degraded", "status.degradedReason", show_text, false },
    { "Paused by", "status.pausedBy", show_text, false },
    { "Term", "status.term", show_count, false },
    { "Leader", "status.lead.leader", show_text, false },
    { "Epoch", "status.lead.epoch", show_count, false },
    { "Cannot lead", "status.lead.problem", show_text, false },
    { "Nodes", "status.nodes", show_counts, false },
    { "Replicas ready", "status.replicas", show_cluster_replicas, false },
    { "Power", "status.watts", show_watts, false },
    { "Without huddle", "status.counterfactualW", show_watts, false },
    { "Saved", "status", show_saved, false },
    { "  measured", "status.savedShare.measured", show_share, false },
    { "  estimated", "status.savedShare.estimated", show_share, false },
    { "  assumed", "status.savedShare.assumed", show_share, false },
    { "Sleeps", "status.sleeps", show_count, false },
    { "Wakes", "status.wakes", show_count, false },
    { "Moves", "status.moves", show_count, false },
    { "Plan age", "status.planAgeMs", show_ms, false },
    END,
};

static const struct condition CLUSTER_CONDITIONS[] = {
    { "Paused", "status.paused", NULL, true },
    { "WarmingUp", "status.warmingUp", NULL, true },
    { "Degraded", "status.degraded", "status.degradedReason", true },
    { "Leads", "status.lead.leads", "status.lead.problem", false },
    { "FrontDoorReachable", "status.frontDoor.reachable", NULL, false },
    { NULL, NULL, NULL, false },
};

static const struct description DESCRIPTIONS[] = {
    { "Node", NODE, NODE_CONDITIONS, NODE_LISTS, &NODE_REPLICAS },
    { "NodePower", NODE_POWER, NODE_POWER_CONDITIONS, NULL, NULL },
    { "ServedModel", MODEL, MODEL_CONDITIONS, NULL, &MODEL_REPLICAS },
    { "PowerPool", POOL, NULL, NULL, &POOL_NODES },
    { "PowerPolicy", POLICY, POLICY_CONDITIONS, POLICY_LISTS, NULL },
    { "Replica", REPLICA, REPLICA_CONDITIONS, NULL, NULL },
    { "Cluster", CLUSTER, CLUSTER_CONDITIONS, NULL, NULL },
    { NULL, NULL, NULL, NULL, NULL }, /* others: their columns of `get -o wide` */
};

const struct description *description_of(const struct kind *r)
{
    const struct description *d = DESCRIPTIONS;

    while (d->kind && strcmp(d->kind, r->name) != 0)
        d++;
    return d;
}
