/* The agent's metrics page: see metrics_text.h. */
#include "agent/metrics_text.h"

#include <math.h>
#include <stdio.h>

#include "proto/base/array.h"
#include "proto/base/exposition.h"

static double joules(uint64_t uj)
{
    return (double)uj / 1e6;
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

/* --- the node --------------------------------------------------------------------------------- */

/* A zone without a value now has no sample: its counter is there again with the next reading. */
static void add_zones(const struct wire_report *r, struct strbuf *page)
{
    exposition_family(page, "huddle_zone_energy_joules_total", "counter",
                      "Energy of each zone; zones contain each other: see the sum below.");
    for (size_t i = 0; i < r->n_zones; i++) {
        const struct wire_zone *z = &r->zones[i];
        const struct label labels[] = { { "zone", z->name },
                                        { "path", z->path },
                                        { "kind", zone_kind_name(z->kind) },
                                        { "provenance", provenance_name(z->provenance) } };

        if (z->provenance == PROVENANCE_MEASURED || z->provenance == PROVENANCE_ESTIMATED)
            exposition_sample(page, "huddle_zone_energy_joules_total", labels, ARRAY_LEN(labels),
                              joules(z->energy_uj));
    }
    exposition_family(page, "huddle_zone_energy_gaps_total", "counter",
                      "Intervals of a zone in which its counter said nothing certain.");
    for (size_t i = 0; i < r->n_zones; i++) {
        const struct label labels[] = { { "zone", r->zones[i].name },
                                        { "path", r->zones[i].path } };

        exposition_sample(page, "huddle_zone_energy_gaps_total", labels, ARRAY_LEN(labels),
                          r->zones[i].gaps);
    }
}

static void add_node_energy(const struct wire_report *r, struct strbuf *page)
{
    const struct label measured = { "provenance", "measured" };
    const struct label estimated = { "provenance", "estimated" };

    exposition_family(page, "huddle_node_counted_energy_joules_total", "counter",
                      "Energy of the node, every joule once.");
    exposition_sample(page, "huddle_node_counted_energy_joules_total", &measured, 1,
                      joules(r->energy_measured_uj));
    exposition_sample(page, "huddle_node_counted_energy_joules_total", &estimated, 1,
                      joules(r->energy_estimated_uj));
    exposition_single(page, "huddle_node_unattributed_energy_joules_total", "counter",
                      "Energy of the node that no replica or pod caused.",
                      joules(r->energy_unattributed_uj));
}

static void add_node(const struct wire_report *r, struct strbuf *page)
{
    const struct label version = { "version", HUDDLE_VERSION };

    exposition_single(page, "huddle_node_memory_used_bytes", "gauge", "Memory in use.",
                      r->memory_used_bytes > 0 ? (double)r->memory_used_bytes : NAN);
    exposition_single(page, "huddle_node_power_cap_watts", "gauge", "Watt cap in force.",
                      r->power_cap_uw > 0 ? joules(r->power_cap_uw) : NAN);
    exposition_single(page, "huddle_node_problems", "gauge",
                      "Things that this agent wants somebody to look at.", (double)r->n_problems);
    exposition_family(page, "huddle_build_info", "gauge", "1; the version is in the label.");
    exposition_sample(page, "huddle_build_info", &version, 1, 1);
}

/* --- CPUs ------------------------------------------------------------------------------------- */

/* One sample a mode: together, they are all the time there was. */
static void add_modes(const char *family, const struct cpu_times *t, const struct label *cpu,
                      struct strbuf *page)
{
    const struct {
        const char *mode;
        uint64_t ns;
    } modes[] = { { "busy", t->busy_ns },
                  { "idle", t->idle_ns },
                  { "iowait", t->iowait_ns },
                  { "steal", t->steal_ns } };

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        const struct label labels[] = { *cpu, { "mode", modes[i].mode } };

        exposition_sample(page, family, labels, ARRAY_LEN(labels), seconds(modes[i].ns));
    }
}

static struct label cpu_label(const struct cpu_counter *c, char *text, size_t size)
{
    (void)snprintf(text, size, "%u", c->number);
    return (struct label){ "cpu", text };
}

static void add_each_cpu(const struct cpu_counters *c, struct strbuf *page)
{
    char text[16];

    exposition_family(page, "huddle_cpu_seconds_total", "counter",
                      "CPU time of each CPU that is online, since boot.");
    ARRAY_FOREACH(cpu, c, cpus) {
        struct label label = cpu_label(cpu, text, sizeof(text));

        if (cpu->online)
            add_modes("huddle_cpu_seconds_total", &cpu->total, &label, page);
    }
    exposition_family(page, "huddle_cpu_guest_seconds_total", "counter",
                      "The part of the busy time of each CPU in which a guest ran.");
    ARRAY_FOREACH(cpu, c, cpus) {
        struct label label = cpu_label(cpu, text, sizeof(text));

        if (cpu->online)
            exposition_sample(page, "huddle_cpu_guest_seconds_total", &label, 1,
                              seconds(cpu->total.guest_ns));
    }
}

static void add_cpus(const struct cpu_counters *c, struct strbuf *page)
{
    const struct label none = { NULL, NULL };

    if (!c->all.online)
        return;
    exposition_family(page, "huddle_node_cpu_seconds_total", "counter",
                      "CPU time of all processors since boot.");
    add_modes("huddle_node_cpu_seconds_total", &c->all.total, &none, page);
    exposition_single(page, "huddle_node_cpu_guest_seconds_total", "counter",
                      "The part of the busy time in which a guest ran.",
                      seconds(c->all.total.guest_ns));
    if (c->n_cpus > 0)
        add_each_cpu(c, page);
}

/* --- replicas --------------------------------------------------------------------------------- */

static double cpu_of(const struct wire_replica *w)
{
    return seconds(w->cpu_ns);
}

static double memory_of(const struct wire_replica *w)
{
    return w->memory_bytes > 0 ? (double)w->memory_bytes : NAN;
}

static double ready_of(const struct wire_replica *w)
{
    return w->phase == REPLICA_READY;
}

static double restarts_of(const struct wire_replica *w)
{
    return w->restarts;
}

static double requests_of(const struct wire_replica *w)
{
    return w->metrics_known ? (double)w->requests : NAN;
}

static double idle_of(const struct wire_replica *w)
{
    return joules(w->energy_idle_uj);
}

static double dynamic_of(const struct wire_replica *w)
{
    return joules(w->energy_dynamic_uj);
}

static const struct {
    const char *name, *type, *help;
    const char *share; /* label of the same name, or NULL */
    double (*of)(const struct wire_replica *w);
} REPLICA[] = {
    { "huddle_replica_energy_joules_total", "counter",
      "Energy by replica: its share of what the idle node draws, and of the rest.", "idle",
      idle_of },
    { "huddle_replica_energy_joules_total", "counter", NULL, "dynamic", dynamic_of },
    { "huddle_replica_cpu_seconds_total", "counter", "CPU time by replica.", NULL, cpu_of },
    { "huddle_replica_requests_total", "counter", "Requests by replica, where its page tells.",
      NULL, requests_of },
    { "huddle_replica_memory_bytes", "gauge", "Memory by replica.", NULL, memory_of },
    { "huddle_replica_ready", "gauge", "1 while it is ready.", NULL, ready_of },
    { "huddle_replica_restarts_total", "counter", "Starts after it ended by itself.", NULL,
      restarts_of },
};

static void add_replicas(const struct wire_report *r, struct strbuf *page)
{
    for (size_t f = 0; f < ARRAY_LEN(REPLICA); f++) {
        if (REPLICA[f].help)
            exposition_family(page, REPLICA[f].name, REPLICA[f].type, REPLICA[f].help);
        for (size_t i = 0; i < r->n_replicas; i++) {
            const struct wire_replica *w = &r->replicas[i];
            const struct label labels[] = { { "replica", w->uid },
                                            { "model", w->model },
                                            { REPLICA[f].share ? "share" : NULL,
                                              REPLICA[f].share } };

            exposition_sample(page, REPLICA[f].name, labels, ARRAY_LEN(labels), REPLICA[f].of(w));
        }
    }
}

/* --- pods ------------------------------------------------------------------------------------- */

static void add_pods(const struct wire_report *r, struct strbuf *page)
{
    if (r->n_pods == 0)
        return;
    exposition_family(
        page, "huddle_pod_energy_joules_total", "counter",
        "Energy by pod: its share of what the idle node draws, and of the rest; without GPUs.");
    for (size_t i = 0; i < r->n_pods; i++) {
        const struct wire_pod *p = &r->pods[i];
        const struct label idle[] = { { "uid", p->uid }, { "share", "idle" } };
        const struct label dynamic[] = { { "uid", p->uid }, { "share", "dynamic" } };

        exposition_sample(page, "huddle_pod_energy_joules_total", idle, 2,
                          joules(p->energy_idle_uj));
        exposition_sample(page, "huddle_pod_energy_joules_total", dynamic, 2,
                          joules(p->energy_dynamic_uj));
    }
    exposition_family(page, "huddle_pod_cpu_seconds_total", "counter", "CPU time by pod.");
    for (size_t i = 0; i < r->n_pods; i++) {
        const struct label label = { "uid", r->pods[i].uid };

        exposition_sample(page, "huddle_pod_cpu_seconds_total", &label, 1,
                          seconds(r->pods[i].cpu_ns));
    }
    exposition_family(page, "huddle_pod_memory_bytes", "gauge", "Memory by pod.");
    for (size_t i = 0; i < r->n_pods; i++) {
        const struct label label = { "uid", r->pods[i].uid };

        exposition_sample(page, "huddle_pod_memory_bytes", &label, 1,
                          r->pods[i].memory_bytes > 0 ? (double)r->pods[i].memory_bytes : NAN);
    }
}

void metrics_text(const struct wire_report *report, const struct cpu_counters *cpus,
                  struct strbuf *page)
{
    add_zones(report, page);
    add_node_energy(report, page);
    add_node(report, page);
    add_cpus(cpus, page);
    add_replicas(report, page);
    add_pods(report, page);
}
