/* The controller's core on a desk, for unit tests: objects as JSON, one-line reports, and a store
 * in memory from which it can be started again. */
#ifndef HUDDLE_TEST_CORE_WORLD_H
#define HUDDLE_TEST_CORE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/controller.h"
#include "controller/core.h"
#include "proto/base/array.h"

#define API "\"apiVersion\":\"huddle.energy/v1alpha1\","

/* A pool that may sleep whole, and a model of up to nine replicas, as JSON. */
#define DESK_POOL                                                                        \
    "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},"                      \
    "\"spec\":{\"driver\":{\"type\":\"exec\",\"program\":\"/bin/true\"},\"minAwake\":0," \
    "\"spare\":0,\"wakeProven\":true}}"

#define DESK_MODEL(name, rest)                                                         \
    "{" API "\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{" \
    "\"replicas\":{\"min\":1,\"max\":9},\"runtime\":\"r\",\"capacity\":"               \
    "{\"requestsPerSecond\":5}" rest "}}"

struct desk {
    struct controller *core;
    struct controller_options options;
    int64_t now_ms, wall_ms;
    struct effects fx; /* of the last step */
    struct desk_row {
        enum store_table table;
        char *key, *value;
    } * rows;
    size_t n_rows, cap_rows, at;
    uint64_t ticket, sequence;
    /* Of all nodes' reports: */
    const char *boot_id;                   /* NULL: "boot-1" */
    const char *power_model;               /* NULL: its joules are measured */
    const char *product_uuid, *machine_id; /* NULL: not told */
    enum power_stage stage;                /* of stage_op */
    const char *stage_op;                  /* NULL: "" */
    uint32_t gaps;                         /* of its counters */
    uint64_t epoch;                        /* of its agent; 0: 7 */
    uint64_t max_term, energy_uj, generation;
    uint32_t cycles;       /* of a power test */
    struct wire_pod *pods; /* that agents tell of */
    size_t n_pods;
};

/* A row that was deleted stays, without a value. */
static inline void desk_store(struct desk *d, const struct effect *e)
{
    size_t i = 0;

    while (i < d->n_rows &&
           (d->rows[i].table != e->store.table || strcmp(d->rows[i].key, e->store.key) != 0))
        i++;
    if (i == d->n_rows)
        *ARRAY_ADD(d, rows) = (struct desk_row){ e->store.table, xstrdup(e->store.key), NULL };
    free(d->rows[i].value);
    d->rows[i].value = e->store.value ? xstrdup(e->store.value) : NULL;
}

static inline void desk_commit(struct desk *d)
{
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_STORE)
            desk_store(d, &d->fx.items[i]);
}

static inline int desk_next_row(void *data, struct controller_row *ret_row)
{
    struct desk *d = data;

    while (d->at < d->n_rows && !d->rows[d->at].value)
        d->at++;
    if (d->at == d->n_rows)
        return 0;
    *ret_row =
        (struct controller_row){ d->rows[d->at].table, d->rows[d->at].key, d->rows[d->at].value };
    d->at++;
    return 1;
}

/* A row as if an earlier life had stored it; for the time before a start. */
static inline void desk_row(struct desk *d, enum store_table table, const char *key,
                            const char *value)
{
    *ARRAY_ADD(d, rows) = (struct desk_row){ table, xstrdup(key), xstrdup(value) };
}

/* Starts the core, anew from its rows when it ran. */
static inline void desk_start(struct desk *d)
{
    struct err e = ERR_INIT;

    controller_free(d->core);
    effects_done(&d->fx);
    d->at = 0;
    d->core = NULL;
    d->options.instance++;
    if (controller_new(&d->options, d->now_ms, d->wall_ms, desk_next_row, d, &d->fx, &d->core, &e) <
        0)
        fail_msg("%s", e.text);
    desk_commit(d);
}

static inline void desk_init(struct desk *d)
{
    *d = (struct desk){ .now_ms = 1000, .wall_ms = INT64_C(1750000000000) };
    d->options = (struct controller_options){ .cluster_id = "desk", .seed = 1 };
    desk_start(d);
}

static inline void desk_done(struct desk *d)
{
    controller_free(d->core);
    effects_done(&d->fx);
    for (size_t i = 0; i < d->n_rows; i++) {
        free(d->rows[i].key);
        free(d->rows[i].value);
    }
    free(d->rows);
}

static inline void desk_step(struct desk *d, struct controller_event *event)
{
    effects_done(&d->fx);
    event->wall_ms = d->wall_ms;
    controller_step(d->core, event, d->now_ms, &d->fx);
    desk_commit(d);
}

/* Time passes, and a tick comes. */
static inline void desk_pass(struct desk *d, int64_t ms)
{
    struct controller_event tick = { .kind = CE_TICK };

    d->now_ms += ms;
    d->wall_ms += ms;
    desk_step(d, &tick);
}

/* The status of the answer to the last call; 0: it was not answered. */
static inline int desk_status(const struct desk *d)
{
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_ANSWER && d->fx.items[i].answer.ticket == d->ticket)
            return d->fx.items[i].answer.status;
    return 0;
}

static inline int desk_put(struct desk *d, const char *text)
{
    struct controller_event event = { .kind = CE_PUT };
    struct manifest *m = NULL;
    struct err e = ERR_INIT;
    json_t *doc = json_loads(text, 0, NULL);

    if (!doc || manifest_from_json(doc, "test", &m, &e) < 0)
        fail_msg("%s: %s", text, e.text);
    event.put.object = m;
    event.put.ticket = ++d->ticket;
    event.put.who = "test";
    desk_step(d, &event);
    manifest_free(m);
    json_decref(doc);
    return desk_status(d);
}

static inline int desk_delete(struct desk *d, enum manifest_kind kind, const char *name)
{
    struct controller_event event = { .kind = CE_DELETE };

    event.del.ticket = ++d->ticket;
    event.del.kind = kind;
    event.del.name = name;
    event.del.who = "test";
    desk_step(d, &event);
    return desk_status(d);
}

static inline int desk_verb(struct desk *d, enum verb verb, const char *node)
{
    struct controller_event event = { .kind = CE_VERB, .verb.cycles = d->cycles };

    event.verb.ticket = ++d->ticket;
    event.verb.verb = verb;
    event.verb.node = node;
    event.verb.who = "test";
    event.verb.reason = "a test";
    desk_step(d, &event);
    return desk_status(d);
}

/* A node with 4 CPUs and 8 GB that may sleep reports these replicas. */
static inline void desk_report(struct desk *d, const char *node, struct wire_replica *replicas,
                               size_t n)
{
    static const char *features[] = { "two_key" }, *runtimes[] = { "r" };
    const struct wire_inventory inventory = { .cpus = 4,
                                              .cpu_milli = 4000,
                                              .memory_bytes = UINT64_C(8) << 30,
                                              .address = "127.0.0.1",
                                              .architecture = "",
                                              .kernel = "",
                                              .virtualization = "",
                                              .power_model = d->power_model ? d->power_model : "",
                                              .version = "",
                                              .machine_id = d->machine_id ? d->machine_id : "",
                                              .product_uuid =
                                                  d->product_uuid ? d->product_uuid : "",
                                              .host_node = "",
                                              .runtimes = runtimes,
                                              .n_runtimes = 1,
                                              .allow_sleep = true };
    struct wire_report r = { .node = node,
                             .boot_id = d->boot_id ? d->boot_id : "boot-1",
                             .cluster_id = "desk",
                             .epoch = d->epoch ? d->epoch : 7,
                             .sequence = ++d->sequence,
                             .sent_wall_ms = d->wall_ms,
                             .boot_ms = d->now_ms,
                             .interval_ms = 5000,
                             .max_term = d->max_term,
                             .generation = d->generation,
                             .energy_measured_uj = d->energy_uj,
                             .replicas = replicas,
                             .n_replicas = n,
                             .pods = d->pods,
                             .n_pods = d->n_pods,
                             .inventory = &inventory,
                             .features = features,
                             .n_features = 1 };
    struct controller_event event = { .kind = CE_REPORT, .report = &r };

    r.power.stage = d->stage;
    r.power.op = d->stage_op ? d->stage_op : "";
    r.power.reason = "";
    desk_step(d, &event);
}

/* Kubernetes has the object. */
static inline void desk_put_observed(struct desk *d, const char *text)
{
    struct controller_event event = { .kind = CE_PUT };
    struct err e = ERR_INIT;
    struct manifest *m = NULL;
    json_t *doc = json_loads(text, 0, NULL);

    if (!doc || manifest_from_json(doc, "test", &m, &e) < 0)
        fail_msg("%s: %s", text, e.text);
    event.put.object = m;
    event.put.observed = true;
    event.put.who = "kubernetes";
    desk_step(d, &event);
    manifest_free(m);
    json_decref(doc);
}

#endif
