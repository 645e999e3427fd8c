/* See planned.h. */
#include <math.h>
#include <stdlib.h>

#include "controller/placement/packing.h"
#include "controller/placement/policy.h"
#include "controller/reconcile/limits.h"
#include "controller/reconcile/window.h"
#include "controller/simulate/planned_private.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define SEARCH_STEPS 1000000000u
#define CYCLES_PER_DAY 6 /* as a PowerPool's default */
#define FAN_LOW 0.05
#define FAN_MEDIAN 0.5
#define FAN_HIGH 0.95

/* --- life ---------------------------------------------------------------------------------------
 */

struct planned *planned_new(const struct rack_hardware *hw, const struct rack_load *load,
                            const struct planned_setting *set)
{
    struct planned *p = xcalloc(1, sizeof(*p));

    p->brain = brain_new(1);
    brain_unread(p->brain);
    p->seed = set->seed;
    p->plain = set->plain;
    p->chronicle = set->chronicle;
    p->start_s = set->start_s;
    p->zones = set->zones;
    p->policy = set->policy ? *set->policy : *policy_of_pool(&(struct snapshot){ 0 }, NO_INDEX);
    p->policy.strategy = STRATEGY_PREDICTIVE;
    p->policy.paused = p->policy.dry_run = false; /* asked is what it would do */
    if (p->policy.interval_ms < rack_ms(load, 1)) /* no plan between steps */
        p->policy.interval_ms = rack_ms(load, 1);
    p->pool = set->pool ? *set->pool
                        : (struct power_pool){ .min_awake = 1,
                                               .spare = 1,
                                               .cycles_per_day = CYCLES_PER_DAY,
                                               .max_awake = -1 };
    p->snap_policy =
        (struct snap_policy){ .name = "default", .spec = &p->policy, .window_open = true };
    p->snap_pool = (struct snap_pool){ "pool", &p->pool, 0, (int64_t)(1000 * hw->boot_hi_s) };
    planned_describe(p, hw, load);
    if (set->policy)
        p->life = virtual_nodes_new(hw, &p->policy, &p->pool);
    return p;
}

void planned_free(struct planned *p)
{
    if (!p)
        return;
    brain_free(p->brain);
    ahead_free(p->ahead);
    virtual_nodes_free(p->life);
    free(p->specs);
    free(p->devices);
    free(p->nodes);
    free(p->models);
    free(p->observations);
    free(p->names);
    free(p->replicas);
    free(p->number);
    free(p->index);
    free(p->mask);
    free(p->busy);
    free(p->uids);
    free(p->slept);
    free(p->slow);
    free(p->use);
    free(p);
}

/* --- carrying out -------------------------------------------------------------------------------
 */

static void steer_nodes(struct rack *r, const struct plan *plan)
{
    for (uint32_t n = 0; n < r->hw->nodes; n++) {
        if (plan->nodes[n].verdict == PLAN_WAKE && r->node[n].power == RACK_OFF)
            rack_wake(r, n);
        else if (plan->nodes[n].verdict == PLAN_WAKE)
            r->node[n].evacuating = false;
        else if (plan->nodes[n].verdict == PLAN_SLEEP && r->node[n].power == RACK_READY)
            r->node[n].evacuating = true;
    }
}

static bool takes(const struct planned *p, const struct rack *r, uint32_t node)
{
    return r->node[node].power == RACK_READY && (!p->life || virtual_nodes_takes(p->life, node));
}

/* Copies that are on their way, and those whose original is still there. */
static uint32_t moves_in_hand(const struct rack *r)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < r->n_replica; i++)
        n += (r->replica[i].phase == RACK_LOADING && r->replica[i].replaces != RACK_NO) ||
             (r->replica[i].phase == RACK_DRAINING && r->replica[i].replaced);
    return n;
}

/* Without a life cycle nodes do at once what a plan says, and so do moves. */
static bool may_move(const struct planned *p, const struct rack *r, const struct plan *plan,
                     uint32_t model, uint32_t moves)
{
    struct limits l;

    if (!p->life)
        return true;
    l = *virtual_nodes_limits(p->life);
    l.moves = moves;
    return !limits_no_move(&l, r->committed[model], plan->models[model].target, &p->specs[model]);
}

static void start_missing(struct planned *p, struct rack *r, const struct plan *plan)
{
    uint32_t moves = moves_in_hand(r);

    for (size_t k = 0; k < plan->n_placements; k++) {
        const struct plan_placement *pp = &plan->placements[k];
        uint32_t old = pp->replaces == NO_INDEX ? RACK_NO : p->number[pp->replaces], i;

        if (pp->replica != NO_INDEX || !takes(p, r, pp->node) ||
            r->node[pp->node].free < r->load->model[pp->model].slots ||
            (old != RACK_NO &&
             (r->replica[old].replaced || r->replica[old].phase != RACK_SERVING)) ||
            (old != RACK_NO && !may_move(p, r, plan, pp->model, moves)))
            continue;
        moves += old != RACK_NO;
        i = rack_start(r, pp->model, pp->node, old);
        planned_make_room(p, r->n_replica);
        p->mask[i] = 0; /* what the node has free: other starts may have been put off */
        planned_seat(p, r, i);
    }
}

/* Named nowhere, and nothing is on its way for it: surplus. */
static void drain_surplus(const struct planned *p, struct rack *r, const struct plan *plan)
{
    AUTO(mem) bool *named = xcalloc(p->n_replicas + 1, sizeof(*named));

    for (size_t k = 0; k < plan->n_placements; k++) {
        if (plan->placements[k].replica != NO_INDEX)
            named[plan->placements[k].replica] = true;
        if (plan->placements[k].replaces != NO_INDEX)
            named[plan->placements[k].replaces] = true;
    }
    for (uint32_t k = 0; k < p->n_replicas; k++)
        if (!named[k] && packing_counts(&p->replicas[k]) &&
            (r->replica[p->number[k]].phase == RACK_LOADING ||
             r->serving[p->replicas[k].model] > plan->models[p->replicas[k].model].floor))
            rack_drain(r, p->number[k]);
}

static void shut_empty(struct planned *p, struct rack *r)
{
    for (uint32_t n = 0; n < r->hw->nodes; n++)
        if (r->node[n].power == RACK_READY && r->node[n].evacuating && r->node[n].n_held == 0) {
            rack_shut(r, n);
            p->slept[n][p->hour % HOURS]++;
        }
}

/* One lead time ahead, as far as what is decided now has its effect. */
static void tell_forecasts(struct planned *p, const struct rack *r, const struct plan *plan,
                           int64_t steps)
{
    double interval_s = (double)steps * r->load->step_s;

    for (uint32_t m = 0; p->chronicle && m < r->load->n_models; m++) {
        const struct forecast *f = &plan->models[m].forecast;
        double lead_s = r->hw->boot_hi_s + (double)p->models[m].load_p99_ms / 1000;
        uint32_t ahead = (uint32_t)ceil(lead_s / interval_s);

        chronicle_forecast(p->chronicle, m, r->step + (int64_t)ahead * steps,
                           &(struct chronicle_fan){ forecast_at(f, FAN_LOW, ahead),
                                                    forecast_at(f, FAN_MEDIAN, ahead),
                                                    forecast_at(f, FAN_HIGH, ahead) });
    }
}

/* As in the controller, a plan is made before its time, at most every quarter of the interval, when
 * the demand of the last seconds or of the last interval needs more replicas than are there or on
 * their way. */
static bool presses(const struct planned *p, const struct rack *r, int64_t steps)
{
    if ((r->step - p->planned) * 4 < steps || !rack_told(r->load, r->step - 1))
        return false;
    for (uint32_t m = 0; m < r->load->n_models; m++) {
        double fast = rack_mean(r->load, m, r->step - 1, r->step);
        double demand = fmax(fast, rack_mean(r->load, m, r->step - steps, r->step));

        if (r->committed[m] < rack_ceil(demand / r->load->model[m].capacity))
            return true;
    }
    return false;
}

static int64_t interval_steps(const struct planned *p, const struct rack_load *load)
{
    return (int64_t)fmax(1, (double)p->policy.interval_ms / 1000 / load->step_s);
}

struct ahead *planned_look_ahead(struct planned *p, const struct rack_hardware *hw,
                                 const struct rack_load *load)
{
    struct snapshot s = planned_frame(p, hw, load, 1);

    if (interval_steps(p, load) == 1)
        p->ahead = ahead_new(&s, load);
    return p->ahead;
}

void planned_look_back(struct planned *p)
{
    ahead_free(p->ahead);
    p->ahead = NULL;
}

static int make_plan(struct planned *p, struct snapshot *s, struct plan **ret)
{
    struct err e = ERR_INIT;
    int r;

    if (p->ahead)
        return brain_plan_foreseen(p->brain, s, ahead_next(p->ahead), SEARCH_STEPS, ret, &e);
    r = brain_plan(p->brain, s, SEARCH_STEPS, ret, &e);
    if (r == 0)
        brain_study(p->brain);
    return r;
}

void planned_act(void *policy, struct rack *r)
{
    struct planned *p = policy;
    int64_t steps = interval_steps(p, r->load);
    AUTO(snapshot) struct snapshot *s = NULL;
    AUTO(plan) struct plan *plan = NULL;

    if (p->life) {
        virtual_nodes_step(p->life, r, planned_wall_ms(p, r));
    } else {
        planned_turn_hour(p, r);
        shut_empty(p, r);
    }
    planned_measure(p, r);
    if (r->step % steps != 0 && !presses(p, r, steps))
        return;
    p->planned = r->step;
    p->snap_policy.window_open =
        !p->zones ||
        windows_open(p->policy.windows, p->zones, p->policy.n_windows, planned_wall_ms(p, r));
    s = planned_see(p, r, steps);
    if (make_plan(p, s, &plan) < 0)
        return; /* only for a snapshot that contradicts itself */
    if (r->step % steps == 0)
        tell_forecasts(p, r, plan, steps);
    if (p->life)
        virtual_nodes_plan(p->life, plan, p->snap_policy.window_open);
    else
        steer_nodes(r, plan);
    start_missing(p, r, plan);
    drain_surplus(p, r, plan);
}
