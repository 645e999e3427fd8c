/* Candidates in order, each tried as a whole, taken back when it does not work out. What a loss
 * then lacks room for names the candidates that are given back. */
#include "controller/placement/evacuation.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "controller/placement/policy.h"
#include "controller/placement/sleepers.h"
#include "controller/placement/survival.h"
#include "controller/placement/weighing.h"
#include "proto/base/array.h"

#define HYSTERESIS 1.3   /* by which the gain must exceed the cost: no flapping at the edge */
#define MOVES_LISTED 32u /* so many and more are listed together */

struct job {
    struct packing *p;
    struct outlook *o;
    struct plan_node *nodes;
    struct reserve *reserve;
    int64_t *awake_left, *sleeps_left; /* per pool */
    struct sleepers sleepers;
    double stay_s; /* no node that stays is expected to be let go before */
    /* What the outlook said of the room that was asked for last; NAN: nothing yet. Most nodes are
     * alike, and so is what is left without one of them. */
    struct outlook_need asked;
    double off_s, needed_s;
    bool *stuck; /* per model: no host has room for one more; emptying others makes none */
    struct leaver *leavers; /* of the candidate in hand */
    size_t n_leavers, cap_leavers;
};

__attribute__((format(printf, 3, 4))) static void note(const struct job *j, uint32_t node,
                                                       const char *format, ...)
{
    va_list args;

    if (!j->nodes[node].why)
        return;
    va_start(args, format);
    (void)vsnprintf(j->nodes[node].why, PLAN_TEXT, format, args);
    va_end(args);
}

/* --- what stands against it ---------------------------------------------------------------------
 */

static const char *why_not(const struct job *j, uint32_t node)
{
    const struct packing *p = j->p;
    const struct snap_node *n = &p->s->nodes[node];

    if (p->s->paused)
        return "awake: huddle is paused";
    if (p->s->warming_up)
        return "awake: the controller has just started and watches first";
    if (!policy_window_open(p->s, n->pool))
        return "awake: outside the policy's windows";
    if (policy_of_pool(p->s, n->pool)->paused)
        return "awake: its policy is paused";
    if (j->sleeps_left[n->pool] <= 0)
        return "awake: as many nodes as allowed are going to sleep";
    if (j->awake_left[n->pool] <= 0)
        return "awake: its pool keeps this many for minimum and spare";
    if (p->received[node] > 0)
        return "awake: replicas are started here";
    return NULL;
}

static double gain_j(const struct job *j, uint32_t node, double off_s)
{
    const struct snap_node *n = &j->p->s->nodes[node];
    double move_j = policy_of_pool(j->p->s, n->pool)->budget.move_joules;

    return (n->curve.watts[0] - n->curve.standby_w) * off_s - n->curve.cycle_j -
           move_j * j->p->held[node];
}

/* --- trying -------------------------------------------------------------------------------------
 */

struct leaver {
    uint32_t replica;
    double size;
};

static int largest_first(const void *a, const void *b)
{
    const struct leaver *x = a, *y = b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->replica < y->replica ? -1 : x->replica > y->replica;
}

/* Who stands there and has to go, the one that is hardest to place first; false: one cannot. */
static bool list_leavers(struct job *j, uint32_t node)
{
    const struct packing *p = j->p;

    j->n_leavers = 0;
    for (uint32_t k = p->first[node]; k < p->first[node + 1]; k++) {
        uint32_t replica = p->by_node[k];

        if (p->seats[replica].node != node)
            continue;
        if (j->stuck[p->seats[replica].model] || !packing_movable(p, replica))
            return false;
        *ARRAY_ADD(j, leavers) =
            (struct leaver){ replica, packing_size(snapshot_replica_spec(p->s, replica)) };
    }
    if (j->n_leavers > 1)
        qsort(j->leavers, j->n_leavers, sizeof(*j->leavers), largest_first);
    return true;
}

/* *ret_overload_w: what more overloads cost on the nodes that take its replicas. */
static bool empty_node(struct job *j, uint32_t node, double *ret_overload_w)
{
    struct packing *p = j->p;

    *ret_overload_w = 0;
    if (!list_leavers(j, node))
        return false;
    for (size_t k = 0; k < j->n_leavers; k++) {
        uint32_t replica = j->leavers[k].replica, to = NO_INDEX;
        struct seat was = p->seats[replica];
        uint64_t mask, steps = p->steps;

        if (packing_movable(p, replica))
            to = packing_find(p, was.model, HOST_AWAKE, node, true, &mask);
        if (to == NO_INDEX) {
            j->stuck[was.model] = k == 0 && p->steps == steps;
            sleepers_take_back(&j->sleepers);
            return false;
        }
        *ret_overload_w +=
            OVERLOAD_IDLES * p->s->nodes[to].curve.watts[0] *
            load_added_chance(&p->load, &p->s->nodes[to], to, &p->load.replica[replica], 1);
        sleepers_move(&j->sleepers, replica, to, mask);
    }
    return true;
}

/* The same gain by what its joules weigh: to sleep now and boot in a worse hour may cost more. */
static bool pays_by_weight(const struct job *j, uint32_t node)
{
    const struct snapshot *s = j->p->s;
    const struct snap_node *n = &s->nodes[node];
    double move_j = policy_of_pool(s, n->pool)->budget.move_joules * j->p->held[node];
    struct weighed w = weighing_sleep(policy_weight(s, n->pool), &n->curve, s->wall_ms,
                                      j->nodes[node].off_s, move_j);

    if (!w.known || w.saved > w.cost * HYSTERESIS)
        return true;
    note(j, node, "awake: off for %.0f s it would save %.3g %s, and cost %.3g to wake then",
         j->nodes[node].off_s, w.saved,
         policy_of_pool(s, n->pool)->objective == OBJECTIVE_CARBON ? "gCO2" : "in money", w.cost);
    return false;
}

static void ask(struct job *j, const struct outlook_need *rest)
{
    if (j->asked.cpu_milli == rest->cpu_milli && j->asked.memory_bytes == rest->memory_bytes &&
        j->asked.gpu_milli == rest->gpu_milli)
        return;
    j->asked = *rest;
    j->off_s = j->needed_s = NAN;
}

static double off_s(struct job *j, const struct outlook_need *rest)
{
    ask(j, rest);
    if (isnan(j->off_s))
        j->off_s = outlook_off_s(j->o, rest);
    return j->off_s;
}

/* How long a node that is needed by what is to come stays awake. Not needed, yet not let go: it may
 * be any moment. */
static void stays_until_unneeded(struct job *j, const struct outlook_need *rest)
{
    ask(j, rest);
    if (isnan(j->needed_s))
        j->needed_s = outlook_needed_s(j->o, rest);
    j->stay_s = fmin(j->stay_s, j->needed_s);
}

static void try_node(struct job *j, uint32_t node)
{
    struct packing *p = j->p;
    const struct snap_node *n = &p->s->nodes[node];
    struct plan_node *out = &j->nodes[node];
    const char *against = why_not(j, node);
    struct outlook_need rest = reserve_room_without(j->reserve, p, node);
    double break_even_s = node_curve_break_even_s(&n->curve), overload_w;
    uint32_t moved = p->held[node];

    if (against) {
        note(j, node, "%s", against);
        if (j->awake_left[n->pool] > 0)
            stays_until_unneeded(j, &rest);
        return;
    }
    if (!reserve_spares(j->reserve, p, node)) {
        note(j, node, "awake: room for what may come within the time of a boot");
        stays_until_unneeded(j, &rest);
        return;
    }
    out->off_s = off_s(j, &rest);
    out->joules_at_stake = gain_j(j, node, out->off_s);
    if (out->off_s <= break_even_s * HYSTERESIS || out->joules_at_stake <= 0) {
        note(j, node,
             "awake: expected to be needed within %.0f s, sleep pays from %.0f s (%.0f J at "
             "stake)",
             out->off_s, break_even_s * HYSTERESIS, out->joules_at_stake);
        stays_until_unneeded(j, &rest);
        return;
    }
    if (!pays_by_weight(j, node)) {
        stays_until_unneeded(j, &rest);
        return;
    }
    if (p->steps > p->max_steps || !empty_node(j, node, &overload_w)) {
        note(j, node,
             p->steps > p->max_steps ? "awake: the search budget was used up"
                                     : "awake: its replicas find no room elsewhere");
        stays_until_unneeded(j, &rest);
        return;
    }
    out->joules_at_stake -= overload_w * out->off_s;
    if (out->joules_at_stake <= 0) {
        sleepers_take_back(&j->sleepers);
        note(j, node,
             "awake: without it the others would be short of CPU too often (%.0f J at "
             "stake)",
             out->joules_at_stake);
        return;
    }
    sleepers_choose(&j->sleepers, node);
    reserve_count(j->reserve, p, node, -1);
    j->awake_left[n->pool]--;
    j->sleeps_left[n->pool]--;
    out->verdict = PLAN_SLEEP;
    note(j, node,
         "not needed for %.0f s: sleeping saves %.0f J after %u moves and the power cycle "
         "(pays from %.0f s)",
         out->off_s, out->joules_at_stake, moved, break_even_s);
}

/* --- order --------------------------------------------------------------------------------------
 */

struct candidate {
    uint32_t node, moves;
    double saved_w; /* a move; in all where there are none */
};

static int compare_candidates(const void *a, const void *b, void *unused)
{
    const struct candidate *x = a, *y = b;

    (void)unused;
    if ((x->moves == 0) != (y->moves == 0))
        return x->moves == 0 ? -1 : 1;
    if (x->saved_w != y->saved_w)
        return x->saved_w > y->saved_w ? -1 : 1;
    return x->node > y->node ? -1 : x->node < y->node;
}

static void budgets(struct job *j)
{
    const struct snapshot *s = j->p->s;

    for (uint32_t i = 0; i < s->n_pools; i++) {
        const struct power_policy *policy = policy_of_pool(s, i);

        j->awake_left[i] = -(s->pools[i].spec->min_awake + s->pools[i].spec->spare);
        j->sleeps_left[i] = policy->budget.sleeps >= 0 ? policy->budget.sleeps : INT64_MAX;
    }
    for (uint32_t n = 0; n < s->n_nodes; n++) {
        uint32_t pool = s->nodes[n].pool;
        enum node_state state = s->nodes[n].state;

        if (pool >= s->n_pools)
            continue;
        j->awake_left[pool] += state == NODE_AWAKE || state == NODE_HELD;
        if (node_state_is_leaving(state) && j->sleeps_left[pool] > 0)
            j->sleeps_left[pool]--;
    }
}

static bool is_candidate(const struct packing *p, uint32_t node)
{
    const struct snap_node *n = &p->s->nodes[node];

    return n->state == NODE_AWAKE && n->pool < p->s->n_pools && n->sleepable;
}

/* In the order of compare_candidates where nodes are alike, so that little is left to sort: by
 * moves, and the last node first. */
static uint32_t list_candidates(struct job *j, struct candidate *out)
{
    const struct packing *p = j->p;
    uint32_t at[MOVES_LISTED + 1] = { 0 }, n_out = 0;

    for (uint32_t n = 0; n < p->s->n_nodes; n++) {
        const struct snap_node *node = &p->s->nodes[n];

        if (is_candidate(p, n))
            at[p->held[n] < MOVES_LISTED ? p->held[n] : MOVES_LISTED]++;
        else if (node->state == NODE_AWAKE && node->pool < p->s->n_pools)
            note(j, n, "awake: %.120s", node->why_not_asleep);
    }
    for (uint32_t k = 0; k <= MOVES_LISTED; k++) {
        uint32_t some = at[k];

        at[k] = n_out;
        n_out += some;
    }
    for (uint32_t n = p->s->n_nodes; n-- > 0;) {
        const struct node_curve *c = &p->s->nodes[n].curve;
        uint32_t moves = p->held[n];

        if (is_candidate(p, n))
            out[at[moves < MOVES_LISTED ? moves : MOVES_LISTED]++] =
                (struct candidate){ n, moves,
                                    (c->watts[0] - c->standby_w) / (moves > 0 ? moves : 1) };
    }
    return n_out;
}

/* Until any one loss is survived: one by one, and the more were given back the more at once, so
 * that the looks do not grow with their number. */
static void keep_survivable(struct job *j)
{
    uint32_t weakest = 0, model, given = 0;

    while (j->sleepers.n_chosen > 0 &&
           (weakest = survival_weakest(j->p, weakest, &model)) != NO_INDEX) {
        for (uint32_t left = 1 + given / 16; left > 0 && j->sleepers.n_chosen > 0; left--) {
            uint32_t node = sleepers_give_back(&j->sleepers, model);

            given++;
            reserve_count(j->reserve, j->p, node, 1);
            j->nodes[node] = (struct plan_node){ .verdict = PLAN_STAY, .why = j->nodes[node].why };
            note(j, node, "awake: without it the loss of one more node could not be made good");
        }
    }
}

double evacuation(struct packing *p, struct outlook *o, struct reserve *reserve,
                  struct plan_node *nodes)
{
    struct job j = { .p = p,
                     .o = o,
                     .reserve = reserve,
                     .nodes = nodes,
                     .stay_s = INFINITY,
                     .off_s = NAN,
                     .needed_s = NAN,
                     .sleepers = { .p = p } };
    AUTO(mem) struct candidate *list = xcalloc(p->s->n_nodes + 1, sizeof(*list));
    uint32_t n;

    j.stuck = xcalloc(p->s->n_models + 1, sizeof(*j.stuck));
    j.awake_left = xcalloc(p->s->n_pools + 1, sizeof(*j.awake_left));
    j.sleeps_left = xcalloc(p->s->n_pools + 1, sizeof(*j.sleeps_left));
    budgets(&j);
    n = list_candidates(&j, list);
    array_sort(list, n, sizeof(*list), compare_candidates, NULL);
    for (uint32_t i = 0; i < n; i++)
        try_node(&j, list[i].node);
    keep_survivable(&j);
    free(j.awake_left);
    free(j.sleeps_left);
    sleepers_done(&j.sleepers);
    free(j.leavers);
    free(j.stuck);
    return j.stay_s;
}
