/* Inside tenancy.h: state shared by learning and planning. */
#ifndef HUDDLE_TENANCY_PRIVATE_H
#define HUDDLE_TENANCY_PRIVATE_H

#include "controller/placement/tenancy.h"

#define LEVEL_BUCKETS 12u

struct tenant_view {               /* what is known of a tenant */
    double level, squares, weight; /* squares: decayed sum of squared residuals, of that weight */
    double mean, variance;         /* of its use in the steps to come */
    uint32_t seen;
    uint32_t host; /* in the plan */
    bool moved;
};

struct host_view { /* sums in the plan */
    double mean, variance, use;
    uint32_t n;
    double violated_s; /* of the step to come, for certain */
};

struct tenancy {
    const struct tenancy_host *hosts;
    const struct tenant *tenants;
    uint32_t n_hosts, n_tenants;
    double step_s;
    struct tenancy_prices prices;
    struct tenant_view *view;
    struct host_view *host;
    double share;     /* of their sizes that all use now */
    double aggregate; /* use of all over their levels */
    struct {
        double sum, n;
    } bucket[LEVEL_BUCKETS]; /* squared residuals over squared sizes */
    struct tenancy_move *moves;
    size_t n_moves, cap_moves;
    uint32_t *list; /* scratch */
    uint64_t steps;
};

/* Expected cost of overloads of a host with these sums, a step. */
double tenancy_risk_j(const struct tenancy *t, uint32_t host, double mean, double variance);

#endif
