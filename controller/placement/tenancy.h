/* Hosts shared by tenants whose use fluctuates: how much they will use, how likely a host is to be
 * overloaded, and which moves pay. There are no thresholds: everything has a price in joules.
 *
 * Use is noise around a level that moves slowly. Per tenant a level and a variance are learned
 * (little data leans on what tenants of the like level showed: empirical Bayes); only the sum over
 * all tenants is followed fast. A host's use is then normal in its sums, and the chance of overload
 * has a logistic tail, which is heavier than the normal's. Pure: no clock; a step is an
 * observation. */
#ifndef HUDDLE_TENANCY_H
#define HUDDLE_TENANCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TENANCY_NOWHERE UINT32_MAX

struct tenancy_prices {
    double move_j;       /* of one move, beyond what follows */
    double violated_j_s; /* a host that gives less than is asked for, a second */
    double lost_j;       /* a host's whole capacity not given to a tenant that moves, a second */
    double overload_j;   /* an overload that is to be expected, whatever will be done about it */
    double relief_steps; /* for so long a place is chosen when a tenant must go */
    double ahead_steps;  /* the same, when it need not */
    double idle_steps;   /* for so long an emptied host stays empty */
};
extern const struct tenancy_prices tenancy_prices_default;

struct tenancy_host {
    double capacity;
    double idle_w;
    bool usable; /* may take tenants; others are emptied when that pays */
};

struct tenant {
    double size;   /* the most that it can use */
    double move_s; /* how long a move takes */
    double use;    /* now */
    uint32_t host; /* TENANCY_NOWHERE: gone */
    bool fixed;    /* cannot move now */
};

struct tenancy_move {
    uint32_t tenant, host;
};

struct tenancy;
struct tenancy *tenancy_new(const struct tenancy_host *hosts, uint32_t n_hosts, uint32_t n_tenants,
                            double step_s, const struct tenancy_prices *prices);
void tenancy_free(struct tenancy *t); /* accepts NULL */

/* Takes in one step; `tenants` is borrowed until the next call. */
void tenancy_observe(struct tenancy *t, const struct tenant *tenants);

/* The moves that pay now, in the order in which they are to begin; borrowed until the next call. */
const struct tenancy_move *tenancy_plan(struct tenancy *t, size_t *ret_n);

/* Puts everything anew onto the first hosts that are usable and hold somebody, as many of them as
 * cost least; who sits there stays. For a start that was not chosen by use. */
const struct tenancy_move *tenancy_rearrange(struct tenancy *t, size_t *ret_n);

#endif
