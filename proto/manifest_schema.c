/* The table of manifest fields, and what is printed from it: see manifest_schema.h. */
#include "proto/manifest_schema.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/guess.h"
#include "proto/base/strbuf.h"
#include "proto/manifest_private.h"

#define M(member) offsetof(struct manifest, model.member)
#define P(member) offsetof(struct manifest, pool.member)
#define Y(member) offsetof(struct manifest, policy.member)
#define DAY_MS 86400000ll
#define ANY INT64_MAX

static const struct field MODEL[] = {
    { "replicas.min", FIELD_INT, M(replicas.min), "1", 0, 4096, NULL,
      "fewest replicas; 0 allows none while there is no demand", NULL },
    { "replicas.max", FIELD_INT, M(replicas.max), "16", 1, 4096, NULL, "most replicas", NULL },
    { "capacity.requestsPerSecond", FIELD_NUMBER, M(capacity.requests_per_second), NULL, 0, 0, NULL,
      "requests per second that one replica serves within the SLO; learned when absent", NULL },
    { "capacity.concurrency", FIELD_NUMBER, M(capacity.concurrency), NULL, 0, 0, NULL,
      "requests that one replica serves at once; limits its queue at the front door", NULL },
    { "slo.latency", FIELD_DURATION, M(slo.latency_ms), NULL, 1, DAY_MS, NULL,
      "latency that `slo.quantile` of the requests must keep", NULL },
    { "slo.quantile", FIELD_SHARE, M(slo.quantile), "0.99", 0, 0, NULL,
      "share of requests within `slo.latency`", NULL },
    { "slo.errorShare", FIELD_SHARE, M(slo.error_share), "0.01", 0, 0, NULL,
      "share of failed requests above which the SLO is broken", NULL },
    { "resources.cpu", FIELD_CPU, M(resources.cpu_milli), "100m", 1, 100000000, NULL,
      "CPU of one replica: reserved on its node, and its limit", NULL },
    { "resources.memory", FIELD_BYTES, M(resources.memory_bytes), "64Mi", 1, ANY, NULL,
      "memory of one replica: reserved on its node, and its limit", NULL },
    { "resources.gpu.count", FIELD_GPU, M(resources.gpu_milli), "0", 0, 256000, NULL,
      "GPUs of one replica: whole devices, or a fraction of one below 1", NULL },
    { "resources.gpu.memory", FIELD_BYTES, M(resources.gpu_memory_bytes), NULL, 1, ANY, NULL,
      "GPU memory that a device must have", NULL },
    { "resources.gpu.models", FIELD_LIST, M(resources.gpu_models), NULL, 0, 0, NULL,
      "GPU models that will do; any when empty", NULL },
    { "placement.nodeSelector", FIELD_MAP, M(placement.node_selector), NULL, 0, 0, NULL,
      "labels that a node must have", NULL },
    { "placement.spread", FIELD_TEXT, M(placement.spread), "", 0, 0, NULL,
      "label over whose values replicas are spread", NULL },
    { "placement.maxPerNode", FIELD_INT, M(placement.max_per_node), NULL, 1, 4096, NULL,
      "most replicas on one node", NULL },
    { "placement.minNodes", FIELD_INT, M(placement.min_nodes), "1", 1, 4096, NULL,
      "fewest nodes over which the replicas stand, when there are as many", NULL },
    { "disruption.surge", FIELD_INT, M(disruption.surge), "1", 1, 4096, NULL,
      "replicas above the target while some are moved or replaced", NULL },
    { "disruption.minAvailable", FIELD_INT, M(disruption.min_available), "1", 0, 4096, NULL,
      "ready replicas below which no act of huddle goes", NULL },
    { "deferrable.deadline", FIELD_DURATION, M(deferrable.deadline_ms), NULL, 1000, DAY_MS, NULL,
      "requests may wait so long for an hour that is better by the policy's `objective`; until "
      "then "
      "no more than `replicas.min` and `disruption.minAvailable` run; served at once when absent",
      NULL },
    { "demand.source", FIELD_WORD, M(demand.source), "front-door", 0, 0, "front-door metrics",
      "where requests are counted", NULL },
    { "demand.preset", FIELD_TEXT, M(demand.preset), "generic", 0, 0,
      "generic vllm tgi triton llamacpp torchserve", "names of the metrics on a replica's page",
      NULL },
    { "demand.path", FIELD_TEXT, M(demand.path), "", 0, 0, NULL,
      "path of a replica's metrics page; not scraped when empty", NULL },
    { "startupTime", FIELD_DURATION, M(startup_ms), NULL, 0, DAY_MS, NULL,
      "from process start to ready; learned when absent", NULL },
    { "exclusive", FIELD_BOOL, M(exclusive), "false", 0, 0, NULL,
      "two replicas of one identity must never run at once", NULL },
    { "priority", FIELD_INT, M(priority), "0", -1000000, 1000000, NULL,
      "higher is placed first when room is short", NULL },
    { "runtime", FIELD_TEXT, M(runtime), "", 0, 0, NULL,
      "what to run, by its name in the node's runtimes.d", NULL },
    { "arguments", FIELD_MAP, M(arguments), NULL, 0, 0, NULL, "typed arguments of the runtime",
      NULL },
    { "process.command", FIELD_LIST, M(process.command), NULL, 0, 0, NULL,
      "a free command; only on nodes that allow it", NULL },
    { "process.env", FIELD_MAP, M(process.environment), NULL, 0, 0, NULL,
      "environment of the process", NULL },
    { "port", FIELD_INT, M(port), "0", 0, 65535, NULL,
      "port of a replica, of which a node runs one with it, whatever its model; 0: a free one each",
      NULL },
    { "readiness.type", FIELD_WORD, M(readiness.kind), "none", 0, 0, "none http tcp exec",
      "how to see that a replica is ready", NULL },
    { "readiness.path", FIELD_TEXT, M(readiness.path), "/healthz", 0, 0, NULL,
      "path for type http; 2xx is ready", NULL },
    { "readiness.command", FIELD_LIST, M(readiness.command), NULL, 0, 0, NULL,
      "command for type exec; exit code 0 is ready", NULL },
    { "readiness.period", FIELD_DURATION, M(readiness.period_ms), "2s", 50, DAY_MS, NULL,
      "time between probes", NULL },
    { "readiness.timeout", FIELD_DURATION, M(readiness.timeout_ms), "1s", 10, DAY_MS, NULL,
      "time for one probe", NULL },
    { "readiness.failures", FIELD_INT, M(readiness.failures), "3", 1, 1000, NULL,
      "failures in a row until unready", NULL },
    { "readiness.startup", FIELD_DURATION, M(readiness.startup_ms), "5m", 100, DAY_MS, NULL,
      "time from start to first ready, then the start has failed; unready for as long: restarted",
      NULL },
    { "drain.timeout", FIELD_DURATION, M(drain.timeout_ms), "30s", 0, DAY_MS, NULL,
      "longest wait for requests in flight", NULL },
    { "drain.grace", FIELD_DURATION, M(drain.grace_ms), "10s", 0, DAY_MS, NULL,
      "time between SIGTERM and SIGKILL", NULL },
    { "targetRef.apiVersion", FIELD_TEXT, M(target.api_version), "", 0, 0, NULL,
      "on Kubernetes: group and version of the workload that serves the model, like apps/v1",
      NULL },
    { "targetRef.kind", FIELD_TEXT, M(target.kind), "", 0, 0, NULL,
      "its kind, like Deployment; instead of `runtime` and `process`", NULL },
    { "targetRef.name", FIELD_TEXT, M(target.name), "", 0, 0, NULL,
      "its name, in the namespace of this object", NULL },
    { "scaling.owner", FIELD_WORD, M(scaling_owner), "Huddle", 0, 0, "Huddle External",
      "who sets the replicas of `targetRef`; External: an autoscaler does, huddle reads it", NULL },
    { "scaling.replicas", FIELD_INT, M(scaling_replicas), "0", 0, 4096, NULL,
      "fewest replicas that an autoscaler or `kubectl scale` asks for, beside `replicas.min` and "
      "up "
      "to `replicas.max`: the number of the scale subresource; 0: nobody asks",
      NULL },
    FIELDS_END,
};

static const struct field POOL[] = {
    { "selector", FIELD_MAP, P(selector), NULL, 0, 0, NULL,
      "labels of the nodes in this pool; every node when empty", NULL },
    { "policy", FIELD_TEXT, P(policy), "default", 0, 0, NULL, "PowerPolicy by name", NULL },
    { "mode", FIELD_WORD, P(mode), "auto", 0, 0, "auto observe recommend act release",
      "what huddle does to its nodes, and to replicas on them: plan and explain; tell people, too, "
      "what it would do; do it; wake all of them, take back what it did, and then nothing; auto: "
      "observe on Kubernetes, else act",
      NULL },
    { "scheduling", FIELD_WORD, P(scheduling), "steer", 0, 0, "steer bind",
      "on Kubernetes: steer, new pods are placed by its own scheduler; bind, huddle is the "
      "scheduler "
      "of pods with `schedulerName: huddle`, on the pool's nodes with the taint "
      "huddle.energy/bind:NoSchedule, where `mode: act`",
      NULL },
    { "bystanders", FIELD_WORD, P(bystanders), "keep", 0, 0, "keep evict",
      "on Kubernetes, pods that are no replicas of models: keep, a node with one stays awake; "
      "evict, one of a ReplicaSet whose pods are all ready, two and more, is evicted from a node "
      "that is to sleep, as its PodDisruptionBudget allows and where another node has room",
      NULL },
    { "minAwake", FIELD_INT, P(min_awake), "1", 0, 100000, NULL, "nodes that stay awake", NULL },
    { "maxAwake", FIELD_INT, P(max_awake), NULL, 1, 100000, NULL,
      "nodes that may be awake: huddle wakes none beyond it, a person may", NULL },
    { "spare", FIELD_INT, P(spare), "1", 0, 100000, NULL,
      "awake nodes beyond need: the loss of any one is survived", NULL },
    { "driver.type", FIELD_TEXT, P(driver.type), "none", 0, 0, "none exec redfish",
      "how nodes are woken and their power is read", NULL },
    { "driver.program", FIELD_TEXT, P(driver.program), "", 0, 0, NULL,
      "type exec: absolute path of the program, in a folder of the controller's powerDrivers",
      NULL },
    { "driver.settings", FIELD_MAP, P(driver.settings), NULL, 0, 0, NULL,
      "of type exec: what its program is told; of type redfish: address (https://..., {node} is "
      "the "
      "node's name), user, system, fingerprint, login (session or basic); each, but login, also as "
      "KEY/NODE, for one node; of both: group and groupCalls, how many calls a chassis or PDU "
      "takes",
      NULL },
    { "driver.secrets", FIELD_MAP, P(driver.secrets), NULL, 0, 0, NULL,
      "secrets handed to the driver: name and file that holds it, in a folder of the controller's "
      "powerDrivers; type redfish: password and ca, each also as KEY/NODE",
      NULL },
    { "boot.time", FIELD_DURATION, P(boot.time_ms), NULL, 1, DAY_MS, NULL,
      "from power on to ready; learned when absent", NULL },
    { "boot.energy", FIELD_JOULES, P(boot.energy_mj), NULL, 0, ANY, NULL,
      "energy of one sleep and wake; estimated from the boot time when absent", NULL },
    { "curve", FIELD_TEXT, P(curve), "none", 0, 0,
      "none arm dell-r740 guest hp-ml110-g4 hp-ml110-g5",
      "published curve of watts by utilization that is supposed of a node until it reports joules",
      NULL },
    { "standby", FIELD_WATTS, P(standby_mw), "10W", 0, ANY, NULL, "power drawn asleep", NULL },
    { "cyclesPerDay", FIELD_INT, P(cycles_per_day), "6", 0, 100000, NULL,
      "power cycles per node and day", NULL },
    { "wakeProven", FIELD_BOOL, P(wake_proven), "false", 0, 0, NULL,
      "a person vouches that waking works here; otherwise huddlectl power test proves it, node by "
      "node",
      NULL },
    FIELDS_END,
};

/* What a kWh carries, over time: the keys that carbon and price have in common. */
#define RATE_FIELDS(name, source_def, member, unit)                                            \
    { name ".source",                                                                          \
      FIELD_WORD,                                                                              \
      Y(member.source),                                                                        \
      source_def,                                                                              \
      0,                                                                                       \
      0,                                                                                       \
      "none fixed profile file",                                                               \
      "where the " unit " of the electricity come from",                                       \
      NULL },                                                                                  \
        { name ".profile",                                                                     \
          FIELD_NUMBERS,                                                                       \
          Y(member.profile),                                                                   \
          NULL,                                                                                \
          0,                                                                                   \
          24,                                                                                  \
          NULL,                                                                                \
          unit " in each of the 24 hours of a local day, for source profile",                  \
          NULL },                                                                              \
        { name ".zone",                                                                        \
          FIELD_TEXT,                                                                          \
          Y(member.zone),                                                                      \
          "UTC",                                                                               \
          0,                                                                                   \
          0,                                                                                   \
          NULL,                                                                                \
          "IANA time zone of the profile",                                                     \
          NULL },                                                                              \
    {                                                                                          \
        name ".path", FIELD_TEXT, Y(member.path), "", 0, 0, NULL,                              \
            "for source file: CSV lines of time," unit ", read again whenever it changes; in " \
            "one of the gridFiles folders of the controller's configuration",                  \
            NULL                                                                               \
    }

static const struct field POLICY[] = {
    { "strategy", FIELD_WORD, Y(strategy), "predictive", 0, 0, "demand predictive",
      "size for the demand of now, or for its forecast", NULL },
    { "interval", FIELD_DURATION, Y(interval_ms), "1m", 100, DAY_MS, NULL,
      "time between plans, and step of the demand series", NULL },
    { "horizon", FIELD_DURATION, Y(horizon_ms), "1h", 100, 7 * DAY_MS, NULL,
      "how far plans look ahead", NULL },
    { "quantile", FIELD_SHARE, Y(quantile), "0.9", 0, 0, NULL,
      "quantile of each model's forecast that must be servable", NULL },
    { "poolQuantile", FIELD_SHARE, Y(pool_quantile), "0.99", 0, 0, NULL,
      "quantile of what all models together may demand within a boot, for which nodes stay awake",
      NULL },
    { "confidence", FIELD_SHARE, Y(confidence), "0.8", 0, 0, NULL,
      "confidence that a sleep outlasts break-even", NULL },
    { "budget.moves", FIELD_INT, Y(budget.moves), "4", 0, 100000, NULL, "moves at once", NULL },
    { "budget.sleeps", FIELD_INT, Y(budget.sleeps), "2", 0, 100000, NULL,
      "nodes going to sleep at once", NULL },
    { "budget.wakes", FIELD_INT, Y(budget.wakes), NULL, 1, 100000, NULL, "nodes waking at once",
      NULL },
    { "budget.moveJoules", FIELD_NUMBER, Y(budget.move_joules), "0", 0, 0, NULL,
      "price of one move in joules, besides what is measured", NULL },
    { "windows", FIELD_CUSTOM, Y(windows), NULL, 0, 0, NULL,
      "when moves and sleeps are allowed or denied: {deny, days, start, end, zone}",
      manifest_read_windows },
    { "objective", FIELD_WORD, Y(objective), "carbon", 0, 0, "energy carbon cost",
      "what joules are weighed by when sleeping and waiting are decided; while that is not known, "
      "they count as they are",
      NULL },
    { "pricePerKwh", FIELD_NUMBER, Y(price.value), "0", 0, 0, NULL,
      "currency per kWh, for price.source fixed; 0: no price", NULL },
    { "currency", FIELD_TEXT, Y(currency), "EUR", 0, 0, NULL, "of all prices", NULL },
    RATE_FIELDS("price", "fixed", price, "currency per kWh"),
    RATE_FIELDS("carbon", "none", carbon, "gCO2/kWh"),
    { "carbon.value", FIELD_NUMBER, Y(carbon.value), NULL, 0, 0, NULL, "gCO2/kWh, for source fixed",
      NULL },
    { "dryRun", FIELD_BOOL, Y(dry_run), "false", 0, 0, NULL, "plan and explain, but do nothing",
      NULL },
    { "paused", FIELD_BOOL, Y(paused), "false", 0, 0, NULL, "nothing but wakes", NULL },
    { "timing.settle", FIELD_DURATION, Y(timing.settle_ms), "10s", 0, DAY_MS, NULL,
      "how long an empty node must stay empty before sleep", NULL },
    { "timing.cooldown", FIELD_DURATION, Y(timing.cooldown_ms), "10m", 0, DAY_MS, NULL,
      "after a wake or a failed drain, before the next sleep", NULL },
    { "timing.drain", FIELD_DURATION, Y(timing.drain_ms), "30m", 100, DAY_MS, NULL,
      "longest drain of a node", NULL },
    { "timing.prepare", FIELD_DURATION, Y(timing.prepare_ms), "30s", 100, DAY_MS, NULL,
      "longest wait for the agent's consent", NULL },
    { "timing.bye", FIELD_DURATION, Y(timing.bye_ms), "90s", 100, DAY_MS, NULL,
      "longest wait for the agent's last word", NULL },
    { "timing.wake", FIELD_DURATION, Y(timing.wake_ms), "10m", 100, DAY_MS, NULL,
      "longest wait for a woken node", NULL },
    { "timing.maxAsleep", FIELD_DURATION, Y(timing.max_asleep_ms), "7d", 1000, 365 * DAY_MS, NULL,
      "longest sleep; then the node is woken once", NULL },
    { "timing.warmUp", FIELD_DURATION, Y(timing.warm_up_ms), "2m", 0, DAY_MS, NULL,
      "after a start of the controller: no sleep, no shrink", NULL },
    FIELDS_END,
};

static const struct field *const FIELDS[KIND_COUNT] = { MODEL, POOL, POLICY };
static const char *const KIND_HELP[KIND_COUNT] = {
    "a model and what its replicas need",
    "nodes that huddle may put to sleep, and how they are woken",
    "how demand is met and when huddle may act",
};

const struct field *manifest_fields(enum manifest_kind k)
{
    return FIELDS[k];
}

const char *manifest_kind_help(enum manifest_kind k)
{
    return KIND_HELP[k];
}

static void describe(struct strbuf *out, const struct field *f)
{
    strbuf_printf(out, "%s", f->help);
    if (f->words)
        strbuf_printf(out, "; one of: %s", f->words);
    if (f->def && f->def[0])
        strbuf_printf(out, "; default %s", f->def);
}

char *manifest_schema_man(void)
{
    struct strbuf out = STRBUF_INIT;

    for (int k = 0; k < KIND_COUNT; k++) {
        strbuf_printf(&out, ".SS %s\n", manifest_kind_name((enum manifest_kind)k));
        strbuf_printf(&out, "%s.\n", KIND_HELP[k]);
        for (const struct field *f = FIELDS[k]; f->path; f++) {
            strbuf_printf(&out, ".TP\n.BR spec.%s \" (%s)\"\n", f->path, field_type_name(f->type));
            describe(&out, f);
            strbuf_putc(&out, '\n');
        }
    }
    return strbuf_take(&out);
}

static json_t *window_schema(void)
{
    return json_pack("{s:s, s:b, s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}}", "type",
                     "object", "additionalProperties", 0, "properties", "deny", "type", "boolean",
                     "days", "type", "string", "start", "type", "string", "end", "type", "string",
                     "zone", "type", "string");
}

static json_t *type_schema(const struct field *f)
{
    switch (f->type) {
    case FIELD_INT:
        return json_pack("{s:s, s:I}", "type", "integer", "minimum", (json_int_t)f->least);
    case FIELD_NUMBER:
    case FIELD_GPU:
        return json_pack("{s:s, s:i}", "type", "number", "minimum", 0);
    case FIELD_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case FIELD_LIST:
        return json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
    case FIELD_MAP:
        return json_pack("{s:s, s:{s:s}}", "type", "object", "additionalProperties", "type",
                         "string");
    case FIELD_NUMBERS:
        return json_pack("{s:s, s:{s:s, s:i}, s:I}", "type", "array", "items", "type", "number",
                         "minimum", 0, "maxItems", (json_int_t)f->most);
    case FIELD_CUSTOM:
        return json_pack("{s:s, s:o}", "type", "array", "items", window_schema());
    case FIELD_SHARE:
    case FIELD_CPU:
    case FIELD_BYTES: /* Kubernetes takes quantities as numbers and as strings */
        return json_pack("{s:b}", "x-kubernetes-int-or-string", 1);
    default:
        return json_pack("{s:s, s:o*}", "type", "string", "enum",
                         f->words ? field_words(f->words) : NULL);
    }
}

static json_t *field_schema(const struct field *f)
{
    AUTO(strbuf) struct strbuf help = STRBUF_INIT;
    json_t *schema = type_schema(f), *def = f->def && f->def[0] ? field_default(f) : NULL;

    describe(&help, f);
    json_object_set_new(schema, "description", json_string(strbuf_text(&help)));
    if (f->type == FIELD_INT && f->most && f->most != ANY)
        json_object_set_new(schema, "maximum", json_integer(f->most));
    if (def)
        json_object_set_new(schema, "default", def);
    return schema;
}

json_t *manifest_schema_json(enum manifest_kind k)
{
    json_t *spec = json_pack("{s:s, s:{}}", "type", "object", "properties");

    for (const struct field *f = FIELDS[k]; f->path; f++) {
        json_t *at = spec;
        const char *part = f->path;
        AUTO(mem) char *name = NULL;

        for (const char *dot; (dot = strchr(part, '.')); part = dot + 1) {
            json_t *properties = json_object_get(at, "properties");
            size_t n = (size_t)(dot - part);

            if (!json_object_getn(properties, part, n))
                json_object_setn_new(properties, part, n,
                                     json_pack("{s:s, s:{}}", "type", "object", "properties"));
            at = json_object_getn(properties, part, n);
        }
        json_object_set_new(json_object_get(at, "properties"), part, field_schema(f));
    }
    return json_pack("{s:s, s:s, s:{s:o, s:{s:s, s:b}}}", "type", "object", "description",
                     KIND_HELP[k], "properties", "spec", spec, "status", "type", "object",
                     "x-kubernetes-preserve-unknown-fields", 1);
}

static void explain_kind(struct strbuf *out, enum manifest_kind k, const char *below)
{
    size_t n = strlen(below);

    for (const struct field *f = FIELDS[k]; f->path; f++) {
        if (n && (strncmp(f->path, below, n) != 0 || (f->path[n] && f->path[n] != '.')))
            continue;
        strbuf_printf(out, "  spec.%s <%s>\n      ", f->path, field_type_name(f->type));
        describe(out, f);
        strbuf_putc(out, '\n');
    }
}

/* The field, of all that stand as deep in the kind, that was most likely meant. */
static int no_such_field(enum manifest_kind k, const char *below, const char *name, struct err *e)
{
    struct guess g = guess_begin(below);
    const char *near;
    size_t n;

    for (const struct field *f = FIELDS[k]; f->path; f++)
        for (size_t end = 0; f->path[end]; end++)
            if (f->path[end + 1] == '.' || !f->path[end + 1])
                guess_consider(&g, f->path, end + 1);
    near = guess_word(&g, &n);
    if (near)
        return err_set(e, -ENOENT, "%s has no field spec.%s; did you mean \"spec.%.*s\"?",
                       manifest_kind_name(k), below, (int)n, near);
    return err_set(e, -ENOENT, "%s has no field spec.%s; \"huddlectl explain %s\" lists them",
                   manifest_kind_name(k), below, name);
}

int manifest_explain(const char *what, char **ret_text, struct err *e)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    AUTO(mem) char *name = xstrdup(what);
    const char *below = "";
    enum manifest_kind k;
    char *dot = strchr(name, '.');
    size_t before;

    if (dot) {
        *dot = '\0';
        below = dot + 1;
        if (strncmp(below, "spec", 4) == 0 && (!below[4] || below[4] == '.'))
            below += below[4] ? 5 : 4;
    }
    if (manifest_kind_parse(name, &k) < 0)
        return err_set(e, -ENOENT,
                       "\"%s\" is no kind; there are servedmodel, powerpool, powerpolicy", name);
    strbuf_printf(&out, "KIND:     %s\nVERSION:  %s\n\n%s\n\n", manifest_kind_name(k),
                  MANIFEST_API_VERSION, KIND_HELP[k]);
    before = out.length;
    explain_kind(&out, k, below);
    if (out.length == before)
        return no_such_field(k, below, name, e);
    *ret_text = strbuf_take(&out);
    return 0;
}
