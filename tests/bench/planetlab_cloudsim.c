/* The reference policies, as CloudSim 3.0.3 has them: a host is overloaded when its requests pass a
 * threshold that is fixed (thr), follows the spread of its history (iqr, mad) or a trend (lr); then
 * machines with the least memory leave it (MMT), each to the host on which it adds the least power;
 * then hosts are emptied from the least used one on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "tests/bench/planetlab_arena.h"

#define FALLBACK 0.7

/* --- thresholds ---------------------------------------------------------------------------------
 */

static int host_history(const struct pl_arena *a, const struct pl_host *h, double *out)
{
    int n = PL_HISTORY;

    memset(out, 0, PL_HISTORY * sizeof(*out));
    for (size_t i = 0; i < h->n_entries; i++) {
        const struct pl_vm *v = &a->vms[h->entries[i].vm];

        for (int k = 0; k < v->n_history; k++)
            out[k] += v->history[k] * v->mips / h->total_mips;
    }
    while (n > 1 && out[n - 1] == 0)
        n--;
    return n;
}

static double iqr(double *x, int n)
{
    int q1 = (int)floor(0.25 * (n + 1) + 0.5) - 1, q3 = (int)floor(0.75 * (n + 1) + 0.5) - 1;

    qsort(x, (size_t)n, sizeof(*x), array_by_double);
    return x[q3] - x[q1];
}

static double median(double *x, int n)
{
    double at = 0.5 * (n + 1), low = floor(at);

    qsort(x, (size_t)n, sizeof(*x), array_by_double);
    if (at < 1)
        return x[0];
    if (at >= n)
        return x[n - 1];
    return x[(int)low - 1] + (at - low) * (x[(int)low] - x[(int)low - 1]);
}

static double mad(double *x, int n)
{
    double m = median(x, n);

    for (int i = 0; i < n; i++)
        x[i] = fabs(m - x[i]);
    return median(x, n);
}

/* Ordinary least squares over the last ten, oldest first, one migration ahead. */
static double trend(const double *newest_first)
{
    double mean = 0, sxy = 0, sxx = 0, slope;

    for (int i = 0; i < 10; i++)
        mean += newest_first[9 - i] / 10;
    for (int i = 0; i < 10; i++) {
        sxy += (i + 1 - 5.5) * (newest_first[9 - i] - mean);
        sxx += (i + 1 - 5.5) * (i + 1 - 5.5);
    }
    slope = sxy / sxx;
    return mean - slope * 5.5 + slope * 11;
}

static bool overloaded(const struct pl_reference *p, const struct pl_arena *a,
                       const struct pl_host *h)
{
    double history[PL_HISTORY], sum = 0, limit = FALLBACK;
    int n;

    for (size_t i = 0; i < h->n_entries; i++)
        sum += a->vms[h->entries[i].vm].request;
    if (strcmp(p->name, "thr") == 0)
        return sum / h->total_mips > p->parameter;
    n = host_history(a, h, history);
    if (strcmp(p->name, "lr") == 0 && n >= 10)
        return trend(history) * p->parameter >= 1;
    if (strcmp(p->name, "iqr") == 0 && n >= 12)
        limit = 1 - p->parameter * iqr(history, n);
    if (strcmp(p->name, "mad") == 0 && n >= 12)
        limit = 1 - p->parameter * mad(history, n);
    return sum / h->total_mips > limit;
}

/* --- finding a host -----------------------------------------------------------------------------
 */

static double potential_mips(const struct pl_host *h)
{
    double sum = 0;

    for (size_t i = 0; i < h->n_entries; i++)
        sum += h->entries[i].incoming ? h->entries[i].alloc * 0.9 / 0.1 + h->entries[i].alloc
                                      : h->entries[i].alloc;
    return sum;
}

static double power_now(const struct pl_host *h)
{
    double u = h->used / h->total_mips;

    return pl_watts(h, u > 1 && u < 1.01 ? 1 : u);
}

/* `ram` is what binds at the start only; NULL later. */
static uint32_t find_host(const struct pl_reference *p, struct pl_arena *a, uint32_t vm,
                          const bool *excluded, const int *ram)
{
    double request = a->vms[vm].request, least = INFINITY;
    uint32_t best = PL_NOWHERE;

    for (uint32_t k = 0; k < PL_HOSTS; k++) {
        struct pl_host *h = &a->hosts[k];
        double mips, diff;

        if (excluded[k] || !pl_suits(h, request) || (ram && ram[k] < a->vms[vm].ram))
            continue;
        mips = potential_mips(h);
        if (mips != 0 && !ram) {
            bool over;

            pl_put(a, k, vm, false);
            over = overloaded(p, a, h);
            pl_take(a, k, vm);
            if (over)
                continue;
        }
        diff = (mips + request) / h->total_mips;
        if (diff > 1)
            continue;
        diff = pl_watts(h, diff) - power_now(h);
        if (diff < least) {
            least = diff;
            best = k;
        }
    }
    return best;
}

struct by_use {
    uint32_t vm;
    double mips;
    size_t order;
};

static int busiest_first(const void *x, const void *y)
{
    const struct by_use *a = x, *b = y;

    if (a->mips != b->mips)
        return a->mips > b->mips ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static void sort_by_use(const struct pl_arena *a, struct by_use *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        list[i].mips = pl_utilisation(&a->vms[list[i].vm], a->now_s) * a->vms[list[i].vm].mips;
        list[i].order = i;
    }
    qsort(list, n, sizeof(*list), busiest_first);
}

/* --- a step -------------------------------------------------------------------------------------
 */

static void save(struct pl_reference *p, const struct pl_arena *a)
{
    p->n_saved = 0;
    for (uint32_t k = 0; k < PL_HOSTS; k++)
        for (size_t i = 0; i < a->hosts[k].n_entries; i++)
            if (!a->hosts[k].entries[i].incoming)
                *ARRAY_ADD(p, saved) = (struct pl_move){ a->hosts[k].entries[i].vm, k };
}

/* Those that come in first, then the saved ones in their order: this changes the lists' order. */
static void restore(struct pl_reference *p, struct pl_arena *a)
{
    for (uint32_t k = 0; k < PL_HOSTS; k++) {
        struct pl_host *h = &a->hosts[k];
        size_t kept = 0;

        for (size_t i = 0; i < h->n_entries; i++)
            if (h->entries[i].incoming)
                h->entries[kept++] = h->entries[i];
        h->n_entries = kept;
        h->available = h->total_mips;
    }
    ARRAY_FOREACH(m, p, saved)
        pl_put(a, m->host, m->vm, false);
}

static uint32_t least_memory(const struct pl_arena *a, const struct pl_host *h)
{
    uint32_t best = PL_NOWHERE;

    for (size_t i = 0; i < h->n_entries; i++) {
        uint32_t vm = h->entries[i].vm;

        if (!a->vms[vm].migrating && (best == PL_NOWHERE || a->vms[vm].ram < a->vms[best].ram))
            best = vm;
    }
    return best;
}

static void relieve(struct pl_reference *p, struct pl_arena *a, const bool *over)
{
    AUTO(mem) struct by_use *list = xcalloc(a->n_vms + 1, sizeof(*list));
    size_t n = 0;

    for (uint32_t k = 0; k < PL_HOSTS; k++) {
        uint32_t vm;

        if (!over[k])
            continue;
        while ((vm = least_memory(a, &a->hosts[k])) != PL_NOWHERE) {
            pl_take(a, k, vm);
            list[n++].vm = vm;
            if (!overloaded(p, a, &a->hosts[k]))
                break;
        }
    }
    sort_by_use(a, list, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t host = find_host(p, a, list[i].vm, over, NULL);

        if (host == PL_NOWHERE)
            continue;
        pl_put(a, host, list[i].vm, false);
        *ARRAY_ADD(a, moves) = (struct pl_move){ list[i].vm, host };
    }
}

static bool leaving_or_receiving(const struct pl_arena *a, const struct pl_host *h)
{
    for (size_t i = 0; i < h->n_entries; i++) {
        if (!a->vms[h->entries[i].vm].migrating)
            return false;
        if (h->entries[i].incoming)
            return true;
    }
    return true;
}

static uint32_t least_used(const struct pl_arena *a, const bool *excluded)
{
    uint32_t best = PL_NOWHERE;
    double least = 1;

    for (uint32_t k = 0; k < PL_HOSTS; k++) {
        double u = a->hosts[k].used / a->hosts[k].total_mips;

        if (excluded[k] || u <= 0 || u >= least || leaving_or_receiving(a, &a->hosts[k]))
            continue;
        least = u;
        best = k;
    }
    return best;
}

static void empty_host(struct pl_reference *p, struct pl_arena *a, uint32_t k, bool *no_source,
                       const bool *no_target)
{
    const struct pl_host *h = &a->hosts[k];
    AUTO(mem) struct by_use *list = xcalloc(h->n_entries + 1, sizeof(*list));
    size_t n = 0, before = a->n_moves;

    for (size_t i = 0; i < h->n_entries; i++)
        if (!a->vms[h->entries[i].vm].migrating)
            list[n++].vm = h->entries[i].vm;
    sort_by_use(a, list, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t host = find_host(p, a, list[i].vm, no_target, NULL);

        if (host == PL_NOWHERE) {
            while (a->n_moves > before) {
                a->n_moves--;
                pl_take(a, a->moves[a->n_moves].host, a->moves[a->n_moves].vm);
            }
            return;
        }
        pl_put(a, host, list[i].vm, false);
        *ARRAY_ADD(a, moves) = (struct pl_move){ list[i].vm, host };
    }
    for (size_t i = before; i < a->n_moves; i++)
        no_source[a->moves[i].host] = true;
}

static void decide(void *state, struct pl_arena *a)
{
    struct pl_reference *p = state;
    bool over[PL_HOSTS], no_source[PL_HOSTS], no_target[PL_HOSTS];
    uint32_t k;

    if (strcmp(p->name, "dvfs") == 0)
        return;
    for (k = 0; k < PL_HOSTS; k++) {
        over[k] = overloaded(p, a, &a->hosts[k]);
        no_source[k] = no_target[k] = over[k] || a->hosts[k].used == 0;
    }
    save(p, a);
    relieve(p, a, over);
    while ((k = least_used(a, no_source)) != PL_NOWHERE) {
        no_source[k] = no_target[k] = true;
        empty_host(p, a, k, no_source, no_target);
    }
    restore(p, a);
}

static bool start(void *state, struct pl_arena *a, uint32_t *ret_host)
{
    const struct pl_reference *p = state;
    bool none[PL_HOSTS] = { false };
    int ram[PL_HOSTS];

    for (uint32_t k = 0; k < PL_HOSTS; k++)
        ram[k] = PL_HOST_RAM;
    for (uint32_t i = 0; i < a->n_vms; i++) {
        uint32_t host = 0;

        a->vms[i].request = a->vms[i].mips;
        if (strcmp(p->name, "dvfs") == 0)
            while (host < PL_HOSTS &&
                   (!pl_suits(&a->hosts[host], a->vms[i].mips) || ram[host] < a->vms[i].ram))
                host++;
        else
            host = find_host(p, a, i, none, ram);
        if (host >= PL_HOSTS)
            return false;
        pl_put(a, host, i, false);
        ram[host] -= a->vms[i].ram;
        ret_host[i] = host;
    }
    return true;
}

struct pl_policy pl_reference_policy(struct pl_reference *r)
{
    return (struct pl_policy){ start, decide, r };
}

void pl_reference_done(struct pl_reference *r)
{
    free(r->saved);
    r->saved = NULL;
}
