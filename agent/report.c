/* The report: see report.h. Everything that grows is a counter since the epoch; what is not known
 * is left out or marked, never 0. */
#include "agent/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

/* --- parts ------------------------------------------------------------------------------------ */

static void add_zones(struct agent *a, struct wire_report *w)
{
    size_t n = a->energy.n_zones < WIRE_ZONES_MAX ? a->energy.n_zones : WIRE_ZONES_MAX;

    if (a->cap_zones < n) {
        a->cap_zones = n;
        a->zones = xrealloc(a->zones, n * sizeof(*a->zones));
    }
    for (size_t i = 0; i < n; i++) {
        const struct energy_zone *z = &a->energy.zones[i];

        a->zones[i] = (struct wire_zone){ .name = z->name,
                                          .path = z->path,
                                          .kind = z->kind,
                                          .energy_uj = z->energy_uj,
                                          .provenance = z->provenance,
                                          .counted = z->counted,
                                          .gaps = z->gaps,
                                          .max_power_uw = z->max_power_uw };
    }
    w->zones = a->zones;
    w->n_zones = n;
}

static void tell_service(const struct agent *a, struct replica *r, struct wire_replica *w)
{
    struct service_counters *s = &r->service;

    w->requests = s->requests.total;
    w->errors = s->errors.total;
    w->tokens = s->tokens.total;
    w->metrics_known = scraping_metrics_known(a, r);
    if (!w->metrics_known)
        return;
    w->in_flight = s->in_flight;
    w->queue = s->queue;
    service_counters_latency(s, &w->latency);
}

static void tell_replica(const struct agent *a, struct replica *r, struct wire_replica *w)
{
    *w = (struct wire_replica){ .uid = r->spec->uid,
                                .model = r->spec->model,
                                .reason = r->reason,
                                .phase = replica_phase(r),
                                .pid = r->pid,
                                .port = r->spec->port,
                                .restarts = r->restarts,
                                .cpu_ns = r->cpu.total_ns,
                                .memory_bytes = r->memory_bytes,
                                .energy_idle_uj = r->idle_uj,
                                .energy_dynamic_uj = r->dynamic_uj,
                                .load_ms = r->load_ms,
                                .generation = r->spec->generation,
                                .port_taken = r->port_taken };
    tell_service(a, r, w);
}

/* Should there ever be more than fit, those that run come first: they must not be forgotten. */
static void add_replicas(struct agent *a, struct wire_report *w)
{
    size_t n = a->n_replicas < WIRE_REPLICAS_MAX ? a->n_replicas : WIRE_REPLICAS_MAX;

    if (a->cap_told < n) {
        a->cap_told = n;
        a->told = xrealloc(a->told, n * sizeof(*a->told));
    }
    w->n_replicas = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < a->n_replicas && w->n_replicas < n; i++) {
            if (replica_has_process(a->replicas[i]) == (pass == 0))
                tell_replica(a, a->replicas[i], &a->told[w->n_replicas++]);
        }
    }
    w->replicas = a->told;
}

static void add_pods(struct agent *a, struct wire_report *w)
{
    if (a->cap_told_pods < a->n_pods) {
        a->cap_told_pods = a->n_pods;
        a->told_pods = xrealloc(a->told_pods, a->cap_told_pods * sizeof(*a->told_pods));
    }
    for (size_t i = 0; i < a->n_pods; i++) {
        const struct pod *p = &a->pods[i];

        a->told_pods[i] = (struct wire_pod){ .uid = p->uid,
                                             .cpu_ns = p->total_ns,
                                             .memory_bytes = p->here ? p->memory_bytes : 0,
                                             .energy_idle_uj = p->idle_uj,
                                             .energy_dynamic_uj = p->dynamic_uj };
    }
    w->pods = a->told_pods;
    w->n_pods = a->n_pods;
}

static void add_problem(struct agent *a, const char *what, const char *fix)
{
    if (what[0] && a->n_problems < WIRE_LIST_MAX)
        *ARRAY_ADD(a, problems) = (struct wire_problem){ what, fix };
}

static void add_problems(struct agent *a, struct wire_report *w)
{
    a->n_problems = 0;
    ARRAY_FOREACH(p, &a->look, problems)
        add_problem(a, p->what, p->fix);
    add_problem(a, a->cap_problem, "");
    if (a->stranger[0])
        add_problem(a, a->stranger, "point controller.url at one controller");
    if (a->save_failing)
        add_problem(a,
                    "the agent's state cannot be written: it does not sleep, and a restarted "
                    "agent would not know what should run",
                    "make room in stateDir");
    w->problems = a->problems;
    w->n_problems = a->n_problems;
}

/* --- all of it -------------------------------------------------------------------------------- */

static void add_node(struct agent *a, struct wire_report *w)
{
    const struct sample *s = &a->look;

    w->cpu.busy_ns = a->cpu.times.busy_ns;
    w->cpu.idle_ns = a->cpu.times.idle_ns;
    w->cpu.iowait_ns = a->cpu.times.iowait_ns;
    w->cpu.steal_ns = a->cpu.times.steal_ns;
    w->cpu.guest_ns = a->cpu.times.guest_ns;
    w->memory_used_bytes = s->memory.valid ? s->memory.used_bytes : 0;
    w->pressure.known = s->pressure.known;
    w->pressure.cpu_us = s->pressure.cpu_us;
    w->pressure.memory_us = s->pressure.memory_us;
    w->pressure.io_us = s->pressure.io_us;
    w->energy_measured_uj = a->energy.measured_uj;
    w->energy_estimated_uj = a->energy.estimated_uj;
    w->energy_unattributed_uj = a->unattributed_uj;
    w->energy_gaps = a->energy.gaps;
    (void)metering_foreign_permille(a, &w->foreign_busy_permille);
}

const struct wire_report *report_build(struct agent *a)
{
    static const char *FEATURES[] = { "two_key" };
    struct wire_report *w = &a->report;

    *w = (struct wire_report){ .node = a->node,
                               .boot_id = a->boot_id,
                               .cluster_id = a->cluster_id,
                               .epoch = a->epoch,
                               .sequence = a->sequence,
                               .sent_wall_ms = a->wall_ms,
                               .boot_ms = a->look.boot_ms,
                               .interval_ms = (uint32_t)a->interval_ms,
                               .generation = a->generation,
                               .max_term = a->max_term,
                               .features = FEATURES,
                               .n_features = ARRAY_LEN(FEATURES),
                               .power_cap_uw = a->cap_in_force_uw };
    w->age_ms = a->now_ms > w->boot_ms ? (uint64_t)(a->now_ms - w->boot_ms) : 0;
    w->power.op = a->sleep.op;
    w->power.stage = a->sleep.stage;
    w->power.reason = a->sleep.reason;
    if (a->inventory_due)
        w->inventory = a->inventory;
    add_node(a, w);
    add_zones(a, w);
    add_replicas(a, w);
    add_pods(a, w);
    add_problems(a, w);
    return w;
}

void report_sent(struct agent *a)
{
    if (a->sleep.state == SLEEP_BYE && a->sleep.bye_sequence == 0)
        a->sleep.bye_sequence = a->sequence;
    if (a->report.inventory && a->inventory_sequence == 0)
        a->inventory_sequence = a->sequence;
    for (size_t i = 0; i < a->n_replicas; i++)
        if (a->replicas[i]->stage == STAGE_GONE && a->replicas[i]->gone_sequence == 0)
            a->replicas[i]->gone_sequence = a->sequence;
    pods_told(a);
}
