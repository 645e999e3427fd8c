/* huddle's planner of hosts with fluctuating tenants (controller/placement/tenancy.h) in the arena.
 */
#ifndef HUDDLE_BENCH_PLANETLAB_HUDDLE_H
#define HUDDLE_BENCH_PLANETLAB_HUDDLE_H

#include "controller/placement/tenancy.h"
#include "tests/bench/planetlab_arena.h"

struct pl_huddle {
    const struct tenancy_prices *prices; /* NULL: the default ones */
    struct tenancy *tenancy;
    struct tenancy_host hosts[PL_HOSTS];
    struct tenant *tenants;
};
struct pl_policy pl_huddle_policy(struct pl_huddle *h);
void pl_huddle_done(struct pl_huddle *h);

#endif
