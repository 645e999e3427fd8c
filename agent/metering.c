/* Samples into counters since the epoch: the node's joules, each replica's CPU time, and the work
 * of strangers; joules.c shares the joules out. Must never count an interval twice, nor guess a
 * joule.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/core.h"
#include "proto/base/array.h"

#define FOREIGN_EVERY_MS 5000
#define FOREIGN_WINDOW_MS 60000
#define FOREIGN_LEAST_MS 8000

static uint64_t grown(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static uint64_t energy_uj(const struct agent *a)
{
    return a->energy.measured_uj + a->energy.estimated_uj;
}

/* --- CPU of replicas -------------------------------------------------------------------------- */

static void take_cpu(struct replica *r, const struct sample_group *g)
{
    r->cpu.step_ns = 0;
    if (r->cpu.based && g->cpu_ns >= r->cpu.last_ns)
        r->cpu.step_ns = g->cpu_ns - r->cpu.last_ns;
    else if (r->cpu.based && r->cpu.restarted)
        r->cpu.step_ns = g->cpu_ns;
    /* Otherwise a child ended and took its time with it: nothing was used by falling. */
    r->cpu.based = true;
    r->cpu.restarted = false;
    r->cpu.last_ns = g->cpu_ns;
    r->cpu.total_ns += r->cpu.step_ns;
    r->memory_bytes = g->memory_bytes;
}

/* They mostly stand where they stood last time. */
static const struct sample_group *group_of(const struct sample *s, struct replica *r)
{
    if (r->group_place < s->n_groups && s->groups[r->group_place].id == r->group_id)
        return &s->groups[r->group_place];
    for (size_t i = 0; i < s->n_groups; i++) {
        if (s->groups[i].id == r->group_id) {
            r->group_place = i;
            return &s->groups[i];
        }
    }
    return NULL;
}

static uint64_t take_groups(struct agent *a, const struct sample *s, uint64_t *ret_self_ns)
{
    uint64_t used_ns = 0;

    *ret_self_ns = 0;
    for (size_t i = 0; i < a->n_replicas; i++) {
        struct replica *r = a->replicas[i];
        const struct sample_group *g = replica_has_process(r) ? group_of(s, r) : NULL;

        r->cpu.step_ns = 0;
        if (g && g->valid)
            take_cpu(r, g);
        used_ns += r->cpu.step_ns;
    }
    ARRAY_FOREACH(g, s, groups) {
        if (g->id == 0 && g->valid)
            *ret_self_ns = g->cpu_ns;
    }
    return used_ns;
}

/* --- the work of strangers -------------------------------------------------------------------- */

static void take_foreign(struct agent *a, const struct sample *s, uint64_t busy_ns, uint64_t all_ns,
                         uint64_t known_ns)
{
    struct foreign_point *last = a->n_foreign ? &a->foreign[a->n_foreign - 1] : NULL;
    struct foreign_point now = { .ms = s->boot_ms };

    if (last) {
        now.busy_ns = last->busy_ns + busy_ns;
        now.known_ns = last->known_ns + known_ns;
        now.all_ns = last->all_ns + all_ns;
    }
    /* The newest point moves on until it stands far enough from the one before it. */
    if (a->n_foreign >= 2 && last->ms - a->foreign[a->n_foreign - 2].ms < FOREIGN_EVERY_MS) {
        *last = now;
        return;
    }
    if (a->n_foreign == FOREIGN_POINTS)
        memmove(a->foreign, a->foreign + 1, --a->n_foreign * sizeof(a->foreign[0]));
    a->foreign[a->n_foreign++] = now;
}

bool metering_foreign_permille(const struct agent *a, uint32_t *ret_permille)
{
    const struct foreign_point *last = a->n_foreign ? &a->foreign[a->n_foreign - 1] : NULL;
    const struct foreign_point *from = a->foreign;

    if (!last)
        return false;
    while (from < last && last->ms - from[1].ms >= FOREIGN_WINDOW_MS)
        from++;
    if (last->ms - from->ms < FOREIGN_LEAST_MS || last->all_ns <= from->all_ns)
        return false;
    /* Over the whole window, not sample by sample: /proc/stat counts in ticks, cgroups do not. */
    *ret_permille =
        (uint32_t)((double)grown(last->busy_ns - from->busy_ns, last->known_ns - from->known_ns) *
                   1000 / (double)(last->all_ns - from->all_ns));
    if (*ret_permille > 1000)
        *ret_permille = 1000;
    return true;
}

/* --- one sample ------------------------------------------------------------------------------- */

static uint64_t all_ns(const struct sample_cpu *c)
{
    return c->times.busy_ns + c->times.idle_ns + c->times.iowait_ns;
}

/* Of the replicas, and of this agent itself, since the sample before. */
static uint64_t known_ns(struct agent *a, const struct sample *s)
{
    uint64_t self_ns, known = take_groups(a, s, &self_ns);

    if (a->looked && self_ns > 0)
        known += grown(self_ns, a->self_ns);
    if (self_ns > 0)
        a->self_ns = self_ns;
    return known;
}

static void keep(struct agent *a, const struct sample *s)
{
    sample_copy(&a->look, s);
    a->looked = true;
    if (s->cpu.valid)
        a->cpu = s->cpu;
}

void metering_take(struct agent *a, const struct sample *s)
{
    uint64_t before_uj = energy_uj(a), known, busy_ns = 0, whole_ns = 0;
    bool cpu = a->looked && s->cpu.valid && a->cpu.valid;

    if (a->looked && s->boot_ms <= a->look.boot_ms)
        return;
    energy_counter_add(&a->energy, s);
    known = known_ns(a, s);
    pods_take(a, s);
    for (size_t i = 0; i < a->n_pods; i++) /* Kubernetes says which of them hold a node */
        known += a->pods[i].step_ns;
    if (cpu) {
        busy_ns = grown(s->cpu.times.busy_ns, a->cpu.times.busy_ns);
        whole_ns = grown(all_ns(&s->cpu), all_ns(&a->cpu));
    }
    if (a->looked)
        joules_attribute(a, energy_uj(a) - before_uj, s, busy_ns, whole_ns);
    if (cpu || !a->looked)
        take_foreign(a, s, busy_ns, whole_ns, known);
    keep(a, s);
}

void metering_zero(struct agent *a)
{
    a->energy.measured_uj = a->energy.estimated_uj = a->unattributed_uj = 0;
    a->energy.gaps = 0;
    ARRAY_FOREACH(z, &a->energy, zones) {
        z->energy_uj = 0;
        z->gaps = 0;
    }
    for (size_t i = 0; i < a->n_replicas; i++) {
        struct replica *r = a->replicas[i];

        r->cpu.total_ns = r->idle_uj = r->dynamic_uj = 0;
        service_counters_zero(&r->service);
    }
    pods_zero(a);
}
