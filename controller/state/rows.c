/* Written by json_pack, read by small getters that leave a field alone when it is absent. */
#include "controller/state/rows.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/state/wake_rows.h"
#include "proto/base/array.h"

/* Beyond this nothing of ours counts in integers, and differences of two might overflow. */
#define NUMBER_MOST ((int64_t)1 << 53)
#define RATE_MOST 1e12 /* req/s of one model */

static void get_i64(const json_t *o, const char *key, int64_t *v)
{
    const json_t *j = json_object_get(o, key);
    int64_t value = json_integer_value(j);

    if (json_is_integer(j) && value >= -NUMBER_MOST && value <= NUMBER_MOST)
        *v = value;
}

static void get_u64(const json_t *o, const char *key, uint64_t *v)
{
    const char *text = json_string_value(json_object_get(o, key));
    int64_t small = 0;

    if (text) {
        *v = strtoull(text, NULL, 16);
        return;
    }
    get_i64(o, key, &small);
    if (json_object_get(o, key))
        *v = (uint64_t)small;
}

static void get_u32(const json_t *o, const char *key, uint32_t *v)
{
    int64_t wide = *v;

    get_i64(o, key, &wide);
    *v = (uint32_t)wide;
}

static void get_bool(const json_t *o, const char *key, bool *v)
{
    const json_t *j = json_object_get(o, key);

    if (json_is_boolean(j))
        *v = json_is_true(j);
}

static void get_double(const json_t *o, const char *key, double *v)
{
    const json_t *j = json_object_get(o, key);
    double value = json_number_value(j);

    if (json_is_number(j) && fabs(value) <= (double)NUMBER_MOST)
        *v = value;
}

static void get_text(const json_t *o, const char *key, char *v, size_t size)
{
    const char *text = json_string_value(json_object_get(o, key));

    if (text)
        (void)snprintf(v, size, "%s", text);
}

static void get_heap(const json_t *o, const char *key, char **v)
{
    const char *text = json_string_value(json_object_get(o, key));

    free(*v);
    *v = xstrdup(text ? text : "");
}

static json_t *text_of(const char *text)
{
    json_t *j = json_string(text ? text : "");

    return j ? j : json_string("");
}

/* Counters may exceed 63 bits by intent of a hostile agent: kept in hexadecimal. */
static json_t *hex_of(uint64_t v)
{
    char text[20];

    (void)snprintf(text, sizeof(text), "%" PRIx64, v);
    return json_string(text);
}

/* --- nodes --------------------------------------------------------------------------------------
 */

json_t *node_record_to_row(const struct node_record *r)
{
    json_t *o = json_pack(
        "{s:i, s:i, s:i, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:o, s:f, s:b, s:b, s:b}", "state",
        r->state, "quarantine", r->quarantine, "transition", r->transition, "op", text_of(r->op),
        "bootId", text_of(r->boot_id), "term", (json_int_t)r->term, "enteredWallMs",
        (json_int_t)r->entered_wall_ms, "attempt", (json_int_t)r->attempt, "nextTryWallMs",
        (json_int_t)r->next_try_wall_ms, "by", text_of(r->by), "reason", text_of(r->reason),
        "joules", isfinite(r->joules) ? r->joules : 0.0, "assumed", r->assumed, "bye", r->bye,
        "wakeWanted", r->wake_wanted);
    json_t *slept = json_array();

    json_object_update_new(o, json_pack("{s:I, s:I, s:b, s:b, s:b, s:b, s:o, s:o, s:I, s:I}",
                                        "noSleepUntilWallMs", (json_int_t)r->no_sleep_until_wall_ms,
                                        "failedDrains", (json_int_t)r->failed_drains, "wakeProven",
                                        r->wake_proven, "held", r->held, "cordoned", r->cordoned,
                                        "drained", r->drained, "heldBy", text_of(r->held_by),
                                        "heldReason", text_of(r->held_reason), "sleeps",
                                        (json_int_t)r->sleeps, "wakes", (json_int_t)r->wakes));
    for (uint32_t i = 0; i < r->n_slept; i++)
        json_array_append_new(slept, json_integer(r->slept_wall_ms[i]));
    json_object_set_new(o, "slept", slept);
    json_object_set_new(o, "wakeRefuted", json_boolean(r->wake_refuted));
    if (r->pool[0])
        json_object_set_new(o, "pool", text_of(r->pool));
    if (r->test.number > 0)
        json_object_set_new(o, "test", wake_test_to_row(&r->test));
    if (r->wake_proven)
        json_object_set_new(o, "proof", wake_proof_to_row(&r->proof));
    return o;
}

void node_record_from_row(struct node_record *r, const json_t *o)
{
    uint32_t state = r->state, quarantine = 0, transition = 0;
    const json_t *slept = json_object_get(o, "slept");

    get_u32(o, "state", &state);
    get_u32(o, "quarantine", &quarantine);
    get_u32(o, "transition", &transition);
    r->state = state <= NODE_QUARANTINED ? (enum node_state)state : NODE_UNREACHABLE;
    r->quarantine =
        quarantine <= QUARANTINE_FOUND_OFF ? (enum quarantine)quarantine : QUARANTINE_NONE;
    r->transition = (int)transition;
    get_text(o, "op", r->op, sizeof(r->op));
    get_text(o, "bootId", r->boot_id, sizeof(r->boot_id));
    get_u64(o, "term", &r->term);
    get_i64(o, "enteredWallMs", &r->entered_wall_ms);
    get_u32(o, "attempt", &r->attempt);
    get_i64(o, "nextTryWallMs", &r->next_try_wall_ms);
    get_text(o, "by", r->by, sizeof(r->by));
    get_text(o, "reason", r->reason, sizeof(r->reason));
    get_double(o, "joules", &r->joules);
    get_bool(o, "assumed", &r->assumed);
    get_bool(o, "bye", &r->bye);
    get_bool(o, "wakeWanted", &r->wake_wanted);
    get_i64(o, "noSleepUntilWallMs", &r->no_sleep_until_wall_ms);
    get_u32(o, "failedDrains", &r->failed_drains);
    get_bool(o, "wakeProven", &r->wake_proven);
    get_bool(o, "held", &r->held);
    get_bool(o, "cordoned", &r->cordoned);
    get_bool(o, "drained", &r->drained);
    get_text(o, "heldBy", r->held_by, sizeof(r->held_by));
    get_text(o, "heldReason", r->held_reason, sizeof(r->held_reason));
    get_u64(o, "sleeps", &r->sleeps);
    get_u64(o, "wakes", &r->wakes);
    for (size_t i = 0; i < json_array_size(slept) && i < CYCLES_KEPT; i++)
        r->slept_wall_ms[r->n_slept++] = json_integer_value(json_array_get(slept, i));
    get_bool(o, "wakeRefuted", &r->wake_refuted);
    get_text(o, "pool", r->pool, sizeof(r->pool));
    if (json_object_get(o, "test"))
        wake_test_from_row(&r->test, json_object_get(o, "test"));
    if (r->wake_proven && json_object_get(o, "proof"))
        wake_proof_from_row(&r->proof, json_object_get(o, "proof"));
    else if (r->wake_proven) /* a row of a version that noted no time: it has woken since then */
        r->proof.wall_ms = r->n_slept > 0 ? r->slept_wall_ms[r->n_slept - 1] : r->entered_wall_ms;
}

static json_t *doubles(const double *v, size_t n)
{
    json_t *a = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, json_real(isfinite(v[i]) ? v[i] : 0));
    return a;
}

static json_t *curve_to_row(const struct node_curve *k)
{
    return json_pack("{s:o, s:o, s:f, s:f, s:f, s:f, s:I, s:i}", "watts",
                     doubles(k->watts, CURVE_POINTS), "weight", doubles(k->weight, CURVE_POINTS),
                     "standbyW", k->standby_w, "bootS", k->boot_s, "bootP99S", k->boot_p99_s,
                     "cycleJ", k->cycle_j, "wakes", (json_int_t)k->wakes, "provenance",
                     k->provenance);
}

static double amount_at(const json_t *a, size_t i)
{
    double v = json_number_value(json_array_get(a, i));

    return v >= 0 && v <= (double)NUMBER_MOST ? v : 0;
}

static void curve_from_row(struct node_curve *k, const json_t *o)
{
    const json_t *watts = json_object_get(o, "watts"), *weight = json_object_get(o, "weight");
    uint32_t provenance = k->provenance;

    if (json_array_size(watts) != CURVE_POINTS || json_array_size(weight) != CURVE_POINTS)
        return;
    for (size_t i = 0; i < CURVE_POINTS; i++) {
        k->watts[i] = amount_at(watts, i);
        k->weight[i] = amount_at(weight, i);
    }
    get_double(o, "standbyW", &k->standby_w);
    get_double(o, "bootS", &k->boot_s);
    get_double(o, "bootP99S", &k->boot_p99_s);
    get_double(o, "cycleJ", &k->cycle_j);
    get_u32(o, "wakes", &k->wakes);
    get_u32(o, "provenance", &provenance);
    k->provenance =
        provenance <= PROVENANCE_UNAVAILABLE ? (enum provenance)provenance : PROVENANCE_UNAVAILABLE;
}

static json_t *list_to_row(const struct string_list *l)
{
    json_t *a = json_array();

    for (size_t i = 0; i < l->n; i++)
        json_array_append_new(a, text_of(l->item[i]));
    return a;
}

static void list_from_row(struct string_list *l, const json_t *a)
{
    l->n = json_array_size(a);
    l->item = l->n ? xcalloc(l->n, sizeof(*l->item)) : NULL;
    for (size_t i = 0; i < l->n; i++) {
        const char *text = json_string_value(json_array_get(a, i));

        l->item[i] = xstrdup(text ? text : "");
    }
}

static json_t *inventory_to_row(const struct inventory *v)
{
    json_t *gpus = json_array(), *labels = json_object();

    for (uint32_t i = 0; i < v->n_gpus; i++)
        json_array_append_new(gpus, json_pack("{s:o, s:I}", "model", text_of(v->gpus[i].model),
                                              "memory", (json_int_t)v->gpus[i].memory_bytes));
    for (size_t i = 0; i < v->labels.n; i++)
        json_object_set_new(labels, v->labels.pair[i].key, text_of(v->labels.pair[i].value));
    return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, "
                     "s:o, s:o, s:o}",
                     "cpus", (json_int_t)v->cpus, "cpuMilli", (json_int_t)v->cpu_milli, "memory",
                     (json_int_t)v->memory_bytes, "gpus", gpus, "address", text_of(v->address),
                     "architecture", text_of(v->architecture), "kernel", text_of(v->kernel),
                     "virtualization", text_of(v->virtualization), "powerModel",
                     text_of(v->power_model), "version", text_of(v->version), "productUuid",
                     text_of(v->product_uuid), "machineId", text_of(v->machine_id), "hostNode",
                     text_of(v->host_node), "allowSleep", v->allow_sleep, "allowCommands",
                     v->allow_commands, "runtimes", list_to_row(&v->runtimes), "macs",
                     list_to_row(&v->macs), "labels", labels);
}

static void inventory_from_row(struct inventory *v, const json_t *o)
{
    const json_t *gpus = json_object_get(o, "gpus"), *value;
    json_t *labels = json_object_get(o, "labels");
    const char *key;
    size_t n = 0;

    v->known = true;
    get_u32(o, "cpus", &v->cpus);
    get_i64(o, "cpuMilli", &v->cpu_milli);
    get_i64(o, "memory", &v->memory_bytes);
    get_heap(o, "address", &v->address);
    get_heap(o, "architecture", &v->architecture);
    get_heap(o, "kernel", &v->kernel);
    get_heap(o, "virtualization", &v->virtualization);
    get_heap(o, "powerModel", &v->power_model);
    get_heap(o, "version", &v->version);
    get_heap(o, "productUuid", &v->product_uuid);
    get_heap(o, "machineId", &v->machine_id);
    get_heap(o, "hostNode", &v->host_node);
    get_bool(o, "allowSleep", &v->allow_sleep);
    get_bool(o, "allowCommands", &v->allow_commands);
    list_from_row(&v->runtimes, json_object_get(o, "runtimes"));
    list_from_row(&v->macs, json_object_get(o, "macs"));
    v->n_gpus = (uint32_t)(json_array_size(gpus) > SNAP_GPUS ? SNAP_GPUS : json_array_size(gpus));
    v->gpus = v->n_gpus ? xcalloc(v->n_gpus, sizeof(*v->gpus)) : NULL;
    for (uint32_t i = 0; i < v->n_gpus; i++) {
        char *model = NULL;

        get_heap(json_array_get(gpus, i), "model", &model);
        v->gpus[i].model = model;
        get_u64(json_array_get(gpus, i), "memory", &v->gpus[i].memory_bytes);
    }
    v->labels.pair = xcalloc(json_object_size(labels) + 1, sizeof(*v->labels.pair));
    json_object_foreach(labels, key, value) /* stored in ascending order */
    {
        const char *text = json_string_value(value);

        v->labels.pair[n].key = xstrdup(key);
        v->labels.pair[n++].value = xstrdup(text ? text : "");
    }
    v->labels.n = n;
    inventory_identify(v);
}

json_t *node_to_row(const struct node *n)
{
    json_t *o =
        json_pack("{s:s, s:I, s:I, s:o, s:I, s:o, s:o}", "uid", n->uid, "version",
                  (json_int_t)n->version, "createdWallMs", (json_int_t)n->created_wall_ms,
                  "bootIdSeen", text_of(n->boot_id), "generation", (json_int_t)n->generation,
                  "record", node_record_to_row(&n->record), "curve", curve_to_row(&n->curve));

    if (n->inventory.known)
        json_object_set_new(o, "inventory", inventory_to_row(&n->inventory));
    return o;
}

void node_from_row(struct node *n, const json_t *row)
{
    get_text(row, "uid", n->uid, sizeof(n->uid));
    get_u64(row, "version", &n->version);
    get_i64(row, "createdWallMs", &n->created_wall_ms);
    get_text(row, "bootIdSeen", n->boot_id, sizeof(n->boot_id));
    get_u64(row, "generation", &n->generation);
    node_record_from_row(&n->record, json_object_get(row, "record"));
    curve_from_row(&n->curve, json_object_get(row, "curve"));
    if (json_object_get(row, "inventory"))
        inventory_from_row(&n->inventory, json_object_get(row, "inventory"));
    n->baseline = true; /* unless a counters row says where its counters stood */
    n->told = true;
}

/* --- replicas -----------------------------------------------------------------------------------
 */

json_t *replica_to_row(const struct replica *r)
{
    return json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:o, s:i, s:I, s:I, s:I, s:b, s:o, s:o}", "model",
        r->model->name, "node", r->node->name, "generation",
        (json_int_t)r->revision->object->meta.generation, "version", (json_int_t)r->version, "port",
        (json_int_t)r->port, "gpus", hex_of(r->gpu_mask), "leaving", r->leaving, "createdWallMs",
        (json_int_t)r->created_wall_ms, "dropGeneration", (json_int_t)r->drop_generation,
        "startGeneration", (json_int_t)r->start_generation, "wasReady", r->was_ready, "replaces",
        text_of(r->replaces), "why", text_of(r->why));
}

void replica_from_row(struct replica *r, const json_t *row)
{
    const char *replaces = json_string_value(json_object_get(row, "replaces"));
    uint32_t leaving = 0;

    get_u64(row, "version", &r->version);
    get_u32(row, "port", &r->port);
    get_u64(row, "gpus", &r->gpu_mask);
    get_u32(row, "leaving", &leaving);
    r->leaving = leaving <= LEAVING_STOP ? (enum leaving)leaving : LEAVING_NO;
    get_i64(row, "createdWallMs", &r->created_wall_ms);
    get_u64(row, "dropGeneration", &r->drop_generation);
    get_u64(row, "startGeneration", &r->start_generation);
    get_bool(row, "wasReady", &r->was_ready);
    get_bool(row, "wasReady", &r->arrived);
    get_text(row, "why", r->why, sizeof(r->why));
    if (replaces && *replaces)
        r->replaces = xstrdup(replaces);
    r->baseline = true;
    r->told = true;
}

/* --- counters -----------------------------------------------------------------------------------
 */

static json_t *base_to_row(const struct report_base *b)
{
    return json_pack(
        "{s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o}", "epoch", hex_of(b->epoch),
        "sequence", (json_int_t)b->sequence, "digest", hex_of(b->digest), "measured",
        hex_of(b->measured_uj), "estimated", hex_of(b->estimated_uj), "unattributed",
        hex_of(b->unattributed_uj), "gaps", (json_int_t)b->gaps, "bootMs", (json_int_t)b->boot_ms,
        "wallMs", (json_int_t)b->wall_ms, "busy", hex_of(b->busy_ns), "idle", hex_of(b->idle_ns));
}

static void base_from_row(struct report_base *b, const json_t *o)
{
    get_u64(o, "epoch", &b->epoch);
    get_u64(o, "sequence", &b->sequence);
    get_u64(o, "digest", &b->digest);
    get_u64(o, "measured", &b->measured_uj);
    get_u64(o, "estimated", &b->estimated_uj);
    get_u64(o, "unattributed", &b->unattributed_uj);
    get_u32(o, "gaps", &b->gaps);
    get_i64(o, "bootMs", &b->boot_ms);
    get_i64(o, "wallMs", &b->wall_ms);
    get_u64(o, "busy", &b->busy_ns);
    get_u64(o, "idle", &b->idle_ns);
}

static json_t *replica_counters(const struct replica *r)
{
    const struct replica_base *b = &r->base[0];

    return json_pack("[o, o, o, o, o, o, o, o, o]", hex_of(b->epoch), hex_of(b->requests),
                     hex_of(b->errors), hex_of(b->idle_uj), hex_of(b->dynamic_uj),
                     hex_of(r->requests), hex_of(r->errors), hex_of(r->energy_idle_uj),
                     hex_of(r->energy_dynamic_uj));
}

static uint64_t hex_at(const json_t *a, size_t i)
{
    const char *text = json_string_value(json_array_get(a, i));

    return text ? strtoull(text, NULL, 16) : 0;
}

static void set_series(json_t *o, const char *key, const struct series *s, bool recent)
{
    char *text = series_pack(s, recent);

    json_object_set_new(o, key, text_of(text));
    free(text);
}

static void get_series(const json_t *o, const char *key, struct series *s)
{
    series_unpack(s, json_string_value(json_object_get(o, key)));
}

json_t *node_history_to_row(const struct node *n)
{
    json_t *o = json_object();

    set_series(o, "joules", &n->joules, false);
    return o;
}

void node_history_from_row(struct node *n, const json_t *row)
{
    get_series(row, "joules", &n->joules);
}

static const struct {
    const char *key;
    size_t offset;
} MODEL_SERIES[] = {
    { "idleJ", offsetof(struct model, idle_j) },
    { "dynamicJ", offsetof(struct model, dynamic_j) },
    { "requestCount", offsetof(struct model, request_count) },
    { "errorCount", offsetof(struct model, error_count) },
    { "deferredCount", offsetof(struct model, deferred_count) },
    { "relief", offsetof(struct model, relief) },
};

static void set_model_series(json_t *o, const struct model *m, bool recent)
{
    for (size_t i = 0; i < ARRAY_LEN(MODEL_SERIES); i++)
        set_series(o, MODEL_SERIES[i].key, (const void *)((const char *)m + MODEL_SERIES[i].offset),
                   recent);
}

json_t *model_history_to_row(const struct model *m)
{
    json_t *o = json_object();

    set_model_series(o, m, false);
    return o;
}

void model_history_from_row(struct model *m, const json_t *row)
{
    for (size_t i = 0; i < ARRAY_LEN(MODEL_SERIES); i++)
        get_series(row, MODEL_SERIES[i].key, (void *)((char *)m + MODEL_SERIES[i].offset));
}

json_t *node_counters_to_row(const struct node *n)
{
    json_t *replicas = json_object();
    json_t *o;

    for (size_t i = 0; i < n->n_replicas; i++)
        json_object_set_new(replicas, n->replicas[i]->name, replica_counters(n->replicas[i]));
    o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "base", base_to_row(&n->base[0]), "before",
                  base_to_row(&n->base[1]), "measured", hex_of(n->energy_measured_uj), "estimated",
                  hex_of(n->energy_estimated_uj), "unattributed", hex_of(n->energy_unattributed_uj),
                  "gaps", (json_int_t)n->energy_gaps, "replicas", replicas);
    set_series(o, "joules", &n->joules, true);
    return o;
}

void node_counters_from_row(struct cluster *c, struct node *n, const json_t *row)
{
    const json_t *value;
    json_t *replicas = json_object_get(row, "replicas");
    const char *key;

    base_from_row(&n->base[0], json_object_get(row, "base"));
    base_from_row(&n->base[1], json_object_get(row, "before"));
    get_u64(row, "measured", &n->energy_measured_uj);
    get_u64(row, "estimated", &n->energy_estimated_uj);
    get_u64(row, "unattributed", &n->energy_unattributed_uj);
    get_u64(row, "gaps", &n->energy_gaps);
    node_history_from_row(n, row);
    n->baseline = n->base[0].epoch == 0;
    json_object_foreach(replicas, key, value) {
        struct replica *r = named_find(&c->replicas, key);

        if (!r || json_array_size(value) != 9)
            continue;
        r->base[0] = (struct replica_base){ hex_at(value, 0), hex_at(value, 1), hex_at(value, 2),
                                            hex_at(value, 3), hex_at(value, 4) };
        r->requests = hex_at(value, 5);
        r->errors = hex_at(value, 6);
        r->energy_idle_uj = hex_at(value, 7);
        r->energy_dynamic_uj = hex_at(value, 8);
        r->baseline = r->base[0].epoch == 0;
    }
}

json_t *model_counters_to_row(const struct model *m)
{
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:I}", "requests", hex_of(m->requests), "errors",
                          hex_of(m->errors), "idle", hex_of(m->energy_idle_uj), "dynamic",
                          hex_of(m->energy_dynamic_uj), "loadP99Ms", (json_int_t)m->load_p99_ms);

    set_model_series(o, m, true);
    if (!isnan(m->learned_capacity))
        json_object_set_new(o, "learnedCapacity", json_real(m->learned_capacity));
    return o;
}

void model_counters_from_row(struct model *m, const json_t *row)
{
    get_u64(row, "requests", &m->requests);
    get_u64(row, "errors", &m->errors);
    get_u64(row, "idle", &m->energy_idle_uj);
    get_u64(row, "dynamic", &m->energy_dynamic_uj);
    get_i64(row, "loadP99Ms", &m->load_p99_ms);
    get_double(row, "learnedCapacity", &m->learned_capacity);
    model_history_from_row(m, row);
}

json_t *cluster_history_to_row(const struct cluster *c)
{
    json_t *o = energy_history_to_row(&c->energy);

    set_series(o, "awake", &c->awake, false);
    set_series(o, "requestCount", &c->request_count, false);
    return o;
}

void cluster_history_from_row(struct cluster *c, const json_t *row)
{
    energy_history_from_row(&c->energy, row);
    get_series(row, "awake", &c->awake);
    get_series(row, "requestCount", &c->request_count);
}

/* --- demand -------------------------------------------------------------------------------------
 */

json_t *demand_to_row(const struct demand *d, int64_t first)
{
    json_t *values = json_array();

    for (int64_t k = first; k < first + DEMAND_CHUNK && k < d->open; k++) {
        double v = demand_at(d, k);

        json_array_append_new(values, isnan(v) ? json_null() : json_real(v));
    }
    return json_pack("{s:I, s:I, s:o}", "stepMs", (json_int_t)d->step_ms, "first",
                     (json_int_t)first, "values", values);
}

void demand_from_row(struct demand *d, const json_t *row)
{
    const json_t *values = json_object_get(row, "values");
    size_t n = json_array_size(values);
    int64_t step_ms = 0, first = 0;
    float *v;

    get_i64(row, "stepMs", &step_ms);
    get_i64(row, "first", &first);
    if (step_ms <= 0 || step_ms != d->step_ms || n == 0 || n > DEMAND_CHUNK || first < 0 ||
        first > NUMBER_MOST / step_ms)
        return;
    v = xmalloc(n * sizeof(*v));
    for (size_t i = 0; i < n; i++) {
        const json_t *j = json_array_get(values, i);
        double rate = json_number_value(j);

        v[i] = json_is_number(j) && rate >= 0 && rate < RATE_MOST ? (float)rate : NAN;
    }
    demand_restore(d, first, v, n);
    free(v);
}
