/* Samples as CSV: see record.h. */
#include "agent/record.h"

void record_header(struct strbuf *out)
{
    strbuf_puts(out, "time_ms,cpus,busy_s,idle_s,iowait_s,steal_s,memory_bytes,energy_j,"
                     "estimated_j,gaps,provenance\n");
}

static void seconds(struct strbuf *out, uint64_t first_ns, uint64_t now_ns)
{
    uint64_t ms = now_ns > first_ns ? (now_ns - first_ns) / 1000000 : 0;

    strbuf_printf(out, ",%llu.%03llu", (unsigned long long)(ms / 1000),
                  (unsigned long long)(ms % 1000));
}

static void add_cpu(const struct sample_cpu *first, const struct sample_cpu *now,
                    struct strbuf *out)
{
    if (!first->valid || !now->valid) {
        strbuf_puts(out, ",,,,,");
        return;
    }
    strbuf_printf(out, ",%u", now->online);
    seconds(out, first->times.busy_ns, now->times.busy_ns);
    seconds(out, first->times.idle_ns, now->times.idle_ns);
    seconds(out, first->times.iowait_ns, now->times.iowait_ns);
    seconds(out, first->times.steal_ns, now->times.steal_ns);
}

static void joules(struct strbuf *out, uint64_t uj)
{
    strbuf_printf(out, ",%llu.%06llu", (unsigned long long)(uj / 1000000),
                  (unsigned long long)(uj % 1000000));
}

static void add_energy(const struct energy_counter *c, struct strbuf *out)
{
    enum provenance p = energy_counter_provenance(c);

    if (p == PROVENANCE_UNAVAILABLE) {
        strbuf_puts(out, ",,");
    } else {
        joules(out, c->measured_uj);
        joules(out, c->estimated_uj);
    }
    strbuf_printf(out, ",%u,%s\n", c->gaps, provenance_name(p));
}

void record_line(const struct sample *first, const struct sample *now,
                 const struct energy_counter *counter, struct strbuf *out)
{
    strbuf_printf(out, "%lld", (long long)now->wall_ms);
    add_cpu(&first->cpu, &now->cpu, out);
    if (now->memory.valid)
        strbuf_printf(out, ",%llu", (unsigned long long)now->memory.used_bytes);
    else
        strbuf_putc(out, ',');
    add_energy(counter, out);
}
