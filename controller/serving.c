/* What serves now, and what must go on serving: the facts on which G2 rests, for those who act
 * (reconcile), those who plan (plan_in_force) and those who show (view). */
#include <math.h>

#include "controller/core.h"
#include "controller/state/snapshot_build.h"
#include "controller/state/waiting.h"

#define DOOR_FRESH_MS 5000

bool core_door_fresh(const struct controller *c)
{
    return c->door.reachable && c->door.at_ms > 0 && c->now_ms - c->door.at_ms <= DOOR_FRESH_MS;
}

bool replica_serves(const struct controller *c, const struct replica *r)
{
    bool unreachable = r->node->record.state == NODE_UNREACHABLE;
    bool ready = r->reported && r->phase == REPLICA_READY &&
                 node_age_ms(c->cluster, r->node, c->now_ms) <= 4 * node_interval_ms(r->node);

    if (r->leaving != LEAVING_NO)
        return false;
    if (!c->options.front_door || !core_door_fresh(c))
        return ready && !unreachable;
    return r->door == DOOR_READY && (ready || (unreachable && r->was_ready));
}

/* Its requests are to wait, by the plan in force, and may. */
static bool waits(const struct controller *c, const struct model *m)
{
    return m->plan_holds && model_may_wait(c->cluster, m, c->now_ms);
}

uint32_t model_floor(const struct controller *c, const struct model *m, bool *ret_known)
{
    const struct served_model *spec = model_spec(m);
    double capacity = model_capacity(m), demand = demand_now(&m->demand, c->wall_ms);
    uint32_t floor = m->plan_floor;

    if (c->options.front_door && !c->door.reachable)
        demand = NAN;
    if (!isnan(demand) && !isnan(m->demand.fast) &&
        c->wall_ms - m->demand.fast_at_ms < c->cluster->step_ms && m->demand.fast > demand)
        demand = m->demand.fast;
    *ret_known = !isnan(demand) && !isnan(capacity) && capacity > 0;
    if (*ret_known && !waits(c, m)) {
        double need = ceil(demand / capacity - 1e-9);

        if (need > floor)
            floor = need > 1e6 ? 1000000 : (uint32_t)need;
    }
    if (spec->disruption.min_available > (int64_t)floor)
        floor = (uint32_t)spec->disruption.min_available;
    return floor;
}
