/* The recount. It shares no code with the packing: what that one believes is not believed here. */
#include "controller/placement/plan_check.h"

#include <errno.h>
#include <math.h>

#include "controller/placement/deferral.h"
#include "controller/placement/plan_check_loss.h"
#include "controller/placement/plan_check_room.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

static bool holds_awake(enum node_state s)
{
    return s == NODE_AWAKE || s == NODE_HELD;
}

static const struct power_policy *policy_at(const struct snapshot *s, uint32_t pool)
{
    uint32_t policy = pool < s->n_pools ? s->pools[pool].policy : NO_INDEX;

    return policy < s->n_policies ? s->policies[policy].spec : NULL;
}

/* --- shape --------------------------------------------------------------------------------------
 */

/* How a present replica is named by the plan. */
struct named {
    bool stays, replaced;
};

static int check_placement(const struct plan *p, const struct plan_placement *pp,
                           struct named *named, struct err *e)
{
    const struct snapshot *s = p->snapshot;

    if (pp->model >= s->n_models || pp->node >= s->n_nodes)
        return err_set(e, -EPERM, "plan: a placement names no model or no node");
    if (pp->replica != NO_INDEX) {
        if (pp->replica >= s->n_replicas || s->replicas[pp->replica].model != pp->model ||
            s->replicas[pp->replica].node != pp->node || named[pp->replica].stays)
            return err_set(e, -EPERM, "plan: model %s: a replica that stays is another's",
                           s->models[pp->model].name);
        named[pp->replica].stays = true;
    }
    if (pp->replaces == NO_INDEX)
        return 0;
    if (pp->renews && (pp->replaces >= s->n_replicas || pp->replica != NO_INDEX ||
                       !snapshot_outdated(&s->replicas[pp->replaces])))
        return err_set(e, -EPERM, "plan: model %s: what is up to date is renewed",
                       s->models[pp->model].name);
    if (pp->replaces >= s->n_replicas || s->replicas[pp->replaces].model != pp->model ||
        pp->replaces == pp->replica || named[pp->replaces].replaced)
        return err_set(e, -EPERM, "plan: model %s: a move replaces a stranger or one twice",
                       s->models[pp->model].name);
    named[pp->replaces].replaced = true;
    return 0;
}

static int check_shape(const struct plan *p, struct named *named, struct err *e)
{
    const struct snapshot *s = p->snapshot;

    for (size_t i = 0; i < p->n_placements; i++) {
        int r = check_placement(p, &p->placements[i], named, e);

        if (r < 0)
            return r;
    }
    for (uint32_t i = 0; i < s->n_replicas; i++)
        if (named[i].stays && named[i].replaced)
            return err_set(e, -EPERM, "plan: replica %s both stays and is replaced",
                           s->replicas[i].uid);
    return 0;
}

/* --- G1 -----------------------------------------------------------------------------------------
 */

static int check_sleepers(const struct plan *p, struct err *e)
{
    const struct snapshot *s = p->snapshot;

    for (uint32_t n = 0; n < s->n_nodes; n++)
        if (p->nodes[n].verdict == PLAN_SLEEP &&
            (!s->nodes[n].sleepable || s->nodes[n].state != NODE_AWAKE || s->paused ||
             s->warming_up))
            return err_set(e, -EPERM, "G1: node %s may not sleep: %s", s->nodes[n].name,
                           s->nodes[n].sleepable ? "not now" : s->nodes[n].why_not_asleep);
    for (size_t i = 0; i < p->n_placements; i++) {
        uint32_t n = p->placements[i].node;

        if (p->nodes[n].verdict == PLAN_SLEEP)
            return err_set(e, -EPERM, "G1: node %s is to sleep and keeps a replica of %s",
                           s->nodes[n].name, s->models[p->placements[i].model].name);
    }
    return 0;
}

/* --- G2 -----------------------------------------------------------------------------------------
 */

static bool is_ready(const struct snap_replica *r)
{
    return r->phase == REPLICA_READY && !r->leaving;
}

/* A replica that is replaced serves until its successor does. One that is named nowhere may be
 * stopped at any moment: what is left without it must do. */
static int check_floors(const struct plan *p, const struct named *named, struct err *e)
{
    const struct snapshot *s = p->snapshot;
    AUTO(mem) uint32_t *left = xcalloc(s->n_models + 1, sizeof(*left));
    AUTO(mem) uint32_t *stopped = xcalloc(s->n_models + 1, sizeof(*stopped));
    AUTO(mem) uint32_t *moved = xcalloc(s->n_models + 1, sizeof(*moved));
    AUTO(mem) uint32_t *renewed = xcalloc(s->n_models + 1, sizeof(*renewed));

    for (uint32_t i = 0; i < s->n_replicas; i++) {
        const struct snap_replica *r = &s->replicas[i];

        /* an outdated one of a model that misses its SLO may be what has to go */
        moved[r->model] += named[i].replaced && is_ready(r) &&
                           !(snapshot_outdated(r) && s->models[r->model].renews && !s->paused);
        if (!is_ready(r))
            continue;
        if (named[i].stays || named[i].replaced)
            left[r->model]++;
        else
            stopped[r->model]++;
        /* of an exclusive one the old has to go before the new comes */
        renewed[r->model] += !named[i].stays && !named[i].replaced && snapshot_outdated(r) &&
                             s->models[r->model].renews && s->models[r->model].spec->exclusive;
    }
    for (uint32_t m = 0; m < s->n_models; m++) {
        const struct snap_model *model = &s->models[m];
        bool grows_only = model->slo_broken || s->paused || s->warming_up || isnan(model->demand) ||
                          isnan(model->capacity);
        double load = isnan(model->demand) || !(model->capacity > 0)
                          ? 0
                          : ceil(model->demand / model->capacity - 1e-9);
        double floor = fmax(p->models[m].floor, (double)model->spec->disruption.min_available);

        if (!(p->models[m].holds && deferral_may_wait(model)))
            floor = fmax(floor, fmin(load, (double)model->spec->replicas.max));
        if (renewed[m] == 1 && stopped[m] == 1 && !s->paused && !s->warming_up) {
            grows_only = false;
            floor = (double)model->spec->disruption.min_available;
        }
        if (stopped[m] > 0 && (grows_only || left[m] < floor))
            return err_set(e, -EPERM, "G2: model %s would fall to %u ready replicas, floor %.0f%s",
                           model->name, left[m], floor, grows_only ? ", and may only grow" : "");
        if (moved[m] > 0 && (model->slo_broken || s->paused))
            return err_set(e, -EPERM, "G2: model %s is moved while it is frozen", model->name);
    }
    return 0;
}

/* --- G5 -----------------------------------------------------------------------------------------
 */

struct pool_count {
    int64_t awake, sleeps, wakes, moves, leaving, waking;
    int64_t on; /* now: awake, coming up or on the way to sleep */
};

static void count_pools(const struct plan *p, struct pool_count *count)
{
    const struct snapshot *s = p->snapshot;

    for (uint32_t n = 0; n < s->n_nodes; n++) {
        const struct snap_node *node = &s->nodes[n];
        struct pool_count *c = &count[node->pool < s->n_pools ? node->pool : s->n_pools];

        c->awake += holds_awake(node->state) && p->nodes[n].verdict != PLAN_SLEEP;
        c->sleeps += p->nodes[n].verdict == PLAN_SLEEP;
        c->wakes += p->nodes[n].verdict == PLAN_WAKE && node->state == NODE_ASLEEP;
        c->leaving += node_state_is_leaving(node->state);
        c->waking += node->state == NODE_WAKING;
        c->on += node_state_is_on(node->state);
    }
    for (size_t i = 0; i < p->n_placements; i++) {
        uint32_t old = p->placements[i].replaces;
        uint32_t pool = old == NO_INDEX ? NO_INDEX : s->nodes[s->replicas[old].node].pool;

        if (old != NO_INDEX && p->placements[i].replica == NO_INDEX)
            count[pool < s->n_pools ? pool : s->n_pools].moves++;
    }
}

static int check_budget(const char *pool, const char *what, int64_t used, int64_t now,
                        int64_t limit, struct err *e)
{
    if (now > 0 && limit >= 0 && used > limit)
        return err_set(e, -EPERM, "G5: pool %s: %lld %s, allowed are %lld", pool, (long long)used,
                       what, (long long)limit);
    return 0;
}

static int check_pool(const struct plan *p, uint32_t i, const struct pool_count *c, struct err *e)
{
    const struct snapshot *s = p->snapshot;
    const struct snap_pool *pool = &s->pools[i];
    const struct power_policy *policy = policy_at(s, i);
    int64_t least = pool->spec->min_awake + pool->spec->spare, most = pool->spec->max_awake;
    int64_t on = c->on + c->wakes;
    int r = 0;

    if (c->sleeps > 0 && c->awake < least)
        return err_set(e, -EPERM, "G5: pool %s would have %lld nodes awake, needs %lld", pool->name,
                       (long long)c->awake, (long long)least);
    if (c->wakes > 0 && most >= 0 && on > most)
        return err_set(e, -EPERM, "G5: pool %s would have %lld nodes awake, at most %lld may be",
                       pool->name, (long long)on, (long long)most);
    if (!policy)
        return 0;
    if (c->sleeps > 0 && (!s->policies[pool->policy].window_open || policy->paused))
        return err_set(e, -EPERM, "G5: pool %s: sleep outside its policy's windows", pool->name);
    r = check_budget(pool->name, "sleeps at once", c->sleeps + c->leaving, c->sleeps,
                     policy->budget.sleeps, e);
    if (r == 0)
        r = check_budget(pool->name, "wakes at once", c->wakes + c->waking, c->wakes,
                         policy->budget.wakes, e);
    if (r == 0)
        r = check_budget(pool->name, "moves at once", c->moves, c->moves, policy->budget.moves, e);
    return r;
}

static int check_cycles(const struct plan *p, struct err *e)
{
    const struct snapshot *s = p->snapshot;

    for (uint32_t n = 0; n < s->n_nodes; n++) {
        uint32_t pool = s->nodes[n].pool;
        int64_t most = pool < s->n_pools ? s->pools[pool].spec->cycles_per_day : 0;

        if (p->nodes[n].verdict == PLAN_SLEEP && most >= 0 && s->nodes[n].cycles_today >= most)
            return err_set(e, -EPERM, "G5: node %s has had its %lld power cycles of a day",
                           s->nodes[n].name, (long long)most);
    }
    return 0;
}

static int check_pools(const struct plan *p, struct err *e)
{
    AUTO(mem) struct pool_count *count = xcalloc(p->snapshot->n_pools + 1, sizeof(*count));

    count_pools(p, count);
    for (uint32_t i = 0; i < p->snapshot->n_pools; i++) {
        int r = check_pool(p, i, &count[i], e);

        if (r < 0)
            return r;
    }
    return 0;
}

/* --- G6 -----------------------------------------------------------------------------------------
 */

static int check_break_even(const struct plan *p, struct err *e)
{
    const struct snapshot *s = p->snapshot;

    for (uint32_t n = 0; n < s->n_nodes; n++) {
        double saved_w = s->nodes[n].curve.watts[0] - s->nodes[n].curve.standby_w;

        if (p->nodes[n].verdict != PLAN_SLEEP)
            continue;
        if (!s->nodes[n].wake_proven)
            return err_set(e, -EPERM, "G6: node %s has never been woken by huddle",
                           s->nodes[n].name);
        if (!(saved_w > 0 && p->nodes[n].off_s * saved_w > s->nodes[n].curve.cycle_j))
            return err_set(e, -EPERM, "G6: node %s: %.0f s off do not pay for its power cycle",
                           s->nodes[n].name, p->nodes[n].off_s);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------
 */

int plan_check(const struct plan *p, struct err *e)
{
    AUTO(mem) struct named *named = xcalloc(p->snapshot->n_replicas + 1, sizeof(*named));
    int r = check_shape(p, named, e);

    if (r == 0)
        r = check_sleepers(p, e);
    if (r == 0)
        r = check_floors(p, named, e);
    if (r == 0)
        r = check_pools(p, e);
    if (r == 0)
        r = check_cycles(p, e);
    if (r == 0)
        r = check_break_even(p, e);
    if (r == 0)
        r = plan_check_room(p, e);
    if (r == 0)
        r = plan_check_losses(p, e);
    return r;
}
