/* The /metrics page: see metrics.h. One table a kind of object names its figures: where they stand
 * in the object and what they are called. */
#include "controller/api/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/exposition.h"

/* --- figures of objects ------------------------------------------------------------------------
 */

/* The value at a dotted path below `status`; NAN: not known. */
static double number_at(const json_t *object, const char *path)
{
    const json_t *value = json_object_get(object, "status");

    while (*path && value) {
        size_t n = strcspn(path, ".");

        value = json_object_getn(value, path, n);
        path += n;
        path += *path == '.';
    }
    if (json_is_boolean(value))
        return json_is_true(value);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static const char *text_at(const json_t *object, const char *part, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(object, part), key));

    return text ? text : "";
}

struct figure {
    const char *path; /* below status */
    double scale;
    const char *name, *type, *help;
    struct label more;
};

static const struct figure CLUSTER_FIGURES[] = {
    { "watts", 1, "huddle_power_watts", "gauge", "Power drawn by all nodes now.", { 0 } },
    { "counterfactualW",
      1,
      "huddle_counterfactual_power_watts",
      "gauge",
      "Power that all nodes awake with the replicas spread would draw now.",
      { 0 } },
    { "savedW",
      1,
      "huddle_saved_power_watts",
      "gauge",
      "Power saved now against the counterfactual.",
      { "bound", "mid" } },
    { "savedLowW", 1, "huddle_saved_power_watts", NULL, NULL, { "bound", "low" } },
    { "savedHighW", 1, "huddle_saved_power_watts", NULL, NULL, { "bound", "high" } },
    { "sleeps", 1, "huddle_sleeps_total", "counter", "Nodes put to sleep.", { 0 } },
    { "wakes", 1, "huddle_wakes_total", "counter", "Nodes woken.", { 0 } },
    { "moves", 1, "huddle_moves_total", "counter", "Replicas moved to another node.", { 0 } },
    { "paused", 1, "huddle_paused", "gauge", "1 while a person has paused huddle.", { 0 } },
    { "degraded",
      1,
      "huddle_degraded",
      "gauge",
      "1 while nodes are only woken, never slept.",
      { 0 } },
    { "warmingUp",
      1,
      "huddle_warming_up",
      "gauge",
      "1 in the time after a start in which nothing is slept.",
      { 0 } },
    { "lead.leads",
      1,
      "huddle_leader",
      "gauge",
      "1 while this controller has the Lease: of several on Kubernetes only that one acts.",
      { 0 } },
    { "planAgeMs", 1e-3, "huddle_plan_age_seconds", "gauge", "Age of the plan in force.", { 0 } },
};

static const struct figure NODE_FIGURES[] = {
    { "energy.measuredJ",
      1,
      "huddle_node_energy_joules_total",
      "counter",
      "Energy used by a node, each joule once.",
      { "provenance", "measured" } },
    { "energy.estimatedJ",
      1,
      "huddle_node_energy_joules_total",
      NULL,
      NULL,
      { "provenance", "estimated" } },
    { "energy.gaps",
      1,
      "huddle_node_energy_gaps_total",
      "counter",
      "Times that a counter may have wrapped unseen.",
      { 0 } },
    { "watts", 1, "huddle_node_power_watts", "gauge", "Power drawn by a node now.", { 0 } },
    { "utilization",
      1,
      "huddle_node_utilization_ratio",
      "gauge",
      "Share of a node's CPUs in use.",
      { 0 } },
    { "memoryUsedBytes",
      1,
      "huddle_node_memory_used_bytes",
      "gauge",
      "Memory in use on a node.",
      { 0 } },
    { "reportAgeMs",
      1e-3,
      "huddle_node_report_age_seconds",
      "gauge",
      "Time since a node's last report.",
      { 0 } },
    { "cyclesToday",
      1,
      "huddle_node_power_cycles_today",
      "gauge",
      "Power cycles of a node within 24 hours.",
      { 0 } },
    { "replicas", 1, "huddle_node_replicas", "gauge", "Replicas on a node.", { 0 } },
};

static const struct figure MODEL_FIGURES[] = {
    { "demand",
      1,
      "huddle_model_demand_requests_per_second",
      "gauge",
      "Requests for a model now.",
      { 0 } },
    { "demandNeed",
      1,
      "huddle_model_demand_needed_requests_per_second",
      "gauge",
      "Requests that the plan makes room for.",
      { 0 } },
    { "capacity",
      1,
      "huddle_model_replica_capacity_requests_per_second",
      "gauge",
      "Requests that one replica serves within its objective.",
      { 0 } },
    { "ready", 1, "huddle_model_replicas_ready", "gauge", "Replicas that serve.", { 0 } },
    { "updatedReplicas",
      1,
      "huddle_model_replicas_updated",
      "gauge",
      "Replicas that run the newest version of the model.",
      { 0 } },
    { "target",
      1,
      "huddle_model_replicas_target",
      "gauge",
      "Replicas that the plan wants.",
      { 0 } },
    { "floor",
      1,
      "huddle_model_replicas_floor",
      "gauge",
      "Ready replicas below which huddle never goes.",
      { 0 } },
    { "latencyMs",
      1e-3,
      "huddle_model_latency_seconds",
      "gauge",
      "Latency at the quantile of the objective.",
      { 0 } },
    { "errorShare", 1, "huddle_model_error_ratio", "gauge", "Share of failed requests.", { 0 } },
    { "sloBroken",
      1,
      "huddle_model_objective_broken",
      "gauge",
      "1 while a model misses its objective.",
      { 0 } },
    { "requests", 1, "huddle_model_requests_total", "counter", "Requests served.", { 0 } },
    { "errors", 1, "huddle_model_errors_total", "counter", "Requests that failed.", { 0 } },
    { "watts", 1, "huddle_model_power_watts", "gauge", "Power attributed to a model.", { 0 } },
    { "energyIdleJ",
      1,
      "huddle_model_energy_joules_total",
      "counter",
      "Energy attributed to a model: its share of idle nodes, and what it caused.",
      { "share", "idle" } },
    { "energyDynamicJ", 1, "huddle_model_energy_joules_total", NULL, NULL, { "share", "dynamic" } },
};

/* All figures of a table whose name is the one at `i`: samples of a family stand together. */
static void one_family(struct strbuf *page, const struct figure *figures, size_t n, size_t i,
                       const json_t *objects, const char *label)
{
    const json_t *object;
    size_t k;

    exposition_family(page, figures[i].name, figures[i].type, figures[i].help);
    json_array_foreach(objects, k, object) {
        for (size_t j = i; j < n && strcmp(figures[j].name, figures[i].name) == 0; j++) {
            const struct label labels[] = { { label, text_at(object, "metadata", "name") },
                                            figures[j].more };

            exposition_sample(page, figures[j].name, labels, ARRAY_LEN(labels),
                              number_at(object, figures[j].path) * figures[j].scale);
        }
    }
}

static void all_families(struct strbuf *page, const struct figure *figures, size_t n,
                         const json_t *objects, const char *label)
{
    for (size_t i = 0; i < n; i++) {
        if (figures[i].type)
            one_family(page, figures, n, i, objects, label);
    }
}

/* --- counts by state ---------------------------------------------------------------------------
 */

static void count_nodes(struct strbuf *page, const json_t *nodes)
{
    static const char *const STATES[] = { "unmanaged", "awake",       "draining",   "empty",
                                          "preparing", "sleeping",    "asleep",     "waking",
                                          "held",      "unreachable", "quarantined" };
    const json_t *node;
    size_t i;

    exposition_family(page, "huddle_nodes", "gauge", "Nodes by their state.");
    for (size_t s = 0; s < ARRAY_LEN(STATES); s++) {
        const struct label label = { "state", STATES[s] };
        double n = 0;

        json_array_foreach(nodes, i, node) {
            n += strcmp(text_at(node, "status", "state"), STATES[s]) == 0;
        }
        exposition_sample(page, "huddle_nodes", &label, 1, n);
    }
    exposition_family(page, "huddle_node_asleep_expected", "gauge",
                      "1 while a node that does not answer sleeps by huddle's will: no alarm.");
    json_array_foreach(nodes, i, node) {
        const struct label label = { "node", text_at(node, "metadata", "name") };
        const char *state = text_at(node, "status", "state");

        exposition_sample(page, "huddle_node_asleep_expected", &label, 1,
                          strcmp(state, "asleep") == 0 || strcmp(state, "sleeping") == 0 ||
                              strcmp(state, "waking") == 0);
    }
}

static void count_replicas(struct strbuf *page, const json_t *models)
{
    const json_t *model;
    json_t *phases, *n;
    const char *phase;
    size_t i;

    exposition_family(page, "huddle_replicas", "gauge", "Replicas by model and by their phase.");
    json_array_foreach(models, i, model) {
        phases = json_object_get(json_object_get(model, "status"), "phases");
        json_object_foreach(phases, phase, n) {
            const struct label labels[] = { { "model", text_at(model, "metadata", "name") },
                                            { "phase", phase } };

            exposition_sample(page, "huddle_replicas", labels, 2, json_number_value(n));
        }
    }
}

/* --- forecasts and savings ---------------------------------------------------------------------
 */

static bool is_counted(const json_t *model)
{
    return json_is_integer(json_object_get(json_object_get(model, "status"), "wanted"));
}

/* The next step of each model's forecast: of requests, or of replicas where others say how many. */
static void add_forecasts_of(struct strbuf *page, const json_t *models, bool counted,
                             const char *family)
{
    const json_t *model, *q;
    size_t m, i;

    json_array_foreach(models, m, model) {
        const json_t *forecast = json_object_get(json_object_get(model, "status"), "forecast");
        const json_t *next = json_array_get(json_object_get(forecast, "values"), 0);

        if (is_counted(model) != counted)
            continue;
        json_array_foreach(json_object_get(forecast, "quantiles"), i, q) {
            AUTO(strbuf) struct strbuf text = STRBUF_INIT;
            const json_t *value = json_array_get(next, i);
            struct label labels[] = { { "model", text_at(model, "metadata", "name") },
                                      { "quantile", "" } };

            strbuf_printf(&text, "%g", json_number_value(q));
            labels[1].value = strbuf_text(&text);
            if (next)
                exposition_sample(page, family, labels, 2,
                                  json_is_number(value) ? json_number_value(value) : (double)NAN);
        }
    }
}

static void add_forecasts(struct strbuf *page, const json_t *models)
{
    static const char *const DEMAND = "huddle_forecast_demand_requests_per_second";
    static const char *const REPLICAS = "huddle_forecast_replicas";
    bool counted = false;
    const json_t *model;
    size_t m;

    exposition_family(page, DEMAND, "gauge",
                      "Requests for a model in the coming step, by quantile.");
    add_forecasts_of(page, models, false, DEMAND);
    json_array_foreach(models, m, model) {
        counted |= is_counted(model);
    }
    if (!counted)
        return;
    exposition_family(
        page, REPLICAS, "gauge",
        "Replicas that a model's workload will have in the coming step, by quantile.");
    add_forecasts_of(page, models, true, REPLICAS);
}

/* Where none is configured there is nothing that could be down. */
static void add_front_door(struct strbuf *page, const json_t *clusters)
{
    const json_t *cluster = json_array_get(clusters, 0);

    if (number_at(cluster, "frontDoor.configured") > 0)
        exposition_single(page, "huddle_front_door_up", "gauge", "1 while the front door answers.",
                          number_at(cluster, "frontDoor.reachable"));
}

static void add_kubernetes(struct strbuf *page, const struct api_stats *s)
{
    if (s->n_watches == 0)
        return;
    exposition_family(page, "huddle_kubernetes_watch_up", "gauge",
                      "1 while a kind of object of Kubernetes is seen.");
    for (size_t i = 0; i < s->n_watches; i++) {
        const struct label label = { "kind", s->watches[i].kind };

        exposition_sample(page, "huddle_kubernetes_watch_up", &label, 1, s->watches[i].up);
    }
}

static void add_savings(struct strbuf *page, const json_t *report)
{
    static const struct {
        const char *key, *bound;
    } BOUNDS[] = { { "savedJ", "mid" }, { "savedLowJ", "low" }, { "savedHighJ", "high" } };
    const json_t *energy = json_object_get(report, "energy");

    exposition_family(page, "huddle_savings_joules", "gauge",
                      "Energy saved against the counterfactual within the last 24 hours.");
    for (size_t i = 0; i < ARRAY_LEN(BOUNDS); i++) {
        const json_t *value = json_object_get(energy, BOUNDS[i].key);
        const struct label labels[] = { { "window", "24h" }, { "bound", BOUNDS[i].bound } };

        exposition_sample(page, "huddle_savings_joules", labels, 2,
                          json_is_number(value) ? json_number_value(value) : (double)NAN);
    }
}

/* --- the daemon --------------------------------------------------------------------------------
 */

static void add_daemon(struct strbuf *page, const struct metrics_source *from)
{
    const struct api_stats *s = &from->stats;

    exposition_single(page, "huddle_reports_total", "counter", "Reports taken in.",
                      (double)s->reports);
    exposition_single(page, "huddle_reports_replaced_total", "counter",
                      "Reports that a newer one of their node overtook before the loop took them.",
                      (double)s->reports_replaced);
    exposition_single(page, "huddle_reports_refused_total", "counter", "Reports refused.",
                      (double)s->reports_refused);
    exposition_single(page, "huddle_store_batches_total", "counter", "Transactions of the store.",
                      (double)s->batches);
    exposition_single(page, "huddle_store_failures_total", "counter", "Transactions that failed.",
                      (double)s->store_failures);
    exposition_single(page, "huddle_plans_total", "counter", "Plans made.", (double)s->plans);
    exposition_single(page, "huddle_planning_cpu_seconds_total", "counter",
                      "Processor time that plans, with their forecasts, took.",
                      (double)s->planning_cpu_ns / 1e9);
    exposition_family(page, "huddle_api_answers_total", "counter",
                      "Answers of the API by kind of status.");
    for (size_t i = 2; i < 6; i++) {
        const char code[] = { (char)('0' + (char)i), 'x', 'x', 0 };
        const struct label label = { "code", code };

        exposition_sample(page, "huddle_api_answers_total", &label, 1, (double)from->answers[i]);
    }
    exposition_single(page, "huddle_api_watches", "gauge", "Watches open now.",
                      (double)from->watches);
}

static double known(int64_t value)
{
    return value >= 0 ? (double)value : (double)NAN;
}

static void add_process(struct strbuf *page, const struct metrics_process *p)
{
    const struct label version = { "version", HUDDLE_VERSION };

    exposition_family(page, "huddle_build_info", "gauge", "1; the version is in the label.");
    exposition_sample(page, "huddle_build_info", &version, 1, 1);
    exposition_single(page, "huddle_process_cpu_seconds_total", "counter",
                      "CPU time of the controller.", p->cpu_s >= 0 ? p->cpu_s : (double)NAN);
    exposition_single(page, "huddle_process_start_time_seconds", "gauge",
                      "When the controller started, since 1970.",
                      p->start_wall_s >= 0 ? p->start_wall_s : (double)NAN);
    exposition_single(page, "huddle_process_resident_memory_bytes", "gauge",
                      "Memory of the controller.", known(p->resident_bytes));
    exposition_single(page, "huddle_process_open_fds", "gauge",
                      "Open descriptors of the controller.", known(p->open_fds));
    exposition_single(page, "huddle_process_max_fds", "gauge",
                      "The most descriptors that it may open.", known(p->most_fds));
}

void metrics_render(const struct metrics_source *from, struct strbuf *page)
{
    all_families(page, CLUSTER_FIGURES, ARRAY_LEN(CLUSTER_FIGURES), from->clusters, NULL);
    add_front_door(page, from->clusters);
    add_kubernetes(page, &from->stats);
    count_nodes(page, from->nodes);
    all_families(page, NODE_FIGURES, ARRAY_LEN(NODE_FIGURES), from->nodes, "node");
    count_replicas(page, from->models);
    all_families(page, MODEL_FIGURES, ARRAY_LEN(MODEL_FIGURES), from->models, "model");
    add_forecasts(page, from->models);
    add_savings(page, from->report);
    add_daemon(page, from);
    add_process(page, &from->process);
}
