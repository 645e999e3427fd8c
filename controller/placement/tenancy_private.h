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
};

#define TENANCY_TOGETHER 3u /* tenants that leave an overloaded host together */

struct tenancy_group { /* tenants that would go together */
    uint32_t tenant[TENANCY_TOGETHER], n;
    double mean, variance, use, move_s;
};

/* In the plan: without a trace (to be taken back), or for good: the target is in violation while it
 * comes. */
void tenancy_move_to(struct tenancy *t, uint32_t i, uint32_t host);
void tenancy_commit(struct tenancy *t, uint32_t i, uint32_t host);
bool tenancy_may_move(const struct tenancy *t, uint32_t i);

/* Those of a host that may move are written to t->list; returns how many. */
uint32_t tenancy_tenants_of(struct tenancy *t, uint32_t host);
int tenancy_larger_first(const void *a, const void *b, void *tenancy); /* for qsort_r */

void tenancy_group_add(const struct tenancy *t, struct tenancy_group *g, uint32_t i);

/* What a host costs that is in violation for what is left of the step when a move of that length
 * ends, by its chance: until the next observation use goes evenly from what it is now to what it
 * will be then, which has that mean and variance and is logistic (measured: heavier than normal).
 */
double tenancy_rest_j(const struct tenancy *t, uint32_t host, double use, double mean,
                      double variance, double move_s);

/* By what is used now. */
bool tenancy_has_room(const struct tenancy *t, const struct tenancy_group *g, uint32_t to);

/* Of the moves and of the target over so many steps; INFINITY: no room there. */
double tenancy_target_j(const struct tenancy *t, const struct tenancy_group *g, uint32_t to,
                        double steps);

/* Of the host that they leave: below 0. */
double tenancy_source_j(const struct tenancy *t, const struct tenancy_group *g, uint32_t from,
                        double steps);

/* The cheapest target; of empty hosts only the first is looked at. */
double tenancy_best_target(const struct tenancy *t, const struct tenancy_group *g, uint32_t from,
                           double steps, bool empty_too, uint32_t *ret_to);

/* Of the host as it is in the plan: its expected overloads, a step; its idling, for as long as an
 * emptied one stays empty. */
double tenancy_host_risk_j(const struct tenancy *t, uint32_t host);
double tenancy_idle_j(const struct tenancy *t, uint32_t host);

/* Moves that end the overloads of now. */
void tenancy_relieve(struct tenancy *t);

/* Expected cost of overloads of a host with these sums, a step. */
double tenancy_risk_j(const struct tenancy *t, uint32_t host, double mean, double variance);

#endif
