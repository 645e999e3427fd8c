/* CPU time as counters that only grow: see cpu_counters.h. */
#include "agent/cpu_counters.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

/* Falls of idle and iowait between two readings stay far below; prometheus-node-exporter draws the
 * line in the same place (jumpBackSeconds). */
#define FAR_NS 3000000000u

static void count(uint64_t *last, uint64_t *total, uint64_t now)
{
    if (now >= *last)
        *total += now - *last;
    else if (*last - now < FAR_NS)
        return; /* until it has caught up */
    *last = now;
}

static void counter_add(struct cpu_counter *c, const struct cpu_times *now)
{
    count(&c->last.busy_ns, &c->total.busy_ns, now->busy_ns);
    count(&c->last.idle_ns, &c->total.idle_ns, now->idle_ns);
    count(&c->last.iowait_ns, &c->total.iowait_ns, now->iowait_ns);
    count(&c->last.steal_ns, &c->total.steal_ns, now->steal_ns);
    count(&c->last.guest_ns, &c->total.guest_ns, now->guest_ns);
    c->online = true;
}

/* The place of the first CPU, from `i` on, that is not below `number`; one is made there if it is
 * new. */
static size_t place_of(struct cpu_counters *c, size_t i, uint32_t number)
{
    while (i < c->n_cpus && c->cpus[i].number < number)
        i++;
    if (i < c->n_cpus && c->cpus[i].number == number)
        return i;
    (void)ARRAY_ADD(c, cpus);
    memmove(&c->cpus[i + 1], &c->cpus[i], (c->n_cpus - 1 - i) * sizeof(c->cpus[0]));
    c->cpus[i] = (struct cpu_counter){ .number = number };
    return i;
}

void cpu_counters_add(struct cpu_counters *c, const struct sample *s)
{
    size_t place = 0;

    if (!s->cpu.valid) /* nothing was read; the next reading tells of both intervals */
        return;
    counter_add(&c->all, &s->cpu.times);
    ARRAY_FOREACH(cpu, c, cpus)
        cpu->online = false;
    ARRAY_FOREACH(now, s, cpus) {
        place = place_of(c, place, now->number);
        counter_add(&c->cpus[place], &now->times);
    }
}

void cpu_counters_done(struct cpu_counters *c)
{
    free(c->cpus);
    memset(c, 0, sizeof(*c));
}
