/* Planning: overloads are relieved (tenancy_relief.c), then risk is bought down, then hosts are
 * emptied; each move by its price over the steps that it is expected to last. Cost: hosts * tenants
 * of the hosts concerned. */
#include <math.h>
#include <stdlib.h>

#include "controller/placement/tenancy_private.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define AHEAD_MOST 18u /* moves a step that nothing forces */

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
    tenancy_relieve(t);
    for (uint32_t k = 0; k < AHEAD_MOST && buy_down(t); k++)
        ;
    while (empty_one(t))
        ;
    *ret_n = t->n_moves;
    return t->moves;
}
