/* Planning: overloads are relieved, then risk is bought down, then hosts are emptied; each move by
 * its price over the steps that it is expected to last. Cost: hosts * tenants of the hosts
 * concerned. */
#include <math.h>
#include <stdlib.h>

#include "controller/placement/tenancy_private.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

/* A relieved host's use now: a little below, so that it is not overloaded again at once. */
#define RELIEVED 0.99
#define AHEAD_MOST 18u /* moves a step that nothing forces */

/* --- relief -------------------------------------------------------------------------------------
 */

struct relief {
    uint32_t from, to;
    double excess, price;
    struct tenancy_group best;
};

static void consider(struct tenancy *t, struct relief *r, const struct tenancy_group *g)
{
    double source = tenancy_source_j(t, g, r->from, t->prices.relief_steps) +
                    t->prices.violated_j_s * fmax(0, g->move_s - t->host[r->from].violated_s);
    uint32_t to = 0;
    double here;

    if (g->use < r->excess)
        return;
    here = source + tenancy_best_target(t, g, r->from, t->prices.relief_steps, true, &to);
    if (here < r->price) {
        r->price = here;
        r->best = *g;
        r->to = to;
    }
}

/* One, or up to three of the quickest. */
static void consider_groups(struct tenancy *t, struct relief *r, uint32_t n)
{
    double quickest = INFINITY;

    for (uint32_t a = 0; a < n; a++)
        quickest = fmin(quickest, t->tenants[t->list[a]].move_s);
    for (uint32_t a = 0; a < n; a++) {
        struct tenancy_group one = { 0 };

        tenancy_group_add(t, &one, t->list[a]);
        consider(t, r, &one);
        if (t->tenants[t->list[a]].move_s > 1.5 * quickest)
            continue;
        for (uint32_t b = a + 1; b < n; b++) {
            struct tenancy_group two = one;

            if (t->tenants[t->list[b]].move_s > 1.5 * quickest)
                continue;
            tenancy_group_add(t, &two, t->list[b]);
            consider(t, r, &two);
            for (uint32_t c = b + 1; c < n && two.use < r->excess; c++) {
                struct tenancy_group three = two;

                if (t->tenants[t->list[c]].move_s > 1.5 * quickest)
                    continue;
                tenancy_group_add(t, &three, t->list[c]);
                consider(t, r, &three);
            }
        }
    }
}

/* No few tenants are enough: the largest go one by one, as far as there is room. */
static bool relieve_in_part(struct tenancy *t, uint32_t host)
{
    uint32_t n = tenancy_tenants_of(t, host);
    bool any = false;

    qsort_r(t->list, n, sizeof(*t->list), tenancy_larger_first, t);
    for (uint32_t k = 0; k < n && t->host[host].use > RELIEVED * t->hosts[host].capacity; k++) {
        struct tenancy_group g = { 0 };
        uint32_t to = 0;

        tenancy_group_add(t, &g, t->list[k]);
        if (isinf(tenancy_best_target(t, &g, host, t->prices.relief_steps, true, &to)))
            continue;
        t->host[host].violated_s = fmax(t->host[host].violated_s, g.move_s);
        tenancy_commit(t, t->list[k], to);
        any = true;
    }
    return any;
}

static void relieve(struct tenancy *t, uint32_t host)
{
    struct relief r = { .from = host, .price = INFINITY };
    uint32_t n = tenancy_tenants_of(t, host);

    r.excess = t->host[host].use - RELIEVED * t->hosts[host].capacity;
    consider_groups(t, &r, n);
    if (isinf(r.price) && relieve_in_part(t, host))
        return;
    /* unrelieved it stays in violation for the step */
    if (r.price > t->prices.violated_j_s * t->step_s)
        return;
    t->host[host].violated_s = fmax(t->host[host].violated_s, r.best.move_s);
    for (uint32_t k = 0; k < r.best.n; k++)
        tenancy_commit(t, r.best.tenant[k], r.to);
}

/* --- ahead --------------------------------------------------------------------------------------
 */

/* The single move that saves most risk; false: none pays. */
static bool buy_down(struct tenancy *t)
{
    double best = 0;
    uint32_t who = 0, where = 0;

    for (uint32_t from = 0; from < t->n_hosts; from++) {
        uint32_t n;

        if (t->host[from].n < 2 ||
            tenancy_host_risk_j(t, from) * t->prices.ahead_steps < t->prices.move_j)
            continue;
        n = tenancy_tenants_of(t, from);
        for (uint32_t k = 0; k < n; k++) {
            struct tenancy_group g = { 0 };
            uint32_t to = 0;
            double here;

            tenancy_group_add(t, &g, t->list[k]);
            here = tenancy_source_j(t, &g, from, t->prices.ahead_steps);
            if (here + t->prices.move_j >= best)
                continue;
            here += tenancy_best_target(t, &g, from, t->prices.ahead_steps, false, &to);
            if (here < best) {
                best = here;
                who = t->list[k];
                where = to;
            }
        }
    }
    if (best >= 0)
        return false;
    tenancy_commit(t, who, where);
    return true;
}

/* --- emptying -----------------------------------------------------------------------------------
 */

/* What emptying the host brings; the moves are written to `out` and taken back. */
static double try_to_empty(struct tenancy *t, uint32_t host, struct tenancy_move *out)
{
    double gain = tenancy_idle_j(t, host) + tenancy_host_risk_j(t, host) * t->prices.relief_steps;
    uint32_t n = tenancy_tenants_of(t, host), done = 0;
    AUTO(mem) double *violated = NULL;

    if (n < t->host[host].n)
        return -INFINITY;
    violated = xcalloc(n + 1, sizeof(*violated));
    qsort_r(t->list, n, sizeof(*t->list), tenancy_larger_first, t);
    for (; done < n && gain > 0; done++) {
        struct tenancy_group g = { 0 };
        uint32_t to = 0;

        tenancy_group_add(t, &g, t->list[done]);
        gain -= tenancy_best_target(t, &g, host, t->prices.relief_steps, false, &to);
        if (isinf(gain))
            break;
        out[done] = (struct tenancy_move){ t->list[done], to };
        violated[done] = t->host[to].violated_s;
        tenancy_move_to(t, t->list[done], to);
        t->host[to].violated_s = fmax(t->host[to].violated_s, g.move_s);
    }
    if (done < n)
        gain = -INFINITY;
    while (done-- > 0) {
        t->host[out[done].host].violated_s = violated[done];
        tenancy_move_to(t, out[done].tenant, host);
    }
    return gain;
}

static bool empty_one(struct tenancy *t)
{
    AUTO(mem) struct tenancy_move *trial = xcalloc(t->n_tenants + 1, sizeof(*trial));
    AUTO(mem) struct tenancy_move *best = xcalloc(t->n_tenants + 1, sizeof(*best));
    double most = 0;
    uint32_t n_best = 0;

    for (uint32_t h = 0; h < t->n_hosts; h++) {
        double gain;

        if (t->host[h].n == 0)
            continue;
        gain = try_to_empty(t, h, trial);
        if (gain <= most)
            continue;
        most = gain;
        n_best = t->host[h].n;
        for (uint32_t k = 0; k < n_best; k++)
            best[k] = trial[k];
    }
    for (uint32_t k = 0; k < n_best; k++)
        tenancy_commit(t, best[k].tenant, best[k].host);
    return n_best > 0;
}

const struct tenancy_move *tenancy_plan(struct tenancy *t, size_t *ret_n)
{
    t->n_moves = 0;
    for (uint32_t h = 0; h < t->n_hosts; h++)
        if (t->host[h].use > t->hosts[h].capacity)
            relieve(t, h);
    for (uint32_t k = 0; k < AHEAD_MOST && buy_down(t); k++)
        ;
    while (empty_one(t))
        ;
    *ret_n = t->n_moves;
    return t->moves;
}
