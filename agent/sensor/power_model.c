/* Watts from utilization: see power_model.h. */
#include "agent/sensor/power_model.h"

#include <stdio.h>

#include "proto/base/array.h"

/* Ticks come late: by so much the CPUs may have counted less than the time between two stamps. */
#define STAMP_SLACK_S 1.0

/* Utilization between two readings, and how long the CPUs counted on average: a suspended machine
 * counts nothing, and does not idle at full voltage either. False when they do not tell. */
static bool utilization(const struct sample_cpu *a, const struct sample_cpu *b, double *ret_u,
                        double *ret_seconds)
{
    const struct cpu_times *x = &a->times, *y = &b->times;
    double busy, rest;

    if (!a->valid || !b->valid || y->busy_ns < x->busy_ns || y->idle_ns < x->idle_ns ||
        y->steal_ns < x->steal_ns)
        return false;
    busy = (double)(y->busy_ns - x->busy_ns);
    rest = (double)(y->idle_ns - x->idle_ns) + (double)(y->steal_ns - x->steal_ns);
    if (y->iowait_ns >= x->iowait_ns) /* the kernel lets this one run backwards */
        rest += (double)(y->iowait_ns - x->iowait_ns);
    if (busy + rest <= 0)
        return false;
    *ret_u = busy / (busy + rest);
    *ret_seconds = (busy + rest) / 1e9 / (double)b->online;
    return true;
}

void power_model_read(struct power_model *m, struct sample *out)
{
    struct sample_zone *z = ARRAY_ADD(out, zones);
    double u, counted_s;

    (void)snprintf(z->name, sizeof(z->name), "platform");
    (void)snprintf(z->path, sizeof(z->path), "model:%s", m->curve->name);
    z->kind = ZONE_PLATFORM;
    z->provenance = PROVENANCE_ESTIMATED;
    z->counted = true;
    z->valid = out->cpu.valid;
    if (!z->valid)
        (void)snprintf(z->error, sizeof(z->error), "no CPU counters to estimate from");
    if (m->seen && out->boot_ms > m->last_ms && utilization(&m->last, &out->cpu, &u, &counted_s)) {
        double seconds = (double)(out->boot_ms - m->last_ms) / 1e3;
        seconds = counted_s < seconds - STAMP_SLACK_S ? counted_s : seconds;
        m->rest_uj += power_curve_watts(m->curve, u, out->cpu.online) * seconds * 1e6;
        uint64_t whole = (uint64_t)m->rest_uj;
        m->energy_uj += whole;
        m->rest_uj -= (double)whole;
    }
    m->seen = true;
    m->last_ms = out->boot_ms;
    m->last = out->cpu;
    z->raw_uj = m->energy_uj;
}
