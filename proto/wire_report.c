/* Report: plain struct <-> bytes. One check serves both directions. Its larger parts have files of
 * their own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static int check_zone(const struct wire_zone *z, struct err *e)
{
    int r;

    if ((r = check_required(z->name, "name", e)) < 0 || (r = check_name(z->path, "path", e)) < 0)
        return r;
    return 0;
}

/* Told apart from others by all of its bytes, so none may be cut off. */
static int check_boot_id(const char *text, struct err *e)
{
    int r = check_name(text, "boot_id", e);

    if (r == 0 && text && strlen(text) > WIRE_BOOT_ID_MAX)
        return err_set(e, -EBADMSG, "boot_id: longer than %u bytes", WIRE_BOOT_ID_MAX);
    return r;
}

static int check_head(const struct wire_report *p, struct err *e)
{
    int r;

    if ((r = check_required(p->node, "node", e)) < 0 || (r = check_boot_id(p->boot_id, e)) < 0 ||
        (r = check_name(p->cluster_id, "cluster_id", e)) < 0 ||
        (r = check_name(p->power.op, "power.op", e)) < 0 ||
        (r = check_text(p->power.reason, "power.reason", e)) < 0 ||
        (r = check_moment(p->sent_wall_ms, "sent_wall_ms", e)) < 0 ||
        (r = check_moment(p->boot_ms, "boot_ms", e)) < 0 ||
        (r = check_range(p->age_ms, WIRE_AGE_MAX_MS, "age_ms", e)) < 0 ||
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
        (r = check_count(p->n_pods, WIRE_PODS_MAX, "pods", e)) < 0 ||
        (r = check_count(p->n_problems, WIRE_LIST_MAX, "problems", e)) < 0)
        return r;
    for (size_t i = 0; i < p->n_zones; i++) {
        if ((r = check_zone(&p->zones[i], e)) < 0)
            return check_below(e, r, "zones[%zu]", i);
    }
    for (size_t i = 0; i < p->n_replicas; i++) {
        if ((r = wire_replica_check(&p->replicas[i], e)) < 0)
            return check_below(e, r, "replicas[%zu]", i);
    }
    for (size_t i = 0; i < p->n_pods; i++) {
        if ((r = check_required(p->pods[i].uid, "uid", e)) < 0)
            return check_below(e, r, "pods[%zu]", i);
    }
    for (size_t i = 0; i < p->n_problems; i++) {
        if ((r = check_text(p->problems[i].what, "what", e)) < 0 ||
            (r = check_text(p->problems[i].fix, "fix", e)) < 0)
            return check_below(e, r, "problems[%zu]", i);
    }
    if (p->inventory && (r = wire_inventory_check(p->inventory, e)) < 0)
        return check_below(e, r, "inventory");
    return 0;
}

/* --- plain -> generated ------------------------------------------------------------------------
 */

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

static bool put_pods(struct arena *a, const struct wire_report *p, Huddle__V1__Report *out)
{
    if (!NEW_LIST(a, Huddle__V1__Pod, HUDDLE__V1__POD__INIT, p->n_pods, out->pods))
        return false;
    out->n_pods = p->n_pods;
    for (size_t i = 0; i < p->n_pods; i++) {
        out->pods[i]->uid = lend(p->pods[i].uid);
        out->pods[i]->cpu_ns = p->pods[i].cpu_ns;
        out->pods[i]->memory_bytes = p->pods[i].memory_bytes;
        out->pods[i]->energy_idle_uj = p->pods[i].energy_idle_uj;
        out->pods[i]->energy_dynamic_uj = p->pods[i].energy_dynamic_uj;
    }
    return true;
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
    if (!put_zones(&arena, report, &message) || !wire_replicas_put(&arena, report, &message) ||
        !put_pods(&arena, report, &message) ||
        !wire_inventory_put(&arena, report->inventory, &message) ||
        !put_rest(&arena, report, &message))
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

static bool take_pods(struct arena *a, const Huddle__V1__Report *in, struct wire_report *p)
{
    p->pods = arena_array(a, in->n_pods, sizeof(*p->pods));
    if (!p->pods)
        return false;
    p->n_pods = in->n_pods;
    for (size_t i = 0; i < in->n_pods; i++)
        p->pods[i] = (struct wire_pod){ .uid = in->pods[i]->uid,
                                        .cpu_ns = in->pods[i]->cpu_ns,
                                        .memory_bytes = in->pods[i]->memory_bytes,
                                        .energy_idle_uj = in->pods[i]->energy_idle_uj,
                                        .energy_dynamic_uj = in->pods[i]->energy_dynamic_uj };
    return true;
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

static int report_unpack(const void *bytes, size_t n, struct owned_report *o, struct err *e)
{
    Huddle__V1__Report *in = huddle__v1__report__unpack(&o->arena.allocator, n, bytes);
    int r;

    if (!in)
        return err_set(e, -EBADMSG, "not a Report, or out of proportion (%zu bytes)", n);
    if ((r = wire_replicas_check_lists(in, e)) < 0)
        return r;
    take_numbers(in, &o->report);
    take_parts(in, &o->report);
    if (!take_zones(&o->arena, in, &o->report) || !wire_replicas_take(&o->arena, in, &o->report) ||
        !take_pods(&o->arena, in, &o->report) ||
        !wire_inventory_take(&o->arena, in->inventory, &o->report) ||
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
