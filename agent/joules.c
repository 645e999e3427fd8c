/* Whose joules they were. A GPU's go to the replicas that hold it, in equal parts; all others to
 * replicas and pods by reserved and used CPU (attribution.h). What is idle is told apart by what
 * the node would draw doing nothing (idle_power.h), and by the least that the GPU was seen to draw.
 * Replicas and rest are the node, exactly. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core.h"
#include "proto/base/array.h"

struct interval {
    const struct sample *sample;
    int64_t length_ms;
    uint64_t busy_ns, whole_ns; /* CPU time */
};

static bool is_plain(enum provenance p)
{
    return p == PROVENANCE_MEASURED || p == PROVENANCE_ESTIMATED;
}

static double watts_of(uint64_t step_uj, int64_t length_ms)
{
    return (double)step_uj / 1e3 / (double)length_ms;
}

/* How much of the interval's energy is idle. */
static uint64_t idle_part_uj(double idle_w, uint64_t step_uj, int64_t length_ms)
{
    if (idle_w <= 0 || idle_w >= watts_of(step_uj, length_ms))
        return step_uj;
    return (uint64_t)(idle_w * 1e3 * (double)length_ms);
}

/* Watts over a time that is long enough to tell them, in `ret`; false: not yet, or nothing to go
 * by.
 */
static bool can_learn(struct watched *w, enum provenance p, const struct watched *interval,
                      struct watched *ret)
{
    if (is_plain(p) && !watched_add(w, interval))
        return false;
    *ret = *w;
    *w = (struct watched){ 0 };
    return is_plain(p) && ret->energy_uj > 0;
}

static void make_room(struct agent *a)
{
    if (a->cap_shares < a->n_replicas + a->n_pods) {
        a->cap_shares = a->n_replicas + a->n_pods;
        a->shares = xrealloc(a->shares, a->cap_shares * sizeof(*a->shares));
    }
    if (a->cap_gpu_idle < a->energy.n_zones) {
        a->gpu_idle = xrealloc(a->gpu_idle, a->energy.n_zones * sizeof(*a->gpu_idle));
        for (size_t i = a->cap_gpu_idle; i < a->energy.n_zones; i++)
            a->gpu_idle[i] = (struct gpu_idle){ 0 };
        a->cap_gpu_idle = a->energy.n_zones;
    }
}

static size_t add_pods(struct agent *a, size_t n)
{
    ARRAY_FOREACH(p, a, pods) {
        if (p->here)
            a->shares[n++] = (struct attribution_share){ .reserved_milli = p->requested_milli,
                                                         .cpu_ns = p->step_ns };
    }
    return n;
}

static void take_pods(struct agent *a, size_t n)
{
    ARRAY_FOREACH(p, a, pods) {
        if (!p->here)
            continue;
        p->idle_uj += a->shares[n].idle_uj;
        p->dynamic_uj += a->shares[n++].dynamic_uj;
    }
}

/* Splits, and adds up; `takes` says whether a replica has a part in it. Which GPU a pod holds is
 * not known: of those (`equal`) pods get nothing. */
typedef bool takes_fn(const struct replica *r, uint32_t gpu);

static void share_out(struct agent *a, const struct attribution_node *node, takes_fn *takes,
                      uint32_t gpu, bool equal)
{
    size_t n = 0, n_replicas;

    for (size_t i = 0; i < a->n_replicas; i++) {
        const struct replica *r = a->replicas[i];

        if (takes(r, gpu))
            a->shares[n++] =
                (struct attribution_share){ .reserved_milli = equal ? 1 : r->spec->cpu_milli,
                                            .cpu_ns = equal ? 1 : r->cpu.step_ns };
    }
    n_replicas = n;
    if (!equal)
        n = add_pods(a, n);
    a->unattributed_uj += attribution_split(node, a->shares, n);
    if (!equal)
        take_pods(a, n_replicas);
    n = 0;
    for (size_t i = 0; i < a->n_replicas; i++) {
        struct replica *r = a->replicas[i];

        if (!takes(r, gpu))
            continue;
        r->idle_uj += a->shares[n].idle_uj;
        r->dynamic_uj += a->shares[n++].dynamic_uj;
    }
}

/* --- GPUs ------------------------------------------------------------------------------------- */

static bool holds_gpu(const struct replica *r, uint32_t gpu)
{
    for (size_t i = 0; replica_has_process(r) && i < r->spec->n_gpus; i++)
        if (r->spec->gpus[i] == gpu)
            return true;
    return false;
}

/* The device number, as manifests and replies count them, of a zone "nvml:UUID". */
static uint32_t gpu_of(const struct sample *s, const struct energy_zone *z)
{
    const char *uuid = strchr(z->path, ':');

    for (size_t i = 0; uuid && i < s->n_gpus; i++)
        if (strcmp(s->gpus[i].uuid, uuid + 1) == 0)
            return (uint32_t)i;
    return UINT32_MAX; /* nobody holds it */
}

static void learn_gpu(struct gpu_idle *idle, const struct energy_zone *z, int64_t length_ms)
{
    const struct watched interval = { .length_ms = length_ms, .energy_uj = z->step_uj };
    struct watched seen;
    double watts;

    if (!can_learn(&idle->watched, z->provenance, &interval, &seen))
        return;
    watts = watts_of(seen.energy_uj, seen.length_ms);
    if (idle->watts <= 0 || watts < idle->watts)
        idle->watts = watts;
}

/* Returns the energy of all of them. */
static uint64_t share_gpus(struct agent *a, const struct interval *interval)
{
    uint64_t all_uj = 0;

    for (size_t i = 0; i < a->energy.n_zones; i++) {
        const struct energy_zone *z = &a->energy.zones[i];
        struct attribution_node node = { .energy_uj = z->step_uj };

        if (z->kind != ZONE_GPU || !z->counted)
            continue;
        learn_gpu(&a->gpu_idle[i], z, interval->length_ms);
        if (z->step_uj == 0)
            continue;
        node.idle_uj = idle_part_uj(a->gpu_idle[i].watts, z->step_uj, interval->length_ms);
        share_out(a, &node, holds_gpu, gpu_of(interval->sample, z), true);
        all_uj += z->step_uj;
    }
    return all_uj;
}

/* --- all the rest ----------------------------------------------------------------------------- */

static bool runs(const struct replica *r, uint32_t gpu)
{
    (void)gpu;
    return replica_has_process(r);
}

static void share_rest(struct agent *a, const struct interval *interval, uint64_t step_uj)
{
    struct attribution_node node = { .energy_uj = step_uj,
                                     .capacity_milli = a->inventory ? a->inventory->cpu_milli : 0,
                                     .busy_ns = interval->busy_ns };
    const struct watched watched = { interval->length_ms, step_uj, interval->busy_ns,
                                     interval->whole_ns };
    struct watched seen;

    if (can_learn(&a->idle_watched, energy_counter_provenance(&a->energy), &watched, &seen))
        idle_power_add(&a->idle,
                       seen.whole_ns > 0 ? (double)seen.busy_ns / (double)seen.whole_ns : NAN,
                       watts_of(seen.energy_uj, seen.length_ms), (double)seen.length_ms / 1e3);
    node.idle_uj = idle_part_uj(idle_power_w(&a->idle), step_uj, interval->length_ms);
    share_out(a, &node, runs, 0, false);
}

void joules_attribute(struct agent *a, uint64_t step_uj, const struct sample *s, uint64_t busy_ns,
                      uint64_t whole_ns)
{
    struct interval interval = { s, s->boot_ms - a->look.boot_ms, busy_ns, whole_ns };
    uint64_t gpus_uj;

    make_room(a);
    gpus_uj = share_gpus(a, &interval);
    share_rest(a, &interval, step_uj - gpus_uj);
}
