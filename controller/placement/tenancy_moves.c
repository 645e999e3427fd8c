/* What single moves change and what they cost. */
#include <math.h>
#include <stdlib.h>

#include "controller/placement/tenancy_private.h"
#include "proto/base/array.h"

#define LOGISTIC 1.8138 /* pi / sqrt(3): of the logistic with a variance of 1 */

/* --- changes ------------------------------------------------------------------------------------
 */

static void shift(struct tenancy *t, uint32_t i, uint32_t host, int sign)
{
    struct host_view *h = &t->host[host];

    h->mean += sign * t->view[i].mean;
    h->variance += sign * t->view[i].variance;
    h->use += sign * t->tenants[i].use;
    h->n += (uint32_t)sign;
}

void tenancy_move_to(struct tenancy *t, uint32_t i, uint32_t host)
{
    shift(t, i, t->view[i].host, -1);
    shift(t, i, host, 1);
    t->view[i].host = host;
}

void tenancy_commit(struct tenancy *t, uint32_t i, uint32_t host)
{
    if (t->view[i].host != host)
        tenancy_move_to(t, i, host);
    t->view[i].moved = true;
    t->host[host].violated_s = fmax(t->host[host].violated_s, t->tenants[i].move_s);
    *ARRAY_ADD(t, moves) = (struct tenancy_move){ i, host };
}

bool tenancy_may_move(const struct tenancy *t, uint32_t i)
{
    return t->view[i].host != TENANCY_NOWHERE && !t->tenants[i].fixed && !t->view[i].moved;
}

double tenancy_host_risk_j(const struct tenancy *t, uint32_t host)
{
    return tenancy_risk_j(t, host, t->host[host].mean, t->host[host].variance);
}

double tenancy_idle_j(const struct tenancy *t, uint32_t host)
{
    return t->hosts[host].idle_w * t->step_s * t->prices.idle_steps;
}

/* --- prices -------------------------------------------------------------------------------------
 */

void tenancy_group_add(const struct tenancy *t, struct tenancy_group *g, uint32_t i)
{
    g->tenant[g->n++] = i;
    g->mean += t->view[i].mean;
    g->variance += t->view[i].variance;
    g->use += t->tenants[i].use;
    g->move_s = fmax(g->move_s, t->tenants[i].move_s);
}

double tenancy_rest_j(const struct tenancy *t, uint32_t host, double use, double mean,
                      double variance, double move_s)
{
    double share = move_s / t->step_s, rest_s = t->step_s - move_s;
    double spread = fmax(share * sqrt(fmax(0, variance)), 1e-9);
    double z = (t->hosts[host].capacity - (use + share * (mean - use))) / spread;

    if (rest_s <= 0)
        return 0;
    return t->prices.violated_j_s * rest_s / (1 + exp(fmin(LOGISTIC * z, 700)));
}

bool tenancy_has_room(const struct tenancy *t, const struct tenancy_group *g, uint32_t to)
{
    return t->hosts[to].usable && t->host[to].use + g->use <= t->hosts[to].capacity;
}

double tenancy_target_j(const struct tenancy *t, const struct tenancy_group *g, uint32_t to,
                        double steps)
{
    const struct host_view *h = &t->host[to];
    double capacity = t->hosts[to].capacity, sum;

    if (!tenancy_has_room(t, g, to))
        return INFINITY;
    sum = g->n * t->prices.move_j + t->prices.lost_j * g->use / capacity * g->move_s +
          t->prices.violated_j_s * fmax(0, g->move_s - h->violated_s);
    sum += tenancy_rest_j(t, to, h->use + g->use, h->mean + g->mean, h->variance + g->variance,
                          g->move_s) -
           tenancy_rest_j(t, to, h->use, h->mean, h->variance, g->move_s);
    sum += steps * (tenancy_risk_j(t, to, h->mean + g->mean, h->variance + g->variance) -
                    tenancy_risk_j(t, to, h->mean, h->variance));
    return sum + (h->n == 0 ? tenancy_idle_j(t, to) : 0);
}

double tenancy_source_j(const struct tenancy *t, const struct tenancy_group *g, uint32_t from,
                        double steps)
{
    const struct host_view *h = &t->host[from];

    return steps * (tenancy_risk_j(t, from, h->mean - g->mean, h->variance - g->variance) -
                    tenancy_risk_j(t, from, h->mean, h->variance));
}

double tenancy_best_target(const struct tenancy *t, const struct tenancy_group *g, uint32_t from,
                           double steps, bool empty_too, uint32_t *ret_to)
{
    double best = INFINITY;
    bool seen_empty = !empty_too;

    for (uint32_t to = 0; to < t->n_hosts; to++) {
        double here;

        if (to == from || !t->hosts[to].usable || (t->host[to].n == 0 && seen_empty))
            continue;
        seen_empty = seen_empty || t->host[to].n == 0;
        here = tenancy_target_j(t, g, to, steps);
        if (here < best) {
            best = here;
            *ret_to = to;
        }
    }
    return best;
}

int tenancy_larger_first(const void *a, const void *b, void *tenancy)
{
    const struct tenancy *t = tenancy;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    double p = t->view[x].mean + sqrt(t->view[x].variance);
    double q = t->view[y].mean + sqrt(t->view[y].variance);

    if (p != q)
        return p > q ? -1 : 1;
    return x < y ? -1 : x > y;
}

uint32_t tenancy_tenants_of(struct tenancy *t, uint32_t host)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->n_tenants; i++)
        if (t->view[i].host == host && tenancy_may_move(t, i))
            t->list[n++] = i;
    return n;
}
