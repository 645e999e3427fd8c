/* Learning. Each step costs a few operations a tenant. */
#include "controller/placement/tenancy.h"

#include <math.h>
#include <stdlib.h>

#include "controller/placement/overload.h"
#include "controller/placement/tenancy_private.h"
#include "proto/base/array.h"

#define LEVEL_GAIN 0.07     /* the level moves slowly: last values say little */
#define AGGREGATE_GAIN 0.24 /* the sum of all is smooth, and followed */
#define SQUARES_DECAY 0.98
#define PRIOR_WEIGHT 10.0
#define FIRST_SPREAD 0.05 /* of variance over size^2, by share of the size: before it is seen */
#define FIRST_SHARE 0.1   /* of its size that one may use of which little is known */

const struct tenancy_prices tenancy_prices_default = {
    .move_j = 15000,
    .violated_j_s = 6300,
    .lost_j = 3800,
    .overload_j = 30000,
    .relief_steps = 36,
    .ahead_steps = 21,
    .idle_steps = 40,
};

struct tenancy *tenancy_new(const struct tenancy_host *hosts, uint32_t n_hosts, uint32_t n_tenants,
                            double step_s, const struct tenancy_prices *prices)
{
    struct tenancy *t = xcalloc(1, sizeof(*t));

    t->hosts = hosts;
    t->n_hosts = n_hosts;
    t->n_tenants = n_tenants;
    t->step_s = step_s;
    t->prices = *prices;
    t->aggregate = 1;
    t->view = xcalloc(n_tenants + 1, sizeof(*t->view));
    t->host = xcalloc(n_hosts + 1, sizeof(*t->host));
    t->list = xcalloc(n_tenants + 1, sizeof(*t->list));
    return t;
}

void tenancy_free(struct tenancy *t)
{
    if (!t)
        return;
    free(t->view);
    free(t->host);
    free(t->moves);
    free(t->list);
    free(t);
}

static uint32_t bucket_of(const struct tenant *x, double level)
{
    double share = x->size > 0 ? level / x->size : 0;
    double at = LEVEL_BUCKETS * sqrt(fmin(fmax(share, 0), 1));

    return at >= LEVEL_BUCKETS ? LEVEL_BUCKETS - 1 : (uint32_t)at;
}

/* What the last forecast missed by. */
static void learn(struct tenancy *t, uint32_t i)
{
    const struct tenant *x = &t->tenants[i];
    struct tenant_view *v = &t->view[i];
    double gain;

    if (v->seen > 0 && x->size > 0) {
        double missed = x->use - v->mean;
        uint32_t b = bucket_of(x, v->level);

        t->bucket[b].sum += missed * missed / x->size / x->size;
        t->bucket[b].n++;
        v->squares = SQUARES_DECAY * v->squares + missed * missed;
        v->weight = SQUARES_DECAY * v->weight + 1;
    }
    if (v->seen == 0) /* as much as the others use, until it says more */
        v->level = t->share * x->size;
    v->seen++;
    gain = fmax(LEVEL_GAIN, 1.0 / (v->seen + 1));
    v->level += gain * (x->use - v->level);
}

static void expect(struct tenancy *t, uint32_t i)
{
    const struct tenant *x = &t->tenants[i];
    struct tenant_view *v = &t->view[i];
    uint32_t b = bucket_of(x, v->level);
    double first = FIRST_SPREAD * (FIRST_SHARE + (x->size > 0 ? v->level / x->size : 0));
    double prior = (first + t->bucket[b].sum) / (1 + t->bucket[b].n) * x->size * x->size;

    v->mean = v->level * t->aggregate;
    v->variance = (PRIOR_WEIGHT * prior + v->squares) / (PRIOR_WEIGHT + v->weight) *
                  (1 + 1.0 / (v->seen + 1));
}

void tenancy_observe(struct tenancy *t, const struct tenant *tenants)
{
    double use = 0, level = 0, size = 0;

    t->tenants = tenants;
    for (uint32_t i = 0; i < t->n_tenants; i++)
        if (tenants[i].host != TENANCY_NOWHERE) {
            use += tenants[i].use;
            size += tenants[i].size;
        }
    t->share = size > 0 ? use / size : 0;
    use = 0;
    for (uint32_t i = 0; i < t->n_tenants; i++)
        if (tenants[i].host != TENANCY_NOWHERE) {
            learn(t, i);
            use += tenants[i].use;
            level += t->view[i].level;
        }
    if (level > 0)
        t->aggregate += AGGREGATE_GAIN * (use / level - t->aggregate);
    for (uint32_t h = 0; h < t->n_hosts; h++)
        t->host[h] = (struct host_view){ 0 };
    for (uint32_t i = 0; i < t->n_tenants; i++) {
        struct host_view *h;

        t->view[i].host = tenants[i].host;
        t->view[i].moved = false;
        if (tenants[i].host == TENANCY_NOWHERE)
            continue;
        expect(t, i);
        h = &t->host[tenants[i].host];
        h->mean += t->view[i].mean;
        h->variance += t->view[i].variance;
        h->use += tenants[i].use;
        h->n++;
    }
}

double tenancy_risk_j(const struct tenancy *t, uint32_t host, double mean, double variance)
{
    return t->prices.overload_j * overload_chance(t->hosts[host].capacity, mean, variance);
}
