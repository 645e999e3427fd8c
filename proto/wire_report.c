/* Report: plain struct <-> bytes. One check serves both directions. */
#include <errno.h>
#include <stdlib.h>

#include "proto/base/array.h"
#include "proto/wire_private.h"

/* What decoding gives out; the public struct comes first. */
struct owned_report {
    struct wire_report report;
    struct arena arena;
};

#define PERMILLE_MAX 1000000u /* a thousand CPUs */

/* --- checks ------------------------------------------------------------------------------------
 */

static int check_histogram(const struct wire_histogram *h, struct err *e)
{
    int r;

    if ((r = check_count(h->n, WIRE_LIST_MAX, "bound_ms", e)) < 0 ||
        (r = check_amount(h->sum_ms, "sum_ms", e)) < 0)
        return r;
    for (size_t i = 0; i < h->n; i++) {
        if ((r = check_amount(h->bound_ms[i], "bound_ms", e)) < 0)
            return r;
        if (i && h->bound_ms[i] <= h->bound_ms[i - 1])
            return err_set(e, -EBADMSG, "bound_ms[%zu]: not ascending", i);
        if (h->count[i] > h->total || (i && h->count[i] < h->count[i - 1]))
            return err_set(e, -EBADMSG, "count[%zu]: not cumulative", i);
    }
    return 0;
}

static int check_replica(const struct wire_replica *p, struct err *e)
{
    int r;

    if ((r = check_required(p->uid, "uid", e)) < 0 || (r = check_name(p->model, "model", e)) < 0 ||
        (r = check_text(p->reason, "reason", e)) < 0 ||
        (r = check_range(p->port, 65535, "port", e)) < 0 ||
        (r = check_amount(p->in_flight, "in_flight", e)) < 0 ||
        (r = check_amount(p->queue, "queue", e)) < 0)
        return r;
    if (p->pid < 0)
        return err_set(e, -EBADMSG, "pid: negative");
    r = check_histogram(&p->latency, e);
    return r < 0 ? err_prefix(e, r, "latency") : 0;
}

static int check_zone(const struct wire_zone *z, struct err *e)
{
    int r;

    if ((r = check_required(z->name, "name", e)) < 0 || (r = check_name(z->path, "path", e)) < 0)
        return r;
    return 0;
}

static int check_inventory(const struct wire_inventory *v, struct err *e)
{
    const struct {
        const char *text, *field;
    } NAMES[] = {
        { v->machine_id, "machine_id" },
        { v->product_uuid, "product_uuid" },
        { v->virtualization, "virtualization" },
        { v->host_node, "host_node" },
        { v->architecture, "architecture" },
        { v->kernel, "kernel" },
        { v->power_model, "power_model" },
        { v->address, "address" },
        { v->version, "version" },
    };
    int r;

    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        if ((r = check_name(NAMES[i].text, NAMES[i].field, e)) < 0)
            return r;
    }
    if ((r = check_count(v->n_gpus, WIRE_GPUS_MAX, "gpus", e)) < 0 ||
        (r = check_names(v->runtimes, v->n_runtimes, "runtimes", e)) < 0 ||
        (r = check_pairs(v->labels, v->n_labels, "labels", e)) < 0 ||
        (r = check_names(v->macs, v->n_macs, "mac", e)) < 0 ||
        (r = check_range(v->cpu_milli, 100000000, "cpu_milli", e)) < 0)
        return r;
    for (size_t i = 0; i < v->n_gpus; i++) {
        if ((r = check_name(v->gpus[i].model, "model", e)) < 0 ||
            (r = check_name(v->gpus[i].uuid, "uuid", e)) < 0 ||
            (r = check_range(v->gpus[i].utilization_permille, 1000, "utilization_permille", e)) < 0)
            return err_prefix(e, r, "gpus[%zu]", i);
    }
    return 0;
}

static int check_head(const struct wire_report *p, struct err *e)
{
    int r;

    if ((r = check_required(p->node, "node", e)) < 0 ||
        (r = check_name(p->boot_id, "boot_id", e)) < 0 ||
        (r = check_name(p->cluster_id, "cluster_id", e)) < 0 ||
        (r = check_name(p->power.op, "power.op", e)) < 0 ||
        (r = check_text(p->power.reason, "power.reason", e)) < 0 ||
        (r = check_range(p->interval_ms, 86400000, "interval_ms", e)) < 0 ||
        (r = check_range(p->foreign_busy_permille, PERMILLE_MAX, "foreign_busy_permille", e)) < 0 ||
        (r = check_names(p->features, p->n_features, "features", e)) < 0)
        return r;
    if (p->epoch == 0 || p->sequence == 0)
        return err_set(e, -EBADMSG, "%s: missing", p->epoch ? "sequence" : "epoch");
    return 0;
}

static int check_report(const struct wire_report *p, struct err *e)
{
    int r;

    if ((r = check_head(p, e)) < 0 ||
        (r = check_count(p->n_zones, WIRE_ZONES_MAX, "zones", e)) < 0 ||
        (r = check_count(p->n_replicas, WIRE_REPLICAS_MAX, "replicas", e)) < 0 ||
        (r = check_count(p->n_problems, WIRE_LIST_MAX, "problems", e)) < 0)
        return r;
    for (size_t i = 0; i < p->n_zones; i++) {
        if ((r = check_zone(&p->zones[i], e)) < 0)
            return err_prefix(e, r, "zones[%zu]", i);
    }
    for (size_t i = 0; i < p->n_replicas; i++) {
        if ((r = check_replica(&p->replicas[i], e)) < 0)
            return err_prefix(e, r, "replicas[%zu]", i);
    }
    for (size_t i = 0; i < p->n_problems; i++) {
        if ((r = check_text(p->problems[i].what, "what", e)) < 0 ||
            (r = check_text(p->problems[i].fix, "fix", e)) < 0)
            return err_prefix(e, r, "problems[%zu]", i);
    }
    if (p->inventory && (r = check_inventory(p->inventory, e)) < 0)
        return err_prefix(e, r, "inventory");
    return 0;
}

/* --- plain -> generated ------------------------------------------------------------------------
 */

/* n new generated messages of `type` and pointers to them; items stay to be filled in. */
#define NEW_LIST(arena, type, INIT, n, ret_list)               \
    (__extension__({                                           \
        type *items_ = arena_array(arena, n, sizeof(*items_)); \
        type **list_ = arena_array(arena, n, sizeof(*list_));  \
        bool made_ = items_ && list_;                          \
        for (size_t i_ = 0; made_ && i_ < (n); i_++) {         \
            items_[i_] = (type)INIT;                           \
            list_[i_] = &items_[i_];                           \
        }                                                      \
        (ret_list) = list_;                                    \
        made_;                                                 \
    }))

/* Generated structs hold char *, though packing only reads. */
static char *lend(const char *text)
{
    return (char *)(uintptr_t)text_or_empty(text);
}

static bool put_zones(struct arena *a, const struct wire_report *p, Huddle__V1__Report *out)
{
    if (!NEW_LIST(a, Huddle__V1__Zone, HUDDLE__V1__ZONE__INIT, p->n_zones, out->zones))
        return false;
    out->n_zones = p->n_zones;
    for (size_t i = 0; i < p->n_zones; i++) {
        const struct wire_zone *z = &p->zones[i];
        Huddle__V1__Zone *o = out->zones[i];

        o->name = lend(z->name);
        o->path = lend(z->path);
        o->kind = (Huddle__V1__ZoneKind)z->kind;
        o->energy_uj = z->energy_uj;
        o->provenance = (Huddle__V1__Provenance)z->provenance;
        o->counted = z->counted;
        o->gaps = z->gaps;
        o->max_power_uw = z->max_power_uw;
    }
    return true;
}

static bool put_replica(struct arena *a, const struct wire_replica *p, Huddle__V1__Replica *o)
{
    o->uid = lend(p->uid);
    o->model = lend(p->model);
    o->phase = (Huddle__V1__ReplicaPhase)p->phase;
    o->reason = lend(p->reason);
    o->pid = p->pid;
    o->port = p->port;
    o->restarts = p->restarts;
    o->cpu_ns = p->cpu_ns;
    o->memory_bytes = p->memory_bytes;
    o->requests = p->requests;
    o->errors = p->errors;
    o->tokens = p->tokens;
    o->in_flight = p->in_flight;
    o->queue = p->queue;
    o->metrics_known = p->metrics_known;
    o->energy_idle_uj = p->energy_idle_uj;
    o->energy_dynamic_uj = p->energy_dynamic_uj;
    o->load_ms = p->load_ms;
    o->generation = p->generation;
    if (!p->latency.n && !p->latency.total)
        return true;
    o->latency = arena_alloc(a, sizeof(*o->latency));
    if (!o->latency)
        return false;
    *o->latency = (Huddle__V1__Histogram)HUDDLE__V1__HISTOGRAM__INIT;
    o->latency->bound_ms = p->latency.bound_ms;
    o->latency->count = p->latency.count;
    o->latency->n_bound_ms = o->latency->n_count = p->latency.n;
    o->latency->total = p->latency.total;
    o->latency->sum_ms = p->latency.sum_ms;
    return true;
}

static bool put_replicas(struct arena *a, const struct wire_report *p, Huddle__V1__Report *out)
{
    if (!NEW_LIST(a, Huddle__V1__Replica, HUDDLE__V1__REPLICA__INIT, p->n_replicas, out->replicas))
        return false;
    out->n_replicas = p->n_replicas;
    for (size_t i = 0; i < p->n_replicas; i++) {
        if (!put_replica(a, &p->replicas[i], out->replicas[i]))
            return false;
    }
    return true;
}

static bool put_inventory_lists(struct arena *a, const struct wire_inventory *v,
                                Huddle__V1__Inventory *o)
{
    if (!NEW_LIST(a, Huddle__V1__Gpu, HUDDLE__V1__GPU__INIT, v->n_gpus, o->gpus) ||
        !NEW_LIST(a, Huddle__V1__Inventory__LabelsEntry, HUDDLE__V1__INVENTORY__LABELS_ENTRY__INIT,
                  v->n_labels, o->labels))
        return false;
    o->n_gpus = v->n_gpus;
    for (size_t i = 0; i < v->n_gpus; i++) {
        o->gpus[i]->model = lend(v->gpus[i].model);
        o->gpus[i]->uuid = lend(v->gpus[i].uuid);
        o->gpus[i]->memory_bytes = v->gpus[i].memory_bytes;
        o->gpus[i]->memory_used_bytes = v->gpus[i].memory_used_bytes;
        o->gpus[i]->utilization_permille = v->gpus[i].utilization_permille;
    }
    o->n_labels = v->n_labels;
    for (size_t i = 0; i < v->n_labels; i++) {
        o->labels[i]->key = lend(v->labels[i].key);
        o->labels[i]->value = lend(v->labels[i].value);
    }
    o->runtimes = (char **)(uintptr_t)v->runtimes;
    o->n_runtimes = v->n_runtimes;
    o->mac = (char **)(uintptr_t)v->macs;
    o->n_mac = v->n_macs;
    return true;
}

static bool put_inventory(struct arena *a, const struct wire_inventory *v, Huddle__V1__Report *out)
{
    Huddle__V1__Inventory *o;

    if (!v)
        return true;
    o = out->inventory = arena_alloc(a, sizeof(*o));
    if (!o)
        return false;
    *o = (Huddle__V1__Inventory)HUDDLE__V1__INVENTORY__INIT;
    o->cpus = v->cpus;
    o->cpu_milli = v->cpu_milli;
    o->memory_bytes = v->memory_bytes;
    o->machine_id = lend(v->machine_id);
    o->product_uuid = lend(v->product_uuid);
    o->virtualization = lend(v->virtualization);
    o->host_node = lend(v->host_node);
    o->architecture = lend(v->architecture);
    o->kernel = lend(v->kernel);
    o->power_model = lend(v->power_model);
    o->allow_sleep = v->allow_sleep;
    o->allow_commands = v->allow_commands;
    o->address = lend(v->address);
    o->version = lend(v->version);
    return put_inventory_lists(a, v, o);
}

static bool put_rest(struct arena *a, const struct wire_report *p, Huddle__V1__Report *out)
{
    out->cpu = arena_alloc(a, sizeof(*out->cpu));
    out->pressure = arena_alloc(a, sizeof(*out->pressure));
    out->power = arena_alloc(a, sizeof(*out->power));
    if (!out->cpu || !out->pressure || !out->power ||
        !NEW_LIST(a, Huddle__V1__Problem, HUDDLE__V1__PROBLEM__INIT, p->n_problems, out->problems))
        return false;
    *out->cpu = (Huddle__V1__Cpu)HUDDLE__V1__CPU__INIT;
    out->cpu->busy_ns = p->cpu.busy_ns;
    out->cpu->idle_ns = p->cpu.idle_ns;
    out->cpu->iowait_ns = p->cpu.iowait_ns;
    out->cpu->steal_ns = p->cpu.steal_ns;
    out->cpu->guest_ns = p->cpu.guest_ns;
    *out->pressure = (Huddle__V1__Pressure)HUDDLE__V1__PRESSURE__INIT;
    out->pressure->known = p->pressure.known;
    out->pressure->cpu_us = p->pressure.cpu_us;
    out->pressure->memory_us = p->pressure.memory_us;
    out->pressure->io_us = p->pressure.io_us;
    *out->power = (Huddle__V1__PowerAnswer)HUDDLE__V1__POWER_ANSWER__INIT;
    out->power->op = lend(p->power.op);
    out->power->stage = (Huddle__V1__PowerStage)p->power.stage;
    out->power->reason = lend(p->power.reason);
    out->n_problems = p->n_problems;
    for (size_t i = 0; i < p->n_problems; i++) {
        out->problems[i]->what = lend(p->problems[i].what);
        out->problems[i]->fix = lend(p->problems[i].fix);
    }
    return true;
}

static void put_numbers(const struct wire_report *p, Huddle__V1__Report *out)
{
    out->node = lend(p->node);
    out->boot_id = lend(p->boot_id);
    out->cluster_id = lend(p->cluster_id);
    out->epoch = p->epoch;
    out->sequence = p->sequence;
    out->sent_wall_ms = p->sent_wall_ms;
    out->boot_ms = p->boot_ms;
    out->age_ms = p->age_ms;
    out->interval_ms = p->interval_ms;
    out->energy_measured_uj = p->energy_measured_uj;
    out->energy_estimated_uj = p->energy_estimated_uj;
    out->energy_unattributed_uj = p->energy_unattributed_uj;
    out->energy_gaps = p->energy_gaps;
    out->memory_used_bytes = p->memory_used_bytes;
    out->generation = p->generation;
    out->max_term = p->max_term;
    out->foreign_busy_permille = p->foreign_busy_permille;
    out->power_cap_uw = p->power_cap_uw;
    out->features = (char **)(uintptr_t)p->features;
    out->n_features = p->n_features;
}

int wire_report_encode(const struct wire_report *report, struct strbuf *out, struct err *e)
{
    Huddle__V1__Report message = HUDDLE__V1__REPORT__INIT;
    struct arena arena;
    size_t n;
    int r = check_report(report, e);

    if (r < 0)
        return err_prefix(e, -EINVAL, "report");
    arena_init(&arena, SIZE_MAX / 4);
    put_numbers(report, &message);
    if (!put_zones(&arena, report, &message) || !put_replicas(&arena, report, &message) ||
        !put_inventory(&arena, report->inventory, &message) || !put_rest(&arena, report, &message))
        abort(); /* memory is exhausted: bounded by configuration (STYLE 13) */
    n = huddle__v1__report__get_packed_size(&message);
    if (n > WIRE_MESSAGE_MAX) {
        r = err_set(e, -EINVAL, "report: %zu bytes, at most %u", n, WIRE_MESSAGE_MAX);
    } else {
        strbuf_reserve(out, n);
        out->length += huddle__v1__report__pack(&message, (uint8_t *)out->data + out->length);
        out->data[out->length] = '\0';
    }
    arena_done(&arena);
    return r;
}

/* --- generated -> plain ------------------------------------------------------------------------
 */

/* A newer peer's enum value is unknown here: unspecified. */
static unsigned known(unsigned value, unsigned last)
{
    return value <= last ? value : 0;
}

static bool take_zones(struct arena *a, const Huddle__V1__Report *in, struct wire_report *p)
{
    p->zones = arena_array(a, in->n_zones, sizeof(*p->zones));
    if (!p->zones)
        return false;
    p->n_zones = in->n_zones;
    for (size_t i = 0; i < in->n_zones; i++) {
        const Huddle__V1__Zone *z = in->zones[i];

        p->zones[i] = (struct wire_zone){
            .name = z->name,
            .path = z->path,
            .kind = (enum zone_kind)known(z->kind, ZONE_PLATFORM),
            .energy_uj = z->energy_uj,
            .provenance = (enum provenance)known(z->provenance, PROVENANCE_UNAVAILABLE),
            .counted = z->counted,
            .gaps = z->gaps,
            .max_power_uw = z->max_power_uw,
        };
    }
    return true;
}

static void take_replica(const Huddle__V1__Replica *in, struct wire_replica *p)
{
    *p = (struct wire_replica){
        .uid = in->uid,
        .model = in->model,
        .phase = (enum replica_phase)known(in->phase, REPLICA_EXITED),
        .reason = in->reason,
        .pid = in->pid,
        .port = in->port,
        .restarts = in->restarts,
        .cpu_ns = in->cpu_ns,
        .memory_bytes = in->memory_bytes,
        .requests = in->requests,
        .errors = in->errors,
        .tokens = in->tokens,
        .in_flight = in->in_flight,
        .queue = in->queue,
        .metrics_known = in->metrics_known,
        .energy_idle_uj = in->energy_idle_uj,
        .energy_dynamic_uj = in->energy_dynamic_uj,
        .load_ms = in->load_ms,
        .generation = in->generation,
    };
    if (in->latency) {
        p->latency.bound_ms = in->latency->bound_ms;
        p->latency.count = in->latency->count;
        p->latency.n = in->latency->n_bound_ms;
        p->latency.total = in->latency->total;
        p->latency.sum_ms = in->latency->sum_ms;
    }
}

static bool take_replicas(struct arena *a, const Huddle__V1__Report *in, struct wire_report *p)
{
    p->replicas = arena_array(a, in->n_replicas, sizeof(*p->replicas));
    if (!p->replicas)
        return false;
    p->n_replicas = in->n_replicas;
    for (size_t i = 0; i < in->n_replicas; i++)
        take_replica(in->replicas[i], &p->replicas[i]);
    return true;
}

static bool take_inventory_lists(struct arena *a, const Huddle__V1__Inventory *in,
                                 struct wire_inventory *v)
{
    v->gpus = arena_array(a, in->n_gpus, sizeof(*v->gpus));
    v->labels = arena_array(a, in->n_labels, sizeof(*v->labels));
    if (!v->gpus || !v->labels)
        return false;
    v->n_gpus = in->n_gpus;
    for (size_t i = 0; i < in->n_gpus; i++) {
        v->gpus[i] = (struct wire_gpu){
            .model = in->gpus[i]->model,
            .uuid = in->gpus[i]->uuid,
            .memory_bytes = in->gpus[i]->memory_bytes,
            .memory_used_bytes = in->gpus[i]->memory_used_bytes,
            .utilization_permille = in->gpus[i]->utilization_permille,
        };
    }
    v->n_labels = in->n_labels;
    for (size_t i = 0; i < in->n_labels; i++)
        v->labels[i] = (struct wire_pair){ in->labels[i]->key, in->labels[i]->value };
    v->runtimes = (const char **)in->runtimes;
    v->n_runtimes = in->n_runtimes;
    v->macs = (const char **)in->mac;
    v->n_macs = in->n_mac;
    return true;
}

static bool take_inventory(struct arena *a, const Huddle__V1__Inventory *in, struct wire_report *p)
{
    struct wire_inventory *v;

    if (!in)
        return true;
    v = arena_array(a, 1, sizeof(*v));
    if (!v)
        return false;
    p->inventory = v;
    *v = (struct wire_inventory){
        .cpus = in->cpus,
        .cpu_milli = in->cpu_milli,
        .memory_bytes = in->memory_bytes,
        .machine_id = in->machine_id,
        .product_uuid = in->product_uuid,
        .virtualization = in->virtualization,
        .host_node = in->host_node,
        .architecture = in->architecture,
        .kernel = in->kernel,
        .power_model = in->power_model,
        .address = in->address,
        .version = in->version,
        .allow_sleep = in->allow_sleep,
        .allow_commands = in->allow_commands,
    };
    return take_inventory_lists(a, in, v);
}

static bool take_problems(struct arena *a, const Huddle__V1__Report *in, struct wire_report *p)
{
    p->problems = arena_array(a, in->n_problems, sizeof(*p->problems));
    if (!p->problems)
        return false;
    p->n_problems = in->n_problems;
    for (size_t i = 0; i < in->n_problems; i++)
        p->problems[i] = (struct wire_problem){ in->problems[i]->what, in->problems[i]->fix };
    return true;
}

static void take_parts(const Huddle__V1__Report *in, struct wire_report *p)
{
    if (in->cpu) {
        p->cpu.busy_ns = in->cpu->busy_ns;
        p->cpu.idle_ns = in->cpu->idle_ns;
        p->cpu.iowait_ns = in->cpu->iowait_ns;
        p->cpu.steal_ns = in->cpu->steal_ns;
        p->cpu.guest_ns = in->cpu->guest_ns;
    }
    if (in->pressure) {
        p->pressure.known = in->pressure->known;
        p->pressure.cpu_us = in->pressure->cpu_us;
        p->pressure.memory_us = in->pressure->memory_us;
        p->pressure.io_us = in->pressure->io_us;
    }
    p->power.op = in->power ? in->power->op : "";
    p->power.reason = in->power ? in->power->reason : "";
    p->power.stage = in->power ? (enum power_stage)known(in->power->stage, POWER_STAGE_ABORTED) : 0;
}

static void take_numbers(const Huddle__V1__Report *in, struct wire_report *p)
{
    p->node = in->node;
    p->boot_id = in->boot_id;
    p->cluster_id = in->cluster_id;
    p->epoch = in->epoch;
    p->sequence = in->sequence;
    p->sent_wall_ms = in->sent_wall_ms;
    p->boot_ms = in->boot_ms;
    p->age_ms = in->age_ms;
    p->interval_ms = in->interval_ms;
    p->energy_measured_uj = in->energy_measured_uj;
    p->energy_estimated_uj = in->energy_estimated_uj;
    p->energy_unattributed_uj = in->energy_unattributed_uj;
    p->energy_gaps = in->energy_gaps;
    p->memory_used_bytes = in->memory_used_bytes;
    p->generation = in->generation;
    p->max_term = in->max_term;
    p->foreign_busy_permille = in->foreign_busy_permille;
    p->power_cap_uw = in->power_cap_uw;
    p->features = (const char **)in->features;
    p->n_features = in->n_features;
}

/* Bounds and counts are two lists on the wire: they must be of one length before they are one here.
 */
static int check_histogram_lists(const Huddle__V1__Report *in, struct err *e)
{
    for (size_t i = 0; i < in->n_replicas; i++) {
        const Huddle__V1__Histogram *h = in->replicas[i]->latency;

        if (h && h->n_bound_ms != h->n_count)
            return err_set(e, -EBADMSG, "replicas[%zu].latency: %zu bounds, but %zu counts", i,
                           h->n_bound_ms, h->n_count);
    }
    return 0;
}

static int report_unpack(const void *bytes, size_t n, struct owned_report *o, struct err *e)
{
    Huddle__V1__Report *in = huddle__v1__report__unpack(&o->arena.allocator, n, bytes);
    int r;

    if (!in)
        return err_set(e, -EBADMSG, "not a Report, or out of proportion (%zu bytes)", n);
    if ((r = check_histogram_lists(in, e)) < 0)
        return r;
    take_numbers(in, &o->report);
    take_parts(in, &o->report);
    if (!take_zones(&o->arena, in, &o->report) || !take_replicas(&o->arena, in, &o->report) ||
        !take_inventory(&o->arena, in->inventory, &o->report) ||
        !take_problems(&o->arena, in, &o->report))
        return err_set(e, -EBADMSG, "needs too much memory (%zu bytes)", n);
    return check_report(&o->report, e);
}

int wire_report_decode(const void *bytes, size_t n, struct wire_report **ret_report, struct err *e)
{
    struct owned_report *o;
    int r;

    if (n > WIRE_MESSAGE_MAX)
        return err_set(e, -EBADMSG, "report: %zu bytes, at most %u", n, WIRE_MESSAGE_MAX);
    o = xcalloc(1, sizeof(*o));
    arena_init(&o->arena, WIRE_ARENA_BUDGET(n));
    r = report_unpack(bytes, n, o, e);
    if (r < 0) {
        wire_report_free(&o->report);
        return err_prefix(e, r, "report");
    }
    *ret_report = &o->report;
    return 0;
}

void wire_report_free(struct wire_report *report)
{
    if (!report)
        return;
    arena_done(&((struct owned_report *)report)->arena);
    free(report);
}
