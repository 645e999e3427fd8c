/* A start that was not chosen by use: as many hosts as cost least, tried one number after another.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/tenancy_private.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

/* As many of the hosts in use as the load fills, one more at a time until nobody lacks a place. */
static bool fill(struct tenancy *t, uint32_t n_hosts)
{
    AUTO(mem) bool *kept = xcalloc(t->n_hosts + 1, sizeof(*kept));
    AUTO(mem) uint32_t *order = xcalloc(t->n_tenants + 1, sizeof(*order));
    uint32_t n = 0, n_kept = 0;

    for (uint32_t pass = 0; pass < 2; pass++) /* hosts in use first */
        for (uint32_t h = 0; h < t->n_hosts && n_kept < n_hosts; h++)
            if (!kept[h] && t->hosts[h].usable && (pass == 1 || t->host[h].n > 0)) {
                kept[h] = true;
                n_kept++;
            }
    for (uint32_t i = 0; i < t->n_tenants; i++)
        if (tenancy_may_move(t, i) && !kept[t->view[i].host])
            order[n++] = i;
    qsort_r(order, n, sizeof(*order), tenancy_larger_first, t);
    for (uint32_t k = 0; k < n; k++) {
        struct tenancy_group g = { 0 };
        double best = INFINITY;
        uint32_t to = 0;

        tenancy_group_add(t, &g, order[k]);
        for (uint32_t h = 0; h < t->n_hosts; h++) {
            double here;

            if (!kept[h] || !tenancy_has_room(t, &g, h))
                continue;
            /* the risk there, not the risk added, which is small where it is too late */
            here = tenancy_risk_j(t, h, t->host[h].mean + g.mean, t->host[h].variance + g.variance);
            if (here < best) {
                best = here;
                to = h;
            }
        }
        if (isinf(best))
            return false;
        tenancy_commit(t, order[k], to);
    }
    return true;
}

/* The plan as it stands, for taking it back. */
struct saved {
    struct tenant_view *view;
    struct host_view *host;
};

static struct saved save(const struct tenancy *t)
{
    struct saved s = { xcalloc(t->n_tenants + 1, sizeof(*s.view)),
                       xcalloc(t->n_hosts + 1, sizeof(*s.host)) };

    memcpy(s.view, t->view, t->n_tenants * sizeof(*s.view));
    memcpy(s.host, t->host, t->n_hosts * sizeof(*s.host));
    return s;
}

static void take_back(struct tenancy *t, const struct saved *s)
{
    memcpy(t->view, s->view, t->n_tenants * sizeof(*s->view));
    memcpy(t->host, s->host, t->n_hosts * sizeof(*s->host));
    t->n_moves = 0;
}

/* Idle power and risk of all hosts over the time for which places are chosen. */
static double cost_j(const struct tenancy *t)
{
    double sum = 0;

    for (uint32_t h = 0; h < t->n_hosts; h++)
        if (t->host[h].n > 0)
            sum += tenancy_idle_j(t, h) + tenancy_host_risk_j(t, h) * t->prices.relief_steps;
    return sum;
}

const struct tenancy_move *tenancy_rearrange(struct tenancy *t, size_t *ret_n)
{
    struct saved s = save(t);
    double mean = 0, capacity = 0, least = INFINITY;
    uint32_t n_hosts, best = 0;

    for (uint32_t h = 0; h < t->n_hosts; h++) {
        mean += t->host[h].mean;
        capacity = t->hosts[h].usable ? fmax(capacity, t->hosts[h].capacity) : capacity;
    }
    t->n_moves = 0;
    for (n_hosts = 1 + (uint32_t)(mean / fmax(capacity, 1e-9)); n_hosts <= t->n_hosts; n_hosts++) {
        bool fits = fill(t, n_hosts);
        double here = fits ? cost_j(t) : INFINITY;

        take_back(t, &s);
        if (here < least) {
            least = here;
            best = n_hosts;
        }
        if (fits && here > 1.05 * least)
            break;
    }
    if (best > 0)
        (void)fill(t, best);
    free(s.view);
    free(s.host);
    *ret_n = t->n_moves;
    return t->moves;
}
