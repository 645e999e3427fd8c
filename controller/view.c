/* Objects as the API shows them, in the shapes of api/OBJECTS.md. */
#include "controller/view.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/core.h"
#include "controller/kube_facts.h"
#include "controller/reconcile/kube_life.h"
#include "controller/reconcile/node_pause.h"
#include "controller/state/snapshot_build.h"
#include "controller/substrate/standalone.h"
#include "controller/view_kube.h"
#include "controller/view_wake.h"
#include "proto/base/clock.h"

#define STRANDED_MOST 16 /* names */

json_t *view_number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *view_time(int64_t wall_ms)
{
    char text[CLOCK_TEXT_MAX];

    if (wall_ms == 0)
        return json_null();
    clock_format(wall_ms, text);
    return json_string(text);
}

json_t *view_second(int64_t wall_ms)
{
    static const size_t AT = sizeof("2026-01-01T00:00:00") - 1;
    char text[CLOCK_TEXT_MAX];

    if (wall_ms == 0)
        return json_null();
    clock_format(wall_ms, text);
    text[AT] = 'Z';
    text[AT + 1] = '\0';
    return json_string(text);
}

json_t *view_text(const char *text)
{
    json_t *v = json_string(text ? text : "");

    return v ? v : json_string("");
}

json_t *view_strings(char *const *item, size_t n)
{
    json_t *a = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, view_text(item[i]));
    return a;
}

json_t *view_joules(uint64_t energy_uj)
{
    return json_real((double)energy_uj / 1e6);
}

void view_set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

json_t *view_head(const char *kind, const char *name, const char *uid, uint64_t version,
                  int64_t created_wall_ms, json_t *labels)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRIu64, version);
    return json_pack("{s:s, s:s, s:{s:o, s:o, s:s, s:o, s:o}}", "apiVersion", MANIFEST_API_VERSION,
                     "kind", kind, "metadata", "name", view_text(name), "uid", view_text(uid),
                     "resourceVersion", text, "creationTimestamp", view_time(created_wall_ms),
                     "labels", labels ? labels : json_object());
}

static json_t *labels_of(const struct string_map *m)
{
    json_t *o = json_object();

    for (size_t i = 0; i < m->n; i++)
        json_object_set_new(o, m->pair[i].key, view_text(m->pair[i].value));
    return o;
}

static int64_t entered_wall(const struct controller *c, const struct node *n)
{
    if (n->record.entered_wall_ms > 0)
        return n->record.entered_wall_ms;
    return n->created_wall_ms > 0 ? n->created_wall_ms : c->wall_ms;
}

static int64_t next_try_wall(const struct controller *c, const struct node_record *r)
{
    return c->wall_ms + node_next_try_ms(r, c->wall_ms, c->now_ms) - c->now_ms;
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static json_t *view_capacity(const struct inventory *v)
{
    json_t *gpus = json_array();

    for (uint32_t i = 0; i < v->n_gpus; i++)
        json_array_append_new(gpus, json_pack("{s:o, s:I}", "model", view_text(v->gpus[i].model),
                                              "memoryBytes", (json_int_t)v->gpus[i].memory_bytes));
    if (!v->known) {
        json_decref(gpus);
        return json_null();
    }
    return json_pack("{s:I, s:I, s:o}", "cpuMilli", (json_int_t)v->cpu_milli, "memoryBytes",
                     (json_int_t)v->memory_bytes, "gpus", gpus);
}

static json_t *view_agent(const struct node *n)
{
    const struct inventory *v = &n->inventory;
    json_t *problems = json_array(), *features = json_array();

    for (size_t i = 0; i < n->n_problems; i++)
        json_array_append_new(problems,
                              json_pack("{s:o, s:o}", "what", view_text(n->problems[i].what), "fix",
                                        view_text(n->problems[i].fix)));
    if (n->two_key)
        json_array_append_new(features, json_string("two_key"));
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:b, s:b, s:o, s:o, s:o}", "version",
                     view_text(v->version), "kernel", view_text(v->kernel), "architecture",
                     view_text(v->architecture), "virtualization", view_text(v->virtualization),
                     "bootId", n->boot_id, "allowSleep", v->allow_sleep, "allowCommands",
                     v->allow_commands, "runtimes", view_strings(v->runtimes.item, v->runtimes.n),
                     "features", features, "problems", problems);
}

/* As the plan takes it. */
static json_t *view_curve(const struct node *n)
{
    const struct node_curve curve = node_curve_in_pool(n);
    bool declared = n->pool && pool_spec(n->pool)->boot.energy_mj >= 0;
    json_t *watts = json_array();

    for (size_t i = 0; i < CURVE_POINTS; i++)
        json_array_append_new(watts, view_number(curve.watts[i]));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:I, s:s}", "watts", watts, "standbyW",
                     view_number(curve.standby_w), "bootS", view_number(curve.boot_s), "bootP99S",
                     view_number((double)node_boot_p99_ms(n) / 1000), "cycleJ",
                     view_number(curve.cycle_j), "cycleFrom", declared ? "declared" : "estimated",
                     "breakEvenS", view_number(node_curve_break_even_s(&curve)), "wakes",
                     (json_int_t)curve.wakes, "provenance", provenance_name(curve.provenance));
}

static json_t *view_node_plan(const struct controller *c, const struct node *n)
{
    uint32_t i = c->plan ? snapshot_node(c->plan->snapshot, n->name) : NO_INDEX;
    const struct plan_node *p;

    if (i == NO_INDEX)
        return json_null();
    p = &c->plan->nodes[i];
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "verdict", plan_verdict_name(p->verdict), "why",
                     view_text(p->why), "wattsAfter", view_number(p->watts_after), "joulesAtStake",
                     view_number(p->joules_at_stake), "offS", view_number(p->off_s));
}

static json_t *view_node_energy(const struct node *n)
{
    return json_pack("{s:o, s:o, s:o, s:I}", "measuredJ", view_joules(n->energy_measured_uj),
                     "estimatedJ", view_joules(n->energy_estimated_uj), "unattributedJ",
                     view_joules(n->energy_unattributed_uj), "gaps", (json_int_t)n->energy_gaps);
}

/* Off is a reading of its own: a sleeper that was seen off draws its standby watts. */
static bool stale(const struct controller *c, const struct node *n)
{
    return node_agent_age_ms(n, c->now_ms) > 4 * node_interval_ms(n);
}

static bool reachable(const struct controller *c, const struct node *n)
{
    return node_seen(c->cluster, n) &&
           node_age_ms(c->cluster, n, c->now_ms) <= 4 * node_interval_ms(n);
}

json_t *view_node(struct controller *c, const struct node *n)
{
    json_t *o = view_head("Node", n->name, n->uid, n->version, n->created_wall_ms,
                          labels_of(&n->inventory.labels));
    const char *why = n->why_not_asleep;
    json_t *s;

    view_set(o, "spec",
             json_pack("{s:b, s:b, s:b}", "cordoned", n->record.cordoned, "drained",
                       n->record.drained, "held", n->record.held));
    s = json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:s, s:b, s:I, s:I}", "state",
                  node_state_name(n->record.state), "reason", view_text(n->record.reason), "since",
                  view_time(entered_wall(c, n)), "pool",
                  n->pool ? view_text(n->pool->name) : json_null(), "address",
                  view_text(n->inventory.address), "reachable", reachable(c, n), "schedulable",
                  node_schedulable(c->cluster, n, c->now_ms), "sleepable", why == NULL,
                  "whyNotAsleep", why ? why : "", "wakeable",
                  n->record.state == NODE_ASLEEP && n->pool &&
                      strcmp(pool_spec(n->pool)->driver.type, "none") != 0,
                  "cyclesToday", (json_int_t)node_record_cycles(&n->record, c->wall_ms), "replicas",
                  (json_int_t)n->n_replicas);
    view_set(s, "powerMessage", view_text(n->power_message));
    view_set(s, "reportAgeMs",
             n->seen ? json_integer(node_agent_age_ms(n, c->now_ms)) : json_null());
    view_set(s, "capacity", view_capacity(&n->inventory));
    view_set(s, "utilization", stale(c, n) ? json_null() : view_number(n->utilization));
    view_set(s, "memoryUsedBytes",
             stale(c, n) ? json_null() : json_integer((json_int_t)n->memory_used_bytes));
    view_set(s, "watts", stale(c, n) ? json_null() : view_number(n->watts));
    view_set(
        s, "wattsProvenance",
        json_string(provenance_name(c->options.kubernetes && stale(c, n) ? PROVENANCE_UNAVAILABLE
                                                                         : n->watts_provenance)));
    view_set(s, "energy", view_node_energy(n));
    view_set(s, "clockOffsetMs", n->seen ? json_integer(n->clock_offset_ms) : json_null());
    view_set(s, "agent", view_agent(n));
    view_set(s, "curve", view_curve(n));
    view_set(s, "plan", view_node_plan(c, n));
    view_set_wake(c, n, s);
    view_set(s, "observed", json_boolean(c->options.kubernetes));
    view_set(s, "deleted", json_boolean(n->kube.deleted));
    view_set(s, "passive", view_text(pool_passive(c->cluster, n->pool)));
    view_set(o, "status", s);
    return o;
}

static const char *power_word(int power)
{
    return power == POWER_ON ? "on" : power == POWER_OFF ? "off" : "unknown";
}

json_t *view_node_power(struct controller *c, const struct node *n)
{
    const struct node_record *r = &n->record;
    json_t *o = view_head("NodePower", n->name, n->uid, n->version, n->created_wall_ms, NULL);
    char edge[16] = "";
    json_t *s;

    if (r->transition > 0)
        (void)snprintf(edge, sizeof(edge), "T%d", r->transition);
    view_set(o, "spec",
             json_pack("{s:o, s:s}", "pool", n->pool ? view_text(n->pool->name) : json_null(),
                       "driver", n->pool ? pool_spec(n->pool)->driver.type : "none"));
    s = json_pack("{s:s, s:o, s:o, s:s, s:o, s:I, s:I, s:o, s:b, s:s, s:s}", "state",
                  node_state_name(r->state), "reason", view_text(r->reason), "since",
                  view_time(entered_wall(c, n)), "op", r->op, "by", view_text(r->by), "term",
                  (json_int_t)r->term, "attempt", (json_int_t)r->attempt, "nextTry",
                  r->state == NODE_QUARANTINED ? view_time(next_try_wall(c, r)) : json_null(),
                  "assumed", r->assumed, "quarantine", quarantine_name(r->quarantine),
                  "bootIdAtStart", r->boot_id);
    view_set_wake(c, n, s);
    view_set(s, "cyclesToday", json_integer(node_record_cycles(r, c->wall_ms)));
    view_set(s, "sleeps", json_integer((json_int_t)r->sleeps));
    view_set(s, "wakes", json_integer((json_int_t)r->wakes));
    view_set(s, "transition", json_string(edge));
    view_set(s, "power", json_string(power_word(n->power)));
    view_set(s, "powerMessage", view_text(n->power_message));
    view_set(o, "status", s);
    return o;
}

/* --- replicas -----------------------------------------------------------------------------------
 */

static json_t *view_gpus(uint64_t mask)
{
    json_t *a = json_array();

    for (int i = 0; i < 64; i++)
        if (mask >> i & 1)
            json_array_append_new(a, json_integer(i));
    return a;
}

json_t *view_replica(struct controller *c, const struct replica *r)
{
    static const char *const leaving[] = { "", "drain", "stop" };
    json_t *o = view_head("Replica", r->name, r->name, r->version, r->created_wall_ms,
                          json_pack("{s:s, s:s}", "model", r->model->name, "node", r->node->name));
    /* What pods use is told where an agent runs. */
    bool drawn = !r->pod || r->base[0].epoch > 0;
    bool measured = r->pod ? r->base[0].epoch > 0 : r->reported;
    char address[512];
    json_t *s;

    (void)snprintf(address, sizeof(address), "%s:%u",
                   r->node->inventory.address ? r->node->inventory.address : "", r->port);
    if (r->pod)
        (void)snprintf(address, sizeof(address), "%s", r->pod_address);
    view_set(o, "spec",
             json_pack("{s:s, s:s, s:I, s:o, s:I}", "model", r->model->name, "node", r->node->name,
                       "port", (json_int_t)r->port, "gpus", view_gpus(r->gpu_mask), "generation",
                       (json_int_t)r->revision->object->meta.generation));
    s = json_pack("{s:s, s:b, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:I}", "phase",
                  replica_phase_name(r->reported ? r->phase : REPLICA_UNSPECIFIED), "ready",
                  replica_serves(c, r), "leaving", leaving[r->leaving], "reason",
                  view_text(r->reason), "since", view_time(r->created_wall_ms), "address",
                  view_text(address), "door", door_state_name((enum door_state)r->door), "inFlight",
                  view_number(isnan(r->door_in_flight) ? r->in_flight_told : r->door_in_flight),
                  "load", view_number(r->load), "restarts", (json_int_t)r->restarts);
    view_set(s, "pod", view_text(r->pod));
    view_set(s, "memoryBytes", measured ? json_integer((json_int_t)r->memory_bytes) : json_null());
    view_set(s, "loadMs",
             r->was_ready && !r->pod ? json_integer((json_int_t)r->load_ms) : json_null());
    view_set(s, "requests", json_integer((json_int_t)r->requests));
    view_set(s, "errors", json_integer((json_int_t)r->errors));
    view_set(s, "energyIdleJ", drawn ? view_joules(r->energy_idle_uj) : json_null());
    view_set(s, "energyDynamicJ", drawn ? view_joules(r->energy_dynamic_uj) : json_null());
    view_set(s, "outdated", json_boolean(replica_outdated(r)));
    view_set(s, "replaces", view_text(r->replaces));
    view_set(s, "why", view_text(r->why));
    view_set(o, "status", s);
    return o;
}

/* --- declared objects ---------------------------------------------------------------------------
 */

static double model_watts(const struct controller *c, const struct model *m)
{
    double joules = series_sum(&m->idle_j, c->wall_ms - 60000, c->wall_ms) +
                    series_sum(&m->dynamic_j, c->wall_ms - 60000, c->wall_ms);

    return isnan(joules) ? NAN : joules / 60;
}

/* Of the last day; NAN: it is not known, or none was served. */
static double joules_per_request(const struct controller *c, const struct model *m)
{
    int64_t since = c->wall_ms - 86400000;
    double joules =
        series_sum(&m->idle_j, since, c->wall_ms) + series_sum(&m->dynamic_j, since, c->wall_ms);
    double requests = series_sum(&m->request_count, since, c->wall_ms);

    return requests > 0 ? joules / requests : NAN;
}

static json_t *view_networks(const struct forecast_networks *n)
{
    if (n->steps == 0)
        return json_null();
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:s}", "steps", (json_int_t)n->steps, "origins",
                     (json_int_t)n->origins, "smallError", view_number((double)n->small),
                     "largeError", view_number((double)n->large), "advantage",
                     view_number((double)n->advantage), "speaks",
                     n->large_wins ? "large" : "small");
}

static json_t *view_forecast(const struct forecast *f, int64_t step_ms)
{
    json_t *values = json_array();

    for (uint32_t i = 0; i < f->n_steps && i < FORECAST_STEPS_MAX; i++) {
        json_t *row = json_array();

        for (size_t q = 0; q < FORECAST_QUANTILES; q++)
            json_array_append_new(row, view_number((double)f->quantile[i][q]));
        json_array_append_new(values, row);
    }
    return json_pack("{s:I, s:I, s:[f, f, f, f, f], s:o, s:b, s:o, s:o}", "firstStep",
                     (json_int_t)f->first_step, "stepMs", (json_int_t)step_ms, "quantiles", 0.05,
                     0.5, 0.9, 0.95, 0.99, "values", values, "known",
                     f->n_steps > 0 && !f->doubtful, "networks", view_networks(&f->networks), "why",
                     view_text(f->why));
}

static void set_model_plan(const struct controller *c, const struct model *m, json_t *s)
{
    uint32_t i = c->plan ? snapshot_model(c->plan->snapshot, m->name) : NO_INDEX;
    const struct plan_model *p = i == NO_INDEX ? NULL : &c->plan->models[i];

    view_set(s, "target", p ? json_integer(p->target) : json_null());
    view_set(s, "placed", p ? json_integer(p->placed) : json_null());
    view_set(s, "unplaced", view_unplaced(c, m, p));
    view_set(s, "demandNeed", p ? view_number(p->demand_need) : json_null());
    view_set(s, "predictive", json_boolean(p && p->predictive));
    view_set(s, "waiting", view_number(m->queue));
    view_set(s, "frozen", json_boolean(p && p->frozen));
    view_set(s, "heldUntil", p && p->holds ? view_time(p->holds_until_ms) : json_null());
    view_set(s, "why", view_text(p ? p->why : "no plan yet"));
    view_set(s, "forecast",
             p ? view_forecast(&p->forecast, c->plan->snapshot->step_ms) : json_null());
}

static json_t *view_phases(const struct model *m)
{
    json_t *phases = json_object();

    for (int p = REPLICA_UNSPECIFIED; p <= REPLICA_EXITED; p++) {
        json_int_t n = 0;

        for (size_t i = 0; i < m->n_replicas; i++) {
            const struct replica *r = m->replicas[i];

            n += (int)(r->reported ? r->phase : REPLICA_UNSPECIFIED) == p;
        }
        view_set(phases, replica_phase_name((enum replica_phase)p), json_integer(n));
    }
    return phases;
}

static uint32_t nodes_of(const struct model *m)
{
    uint32_t n = 0;

    for (size_t i = 0; i < m->n_replicas; i++)
        m->replicas[i]->node->used.guests = 0;
    for (size_t i = 0; i < m->n_replicas; i++)
        n += m->replicas[i]->node->used.guests++ == 0;
    return n;
}

json_t *view_model(struct controller *c, const struct model *m)
{
    json_t *o = manifest_to_json(m->revision->object), *s;
    uint32_t total = (uint32_t)m->n_replicas, ready = 0;
    bool known;

    for (size_t i = 0; i < m->n_replicas; i++)
        ready += replica_serves(c, m->replicas[i]);
    s = json_pack("{s:I, s:I, s:I, s:o, s:o, s:b, s:o, s:o, s:b, s:I, s:o}", "ready",
                  (json_int_t)ready, "total", (json_int_t)total, "floor",
                  (json_int_t)model_floor(c, m, &known), "demand",
                  view_number(c->options.kubernetes ? NAN : demand_now(&m->demand, c->wall_ms)),
                  "capacity", view_number(model_capacity(m)), "capacityLearned",
                  isnan(model_spec(m)->capacity.requests_per_second) != 0, "latencyMs",
                  view_number(m->latency_ms), "errorShare", view_number(m->error_share),
                  "sloBroken", m->slo_bad_since_ms != NEVER_MS, "loadMs",
                  (json_int_t)model_load_ms(m), "watts", view_number(model_watts(c, m)));
    view_set(s, "nodes", json_integer(nodes_of(m)));
    view_set(s, "requests", json_integer((json_int_t)m->requests));
    view_set(s, "errors", json_integer((json_int_t)m->errors));
    view_set(s, "energyIdleJ", view_joules(m->energy_idle_uj));
    view_set(s, "energyDynamicJ", view_joules(m->energy_dynamic_uj));
    view_set(s, "deleting", json_boolean(m->deleting));
    view_set(s, "targetProblem", view_text(m->kube.problem));
    view_set(s, "cannotMove", view_text(m->kube.held));
    view_set(s, "wanted", model_counted(m) ? json_integer(m->kube.wanted) : json_null());
    view_set(s, "pending", c->options.kubernetes ? json_integer(m->kube.pending) : json_null());
    view_set(s, "pendingWhy", view_text(m->kube.pending_why));
    view_set(s, "phases", view_phases(m));
    view_set(s, "lastMove", view_time(m->moved_wall_ms));
    view_set(s, "joulesPerRequest", view_number(joules_per_request(c, m)));
    view_set_kube_model(c, m, s);
    view_set_rollout(c, m, s);
    set_model_plan(c, m, s);
    view_set(o, "status", s);
    return o;
}

/* Sleepers of the pool that nobody but a person wakes; the first ones. */
static json_t *view_stranded(const struct controller *c, const struct pool *p)
{
    json_t *names = json_array();

    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        const struct node *n = cluster_node(c->cluster, i);

        if (n->pool == p && c->options.kubernetes && kube_life_stranded(n) &&
            json_array_size(names) < STRANDED_MOST)
            json_array_append_new(names, view_text(n->name));
    }
    return names;
}

json_t *view_pool(struct controller *c, const struct pool *p)
{
    uint32_t nodes = 0, awake = 0, asleep = 0, moving = 0, lost = 0, quarantined = 0, marked = 0;
    const struct policy *policy = pool_policy(c->cluster, p);
    json_t *o = manifest_to_json(p->revision->object);
    double watts = 0;

    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        const struct node *n = cluster_node(c->cluster, i);

        if (n->pool != p)
            continue;
        nodes++;
        awake += n->record.state == NODE_AWAKE || n->record.state == NODE_HELD;
        asleep += n->record.state == NODE_ASLEEP;
        lost += n->record.state == NODE_UNREACHABLE;
        quarantined += n->record.state == NODE_QUARANTINED;
        marked += kube_life_is_marked(c, n) ? 1 : 0;
        moving += node_state_is_leaving(n->record.state) || n->record.state == NODE_WAKING;
        watts += !stale(c, n) && isfinite(n->watts) ? n->watts : 0;
    }
    view_set(o, "status",
             json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:b}", "nodes",
                       (json_int_t)nodes, "awake", (json_int_t)awake, "asleep", (json_int_t)asleep,
                       "transitioning", (json_int_t)moving, "quarantined", (json_int_t)quarantined,
                       "unreachable", (json_int_t)lost, "marked", (json_int_t)marked, "watts",
                       watts, "policy", policy ? view_text(policy->name) : json_null(), "paused",
                       c->cluster->paused || (policy && policy_spec(policy)->paused)));
    view_set(json_object_get(o, "status"), "wakeByHand", view_stranded(c, p));
    view_set_kube_pool(c, p, json_object_get(o, "status"));
    return o;
}

/* What a kWh carries now, and how long that is known. */
static json_t *view_rate(const struct controller *c, const struct intensity *i)
{
    int64_t until_ms, known_until_ms = intensity_known_until(i, c->wall_ms);
    double value = intensity_at(i, c->wall_ms, &until_ms);

    if (!i)
        return json_null();
    return json_pack("{s:o, s:o}", "perKwh", view_number(value), "knownUntil",
                     isnan(value) || known_until_ms == INT64_MAX ? json_null()
                                                                 : view_time(known_until_ms));
}

json_t *view_policy(struct controller *c, const struct policy *p)
{
    json_t *o = manifest_to_json(p->revision->object), *pools = json_array();

    for (size_t i = 0; i < c->cluster->pools.n_items; i++)
        if (pool_policy(c->cluster, cluster_pool(c->cluster, i)) == p)
            json_array_append_new(pools, view_text(cluster_pool(c->cluster, i)->name));
    view_set(o, "status",
             json_pack("{s:b, s:o, s:o, s:o}", "windowOpen", p->window_open, "pools", pools,
                       "carbon", view_rate(c, p->carbon.series), "price",
                       view_rate(c, p->price.series)));
    return o;
}

/* --- the cluster --------------------------------------------------------------------------------
 */

/* Whose joules the saving rests on. */
static json_t *view_saved_share(const struct controller *c)
{
    if (isnan(c->saved_watts))
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "measured", view_number(c->saved_share[SAVINGS_MEASURED]),
                     "estimated", view_number(c->saved_share[SAVINGS_ESTIMATED]), "assumed",
                     view_number(c->saved_share[SAVINGS_ASSUMED]));
}

static json_t *view_lead(const struct controller *c)
{
    if (!c->options.kubernetes)
        return json_null();
    return json_pack("{s:b, s:o, s:I, s:o}", "leads", c->cluster->leads, "leader",
                     view_text(c->kube.leader), "epoch", (json_int_t)c->kube.epoch, "problem",
                     view_text(c->kube.no_lead));
}

json_t *view_cluster(struct controller *c)
{
    const struct cluster *k = c->cluster;
    json_t *o = view_head("Cluster", k->id, k->id, k->version, 0, NULL);
    json_t *nodes = json_object(), *s;
    uint64_t sleeps = k->removed_sleeps, wakes = k->removed_wakes;
    uint32_t count[NODE_QUARANTINED + 1] = { 0 }, ready = 0;
    char instance[17];

    (void)snprintf(instance, sizeof(instance), "%016" PRIx64, k->instance);
    for (size_t i = 0; i < k->nodes.n_items; i++) {
        const struct node *n = cluster_node(k, i);

        count[n->record.state]++;
        sleeps += n->record.sleeps;
        wakes += n->record.wakes;
    }
    for (unsigned i = 0; i <= NODE_QUARANTINED; i++)
        if (count[i] > 0)
            view_set(nodes, node_state_name((enum node_state)i), json_integer(count[i]));
    for (size_t i = 0; i < k->replicas.n_items; i++)
        ready += replica_serves(c, cluster_replica(k, i));
    s = json_pack("{s:I, s:s, s:b, s:o, s:b, s:b, s:s, s:o, s:{s:I, s:I}}", "term",
                  (json_int_t)k->term, "instance", instance, "paused", k->paused, "pausedBy",
                  view_text(k->paused_by), "warmingUp", c->warming_up, "degraded",
                  c->store_failed || kube_unseen(c), "degradedReason",
                  c->deposed        ? "a newer controller exists"
                  : c->store_failed ? "the store cannot be written"
                  : kube_unseen(c)  ? kube_unseen(c)
                                    : "",
                  "nodes", nodes, "replicas", "ready", (json_int_t)ready, "total",
                  (json_int_t)k->replicas.n_items);
    view_set(s, "substrate", json_string(c->options.kubernetes ? "kubernetes" : "standalone"));
    view_set(s, "lead", view_lead(c));
    view_set(s, "watts", view_number(c->watts));
    view_set(s, "counterfactualW", view_number(c->always_watts));
    view_set(s, "savedW", view_number(c->saved_watts));
    view_set(s, "savedLowW", view_number(c->saved_low_watts));
    view_set(s, "savedHighW", view_number(c->saved_high_watts));
    view_set(s, "savedShare", view_saved_share(c));
    view_set(s, "sleeps", json_integer((json_int_t)sleeps));
    view_set(s, "wakes", json_integer((json_int_t)wakes));
    view_set(s, "moves", json_integer((json_int_t)k->moves));
    view_set(s, "frontDoor",
             json_pack("{s:b, s:b}", "configured", c->options.front_door, "reachable",
                       c->door.reachable));
    view_set(s, "planAgeMs",
             c->plan ? json_integer(c->now_ms - c->plan->snapshot->now_ms) : json_null());
    view_set(s, "now", view_time(c->wall_ms));
    view_set(o, "status", s);
    return o;
}
