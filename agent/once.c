/* `huddle-agent --once`: see once.h. */
#include "agent/once.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define BUSIEST_SHOWN 4 /* in the table */

static double seconds_between(const struct sample *a, const struct sample *b)
{
    return (double)(b->boot_ms - a->boot_ms) / 1e3;
}

static bool has_energy(enum provenance p)
{
    return p == PROVENANCE_MEASURED || p == PROVENANCE_ESTIMATED;
}

/* Energy and watts of the window, or nulls. */
static void set_energy(json_t *object, enum provenance p, uint64_t energy_uj, double seconds)
{
    bool known = has_energy(p) && seconds > 0;

    json_object_set_new(object, "energy_uj",
                        known ? json_integer((json_int_t)energy_uj) : json_null());
    json_object_set_new(object, "power_w",
                        known ? json_real((double)energy_uj / 1e6 / seconds) : json_null());
    json_object_set_new(object, "provenance", json_string(provenance_name(p)));
}

static uint64_t node_energy_uj(const struct energy_counter *c)
{
    return c->measured_uj + c->estimated_uj;
}

/* Both kinds in one total make it an estimate; a missing counted zone makes it unknown. */
static json_t *node_json(const struct energy_counter *c, double seconds)
{
    json_t *node = json_object(), *counted = json_array();

    ARRAY_FOREACH(z, c, zones) {
        if (z->counted)
            json_array_append_new(counted, json_string(z->name));
    }
    set_energy(node, energy_counter_provenance(c), node_energy_uj(c), seconds);
    json_object_set_new(node, "counted", counted);
    return node;
}

static json_t *zones_json(const struct energy_counter *c, double seconds)
{
    json_t *zones = json_array();

    ARRAY_FOREACH(z, c, zones) {
        json_t *zone = json_object();
        json_object_set_new(zone, "name", json_string(z->name));
        json_object_set_new(zone, "path", json_string(z->path));
        json_object_set_new(zone, "kind", json_string(zone_kind_name(z->kind)));
        set_energy(zone, z->provenance, z->energy_uj, seconds);
        json_array_append_new(zones, zone);
    }
    return zones;
}

struct cpu_shares {
    bool known;
    double busy, iowait, steal, guest;
};

static double growth(uint64_t a, uint64_t b)
{
    return b > a ? (double)(b - a) : 0; /* iowait may run backwards */
}

static struct cpu_shares shares_between(const struct cpu_times *a, const struct cpu_times *b)
{
    double busy = growth(a->busy_ns, b->busy_ns), idle = growth(a->idle_ns, b->idle_ns);
    double iowait = growth(a->iowait_ns, b->iowait_ns), steal = growth(a->steal_ns, b->steal_ns);
    double all = busy + idle + iowait + steal;

    if (all <= 0)
        return (struct cpu_shares){ .known = false };
    return (struct cpu_shares){ .known = true,
                                .busy = busy / all,
                                .iowait = iowait / all,
                                .steal = steal / all,
                                .guest = growth(a->guest_ns, b->guest_ns) / all };
}

static struct cpu_shares node_shares(const struct sample *a, const struct sample *b)
{
    if (!a->cpu.valid || !b->cpu.valid)
        return (struct cpu_shares){ .known = false };
    return shares_between(&a->cpu.times, &b->cpu.times);
}

/* Of one CPU of the last look, if it was there at the first. */
static struct cpu_shares one_cpu_shares(const struct sample *first,
                                        const struct sample_one_cpu *last)
{
    ARRAY_FOREACH(cpu, first, cpus) {
        if (cpu->number == last->number)
            return shares_between(&cpu->times, &last->times);
    }
    return (struct cpu_shares){ .known = false };
}

static void set_share(json_t *object, const char *key, bool known, double share)
{
    json_object_set_new(object, key, known ? json_real(share) : json_null());
}

static void set_shares(json_t *object, const struct cpu_shares *s)
{
    set_share(object, "busy", s->known, s->busy);
    set_share(object, "iowait", s->known, s->iowait);
    set_share(object, "steal", s->known, s->steal);
    set_share(object, "guest", s->known, s->guest);
}

static json_t *cpu_json(const struct sample *a, const struct sample *b)
{
    struct cpu_shares s = node_shares(a, b);
    json_t *cpu = json_object(), *each = json_array(), *busiest = NULL;
    double most = -1;

    json_object_set_new(cpu, "online", b->cpu.valid ? json_integer(b->cpu.online) : json_null());
    set_shares(cpu, &s);
    ARRAY_FOREACH(one, b, cpus) {
        json_t *entry = json_object();

        s = one_cpu_shares(a, one);
        json_object_set_new(entry, "cpu", json_integer(one->number));
        set_shares(entry, &s);
        json_array_append_new(each, entry);
        if (s.known && s.busy > most) {
            most = s.busy;
            busiest = json_object_get(entry, "cpu");
        }
    }
    json_object_set(cpu, "busiest", busiest ? busiest : json_null());
    json_object_set_new(cpu, "each", each);
    return cpu;
}

static void set_bytes(json_t *object, const char *key, bool known, uint64_t bytes)
{
    json_object_set_new(object, key, known ? json_integer((json_int_t)bytes) : json_null());
}

static json_t *memory_json(const struct sample *s)
{
    json_t *memory = json_object();

    set_bytes(memory, "total_bytes", s->memory.valid, s->memory.total_bytes);
    set_bytes(memory, "used_bytes", s->memory.valid, s->memory.used_bytes);
    return memory;
}

static json_t *gpus_json(const struct sample *s)
{
    json_t *gpus = json_array();

    ARRAY_FOREACH(g, s, gpus) {
        json_t *gpu = json_object();
        json_object_set_new(gpu, "model", json_string(g->model));
        json_object_set_new(gpu, "uuid", json_string(g->uuid));
        set_bytes(gpu, "memory_bytes", g->valid && g->memory_known, g->memory_bytes);
        set_bytes(gpu, "memory_used_bytes", g->valid && g->memory_known, g->memory_used_bytes);
        set_share(gpu, "utilization", g->valid && g->utilization_known,
                  (double)g->utilization_permille / 1e3);
        json_array_append_new(gpus, gpu);
    }
    return gpus;
}

static json_t *pressure_json(const struct sample *a, const struct sample *b, double seconds)
{
    json_t *pressure = json_object();
    bool known = a->pressure.known && b->pressure.known && seconds > 0;
    double us = seconds * 1e6;

    set_share(pressure, "cpu", known, growth(a->pressure.cpu_us, b->pressure.cpu_us) / us);
    set_share(pressure, "memory", known, growth(a->pressure.memory_us, b->pressure.memory_us) / us);
    set_share(pressure, "io", known, growth(a->pressure.io_us, b->pressure.io_us) / us);
    return pressure;
}

static json_t *problems_json(const struct sample *s)
{
    json_t *problems = json_array();

    ARRAY_FOREACH(p, s, problems) {
        json_t *problem = json_object();
        json_object_set_new(problem, "what", json_string(p->what));
        json_object_set_new(problem, "fix", json_string(p->fix));
        json_array_append_new(problems, problem);
    }
    return problems;
}

void once_json(const struct sample *first, const struct sample *last,
               const struct energy_counter *counter, struct strbuf *out)
{
    double seconds = seconds_between(first, last);
    json_t *root = json_object();

    json_object_set_new(root, "zones", zones_json(counter, seconds));
    json_object_set_new(root, "node", node_json(counter, seconds));
    json_object_set_new(root, "cpu", cpu_json(first, last));
    json_object_set_new(root, "memory", memory_json(last));
    json_object_set_new(root, "gpus", gpus_json(last));
    json_object_set_new(root, "pressure", pressure_json(first, last, seconds));
    json_object_set_new(root, "seconds", json_real(seconds));
    json_object_set_new(root, "problems", problems_json(last));
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(root);
    if (!text)
        abort(); /* memory; the names were made printable when they were read */
    strbuf_puts(out, text);
    strbuf_putc(out, '\n');
    free(text);
}

static void table_row(struct strbuf *out, const char *name, const char *kind, enum provenance p,
                      uint64_t energy_uj, double seconds, const char *note)
{
    strbuf_printf(out, "%-24s %-9s ", name, kind);
    if (has_energy(p) && seconds > 0)
        strbuf_printf(out, "%10.2f %12.3f", (double)energy_uj / 1e6 / seconds,
                      (double)energy_uj / 1e6);
    else
        strbuf_printf(out, "%10s %12s", "-", "-");
    strbuf_printf(out, "  %-12s%s\n", provenance_name(p), note);
}

struct busy_cpu {
    uint32_t number;
    struct cpu_shares shares;
};

/* The busiest first; of equals, the lower number. */
static int compare_busy(const void *a, const void *b)
{
    const struct busy_cpu *x = a, *y = b;

    if (x->shares.busy != y->shares.busy)
        return x->shares.busy > y->shares.busy ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void table_busiest(const struct sample *first, const struct sample *last, struct strbuf *out)
{
    AUTO(mem) struct busy_cpu *cpus = xcalloc(last->n_cpus + 1, sizeof(*cpus));
    size_t n = 0;

    ARRAY_FOREACH(one, last, cpus) {
        cpus[n] = (struct busy_cpu){ one->number, one_cpu_shares(first, one) };
        n += cpus[n].shares.known;
    }
    if (n == 0)
        return;
    qsort(cpus, n, sizeof(*cpus), compare_busy);
    strbuf_puts(out, "busiest ");
    for (size_t i = 0; i < n && i < BUSIEST_SHOWN; i++)
        strbuf_printf(out, "%s cpu%u %.1f %%", i > 0 ? "," : "", cpus[i].number,
                      cpus[i].shares.busy * 100);
    strbuf_putc(out, '\n');
}

static void table_cpu(const struct sample *first, const struct sample *last, struct strbuf *out)
{
    struct cpu_shares c = node_shares(first, last);

    if (!c.known) {
        strbuf_puts(out, "cpu      unknown\n");
        return;
    }
    strbuf_printf(out,
                  "cpu      %u online, %.1f %% busy, %.1f %% waiting, %.1f %% stolen, "
                  "%.1f %% for guests\n",
                  last->cpu.online, c.busy * 100, c.iowait * 100, c.steal * 100, c.guest * 100);
    table_busiest(first, last, out);
}

static void table_host(const struct sample *first, const struct sample *last, struct strbuf *out)
{
    table_cpu(first, last, out);
    if (last->memory.valid)
        strbuf_printf(out, "memory   %.1f of %.1f GiB used\n",
                      (double)last->memory.used_bytes / (1 << 30),
                      (double)last->memory.total_bytes / (1 << 30));
    else
        strbuf_puts(out, "memory   unknown\n");
    ARRAY_FOREACH(g, last, gpus) {
        strbuf_printf(out, "gpu      %s", g->model);
        if (g->valid && g->utilization_known)
            strbuf_printf(out, ", %.1f %% busy", (double)g->utilization_permille / 10);
        if (g->valid && g->memory_known)
            strbuf_printf(out, ", %.1f of %.1f GiB used", (double)g->memory_used_bytes / (1 << 30),
                          (double)g->memory_bytes / (1 << 30));
        strbuf_puts(out, g->valid ? "\n" : ", lost\n");
    }
}

void once_table(const struct sample *first, const struct sample *last,
                const struct energy_counter *counter, struct strbuf *out)
{
    double seconds = seconds_between(first, last);

    strbuf_printf(out, "%-24s %-9s %10s %12s  %-12s%s\n", "ZONE", "KIND", "WATTS", "JOULES",
                  "PROVENANCE", "COUNTED");
    ARRAY_FOREACH(z, counter, zones)
        table_row(out, z->name, zone_kind_name(z->kind), z->provenance, z->energy_uj, seconds,
                  z->counted ? "yes" : "");
    table_row(out, "node", "", energy_counter_provenance(counter), node_energy_uj(counter), seconds,
              "");
    strbuf_putc(out, '\n');
    table_host(first, last, out);
    ARRAY_FOREACH(p, last, problems)
        strbuf_printf(out, "\nproblem: %s\n    fix: %s\n", p->what, p->fix);
}
