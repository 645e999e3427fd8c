/* Time, CPU sharing, migrations and metrics. */
#include "tests/bench/planetlab_arena.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "tests/bench/cost.h"

static const double g4_watts[] = { 86, 89.4, 92.6, 96, 99.5, 102, 106, 108, 112, 114, 117 };
static const double g5_watts[] = { 93.7, 97, 101, 105, 110, 116, 121, 125, 129, 133, 135 };

double pl_watts(const struct pl_host *h, double u)
{
    int low;

    if (fmod(u, 0.1) == 0)
        return h->watts[(int)(u * 10)];
    low = (int)floor(u * 10);
    return h->watts[low] +
           (h->watts[(int)ceil(u * 10)] - h->watts[low]) / 10 * (u - (double)low / 10) * 100;
}

double pl_utilisation(const struct pl_vm *v, double t)
{
    int a, b;

    if (fmod(t, PL_STEP_S) == 0)
        return v->demand[(int)t / (int)PL_STEP_S];
    a = (int)floor(t / PL_STEP_S);
    b = (int)ceil(t / PL_STEP_S);
    return v->demand[a] +
           (v->demand[b] - v->demand[a]) / ((b - a) * PL_STEP_S) * (t - a * PL_STEP_S);
}

/* --- sharing of CPU -----------------------------------------------------------------------------
 */

static double needed(const struct pl_host *h, const struct pl_entry *e)
{
    double q = fmin(e->request, h->pe_mips);

    return e->incoming ? q * 0.1 : q;
}

static void share(struct pl_host *h)
{
    double sum = 0;
    bool over = false;

    h->available = h->total_mips;
    for (size_t i = 0; i < h->n_entries; i++) {
        double q = needed(h, &h->entries[i]);

        over = over || h->available < q;
        h->available = over ? 0 : h->available - q;
        sum += q;
    }
    for (size_t i = 0; i < h->n_entries; i++) {
        struct pl_entry *e = &h->entries[i];
        double r = fmin(e->request, h->pe_mips), scale = over ? h->total_mips / sum : 1;

        if (h->leaving[e->vm])
            r = over ? r * scale * 0.9 : r * 0.9;
        else if (e->incoming)
            r = over ? r * 0.1 * scale : r * 0.1;
        else
            r = over ? r * scale : r;
        e->alloc = over ? floor(r) : r;
    }
}

static struct pl_entry *entry_of(struct pl_host *h, uint32_t vm)
{
    for (size_t i = 0; i < h->n_entries; i++)
        if (h->entries[i].vm == vm)
            return &h->entries[i];
    return NULL;
}

static void mark_leaving(struct pl_arena *a, struct pl_host *h, const struct pl_entry *e)
{
    if (!a->vms[e->vm].migrating)
        h->leaving[e->vm] = false;
    else if (!e->incoming)
        h->leaving[e->vm] = true;
}

void pl_put(struct pl_arena *a, uint32_t host, uint32_t vm, bool incoming)
{
    struct pl_host *h = &a->hosts[host];
    struct pl_entry *e = ARRAY_ADD(h, entries);

    *e = (struct pl_entry){ vm, a->vms[vm].request, 0, incoming };
    mark_leaving(a, h, e);
    share(h);
}

void pl_take(struct pl_arena *a, uint32_t host, uint32_t vm)
{
    struct pl_host *h = &a->hosts[host];
    struct pl_entry *e = entry_of(h, vm);
    size_t i;

    if (!e)
        return;
    i = (size_t)(e - h->entries);
    memmove(e, e + 1, (h->n_entries - i - 1) * sizeof(*e));
    h->n_entries--;
    share(h);
}

bool pl_suits(const struct pl_host *h, double request)
{
    return h->pe_mips >= request && h->available >= request;
}

/* --- updates ------------------------------------------------------------------------------------
 */

static void vm_entry(struct pl_vm *v, double t, double alloc, double request, bool migrating)
{
    double dt = t - v->entry_time;

    if (v->entry_time >= 0 && dt > 0) {
        v->sum_request += v->entry_request * dt;
        v->sum_alloc += v->entry_alloc * dt;
        if (v->entry_migrating && v->entry_alloc < v->entry_request)
            v->sum_lost += (v->entry_request - v->entry_alloc) * dt;
    }
    v->entry_time = t;
    v->entry_alloc = alloc;
    v->entry_request = request;
    v->entry_migrating = migrating;
}

static void host_entry(struct pl_host *h, double t, double alloc, double request)
{
    double dt = t - h->entry_time;

    if (h->has_entry && h->entry_active && dt > 0) {
        h->active_s += dt;
        h->violated_s += h->entry_alloc < h->entry_request ? dt : 0;
    }
    h->has_entry = true;
    h->entry_time = t;
    h->entry_alloc = alloc;
    h->entry_request = request;
    h->entry_active = alloc > 0;
}

static void refresh_vm(struct pl_vm *v, double t)
{
    double u = pl_utilisation(v, t);

    v->request = u * v->mips;
    if (t <= v->history_time || fmod(t - 0.1, PL_STEP_S) != 0)
        return;
    memmove(v->history + 1, v->history, (PL_HISTORY - 1) * sizeof(*v->history));
    v->history[0] = u;
    v->n_history += v->n_history < PL_HISTORY;
    v->history_time = t;
}

static void update_host(struct pl_arena *a, struct pl_host *h)
{
    double requested = 0;

    for (size_t i = 0; i < h->n_entries; i++) {
        refresh_vm(&a->vms[h->entries[i].vm], a->now_s);
        h->entries[i].request = a->vms[h->entries[i].vm].request;
    }
    h->used_before = h->used;
    h->used = 0;
    for (size_t i = 0; i < h->n_entries; i++)
        mark_leaving(a, h, &h->entries[i]);
    share(h);
    for (size_t i = 0; i < h->n_entries; i++) {
        const struct pl_entry *e = &h->entries[i];
        struct pl_vm *v = &a->vms[e->vm];
        double alloc = e->alloc;

        if (!e->incoming) {
            vm_entry(v, a->now_s, alloc, e->request, v->migrating);
            alloc = v->migrating ? alloc / 0.9 : alloc;
        }
        h->used += alloc;
        requested += e->request;
    }
    host_entry(h, a->now_s, h->used, requested);
}

static double clipped(double u)
{
    return u > 1 ? 1 : u;
}

static void destroy_idle(struct pl_arena *a)
{
    for (uint32_t k = 0; k < PL_HOSTS; k++) {
        struct pl_host *h = &a->hosts[k];

        for (size_t i = 0; i < h->n_entries; i++) {
            struct pl_vm *v = &a->vms[h->entries[i].vm];

            if (v->migrating || v->request != 0)
                continue;
            v->alive = false;
            v->host = PL_NOWHERE;
            pl_take(a, k, h->entries[i].vm);
            i--;
        }
    }
}

static void update_all(struct pl_arena *a)
{
    double dt = a->now_s - a->last_s, joules = 0;

    for (uint32_t k = 0; k < PL_HOSTS; k++)
        update_host(a, &a->hosts[k]);
    for (uint32_t k = 0; k < PL_HOSTS && dt > 0; k++) {
        const struct pl_host *h = &a->hosts[k];
        double from, to;

        if (h->used_before == 0)
            continue;
        from = pl_watts(h, clipped(h->used_before / h->total_mips));
        to = pl_watts(h, clipped(h->used / h->total_mips));
        joules += (from + (to - from) / 2) * dt;
    }
    a->result.kwh += joules / 3.6e6;
    if (!a->keep_idle)
        destroy_idle(a);
    a->last_s = a->now_s;
}

/* --- migrations ---------------------------------------------------------------------------------
 */

struct pending {
    double time_s;
    size_t order;
    struct pl_move move;
};

static int sooner(const void *x, const void *y)
{
    const struct pending *a = x, *b = y;

    if (a->time_s != b->time_s)
        return a->time_s < b->time_s ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static struct pending *begin_moves(struct pl_arena *a)
{
    struct pending *list = xcalloc(a->n_moves + 1, sizeof(*list));

    for (size_t i = 0; i < a->n_moves; i++) {
        const struct pl_move *m = &a->moves[i];
        struct pl_vm *v = &a->vms[m->vm];
        struct pl_entry *there = entry_of(&a->hosts[m->host], m->vm);

        v->migrating = true;
        if (!there || !there->incoming) {
            pl_put(a, m->host, m->vm, true);
            update_host(a, &a->hosts[m->host]);
            update_host(a, &a->hosts[v->host]);
        }
        list[i] = (struct pending){ a->now_s + v->ram / 62.5, i, *m };
    }
    qsort(list, a->n_moves, sizeof(*list), sooner);
    return list;
}

static void end_move(struct pl_arena *a, const struct pl_move *m)
{
    struct pl_vm *v = &a->vms[m->vm];

    pl_take(a, v->host, m->vm);
    pl_take(a, m->host, m->vm);
    v->migrating = false;
    v->host = m->host;
    pl_put(a, m->host, m->vm, false);
}

static void carry_out(struct pl_arena *a, int step)
{
    AUTO(mem) struct pending *list = begin_moves(a);

    a->result.migrations += (uint32_t)a->n_moves;
    a->result.later += step > 1 ? (uint32_t)a->n_moves : 0;
    for (size_t i = 0; i < a->n_moves; i++) {
        a->now_s = list[i].time_s;
        if (a->now_s > a->last_s)
            update_all(a);
        end_move(a, &list[i].move);
        if (i + 1 == a->n_moves || list[i + 1].time_s > a->now_s)
            update_all(a);
    }
    a->n_moves = 0;
}

/* --- a day --------------------------------------------------------------------------------------
 */

static void sum_up(struct pl_arena *a)
{
    struct pl_result *r = &a->result;
    double active = 0, violated = 0, requested = 0, lost = 0;

    for (uint32_t k = 0; k < PL_HOSTS; k++) {
        active += a->hosts[k].active_s;
        violated += a->hosts[k].violated_s;
    }
    for (uint32_t i = 0; i < a->n_vms; i++) {
        requested += a->vms[i].sum_request;
        lost += a->vms[i].sum_lost;
    }
    r->slatah = 100 * violated / active;
    r->pdm = 100 * lost / requested;
    r->esv = r->kwh * r->slatah * r->pdm / 100;
    r->mean_ms /= PL_STEPS - 1;
}

static int place_all(struct pl_arena *a, const struct pl_policy *p, struct err *e)
{
    AUTO(mem) uint32_t *host = xcalloc(a->n_vms + 1, sizeof(*host));
    AUTO(mem) int *ram = xcalloc(PL_HOSTS, sizeof(*ram));

    if (!p->start(p->state, a, host))
        return err_set(e, -EPROTO, "planetlab: the policy found no start");
    for (uint32_t k = 0; k < PL_HOSTS; k++)
        a->hosts[k].n_entries = 0;
    for (uint32_t i = 0; i < a->n_vms; i++) {
        struct pl_host *h = &a->hosts[host[i]];

        ram[host[i]] += a->vms[i].ram;
        if (host[i] >= PL_HOSTS || ram[host[i]] > PL_HOST_RAM)
            return err_set(e, -EPROTO, "planetlab: machine %u does not fit where it starts", i);
        a->vms[i].request = a->vms[i].mips;
        h->available = h->n_entries == 0 ? h->total_mips : h->available;
        if (!pl_suits(h, a->vms[i].mips))
            return err_set(e, -EPROTO, "planetlab: no CPU for machine %u where it starts", i);
        pl_put(a, host[i], i, false);
        a->vms[i].host = host[i];
    }
    return 0;
}

int pl_arena_run(struct pl_arena *a, const struct pl_policy *p, struct err *e)
{
    double t = 0.1;
    int r = place_all(a, p, e);

    for (int k = 1; k < PL_STEPS && r == 0; k++) {
        double begin, took;

        t += PL_STEP_S;
        a->now_s = t;
        update_all(a);
        begin = cost_cpu_s();
        p->decide(p->state, a);
        took = 1e3 * (cost_cpu_s() - begin);
        a->result.mean_ms += took;
        a->result.worst_ms = fmax(a->result.worst_ms, took);
        carry_out(a, k);
    }
    sum_up(a);
    return r;
}

/* --- input --------------------------------------------------------------------------------------
 */

static int plain(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_vm(struct pl_vm *v, const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");
    int n = 0, percent;

    if (!f)
        return err_set(e, -errno, "%s: %s", path, strerror(errno));
    while (n < PL_STEPS && fscanf(f, "%d", &percent) == 1)
        v->demand[n++] = percent / 100.0;
    (void)fclose(f);
    if (n < PL_STEPS)
        return err_set(e, -EINVAL, "%s: %d lines with a percentage are wanted, %d are there", path,
                       PL_STEPS, n);
    v->demand[PL_STEPS] = v->demand[PL_STEPS - 1];
    return 0;
}

/* All that is requested at the steps, each for a whole step, on fully loaded hosts of the more
 * frugal type: as in the arena's bounds.tsv. */
static double bound_kwh(const struct pl_arena *a)
{
    double mips_s = 0;

    for (uint32_t i = 0; i < a->n_vms; i++)
        for (int k = 1; k < PL_STEPS; k++) {
            double now = pl_utilisation(&a->vms[i], 0.1 + PL_STEP_S * k);

            if (!a->keep_idle && now == 0)
                break; /* destroyed */
            mips_s += a->vms[i].mips * PL_STEP_S * now;
        }
    return mips_s * g5_watts[10] / 5320 / 3.6e6;
}

int pl_arena_init(struct pl_arena *a, const char *folder, bool keep_idle, struct err *e)
{
    static const double mips[] = { 2500, 2000, 1000, 500 };
    static const int ram[] = { 870, 1740, 1740, 613 };
    struct dirent **list;
    int n = scandir(folder, &list, plain, by_bytes), r = 0;

    memset(a, 0, sizeof(*a));
    if (n < 0)
        return err_set(e, -errno, "%s: %s", folder, strerror(errno));
    a->vms = xcalloc((size_t)n + 1, sizeof(*a->vms));
    a->n_vms = (uint32_t)n;
    a->keep_idle = keep_idle;
    for (int i = 0; i < n; i++) {
        int type = i / ((n + 3) / 4);
        char path[1024];

        (void)snprintf(path, sizeof(path), "%s/%s", folder, list[i]->d_name);
        a->vms[i].mips = mips[type];
        a->vms[i].ram = ram[type];
        a->vms[i].alive = true;
        a->vms[i].entry_time = -1;
        r = r < 0 ? r : read_vm(&a->vms[i], path, e);
        free(list[i]);
    }
    free(list);
    for (uint32_t k = 0; k < PL_HOSTS; k++) {
        a->hosts[k].pe_mips = k % 2 ? 2660 : 1860;
        a->hosts[k].total_mips = a->hosts[k].available = 2 * a->hosts[k].pe_mips;
        a->hosts[k].watts = k % 2 ? g5_watts : g4_watts;
        a->hosts[k].leaving = xcalloc((size_t)n + 1, sizeof(bool));
    }
    a->result.bound_kwh = bound_kwh(a);
    if (r == 0 && n == 0)
        r = err_set(e, -EINVAL, "%s: no machines", folder);
    if (r < 0)
        pl_arena_done(a);
    return r;
}

void pl_arena_done(struct pl_arena *a)
{
    for (uint32_t k = 0; k < PL_HOSTS; k++) {
        free(a->hosts[k].entries);
        free(a->hosts[k].leaving);
    }
    free(a->vms);
    free(a->moves);
    memset(a, 0, sizeof(*a));
}
