/* From seats to placements. */
#include "controller/placement/plan_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/placement/bound.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

/* --- placements ---------------------------------------------------------------------------------
 */

static struct plan_placement *place(struct plan *plan, const struct seat *seat)
{
    struct plan_placement *pp = ARRAY_ADD(plan, placements);

    *pp = (struct plan_placement){ seat->model, seat->node, NO_INDEX,
                                   NO_INDEX,    seat->mask, seat->renewed };
    return pp;
}

static void write_seats(struct plan *plan, const struct packing *p)
{
    const struct snapshot *s = p->s;

    for (uint32_t i = 0; i < s->n_replicas; i++) {
        const struct seat *seat = &p->seats[i];
        struct plan_placement *pp;

        if (seat->node == NO_INDEX)
            continue;
        pp = place(plan, seat);
        if (seat->node == s->replicas[i].node && !seat->renewed)
            pp->replica = i;
        else
            pp->replaces = i;
    }
    for (size_t i = 0; i < p->n_fresh; i++)
        place(plan, &p->fresh[i]);
}

/* Pairs that the replicas themselves tell of: the one that stays is the successor of the other. Two
 * may have been begun in place of one: the first by uid is its successor. */
static void pair_known(struct plan *plan, const struct packing *p)
{
    const struct snapshot *s = p->s;
    AUTO(mem) uint32_t *goes = xcalloc(s->n_replicas + 1, sizeof(*goes)); /* 1 + index, or 0 */
    AUTO(mem) bool *paired = xcalloc(s->n_replicas + 1, sizeof(*paired));

    for (uint32_t i = 0; i < s->n_replicas; i++) {
        uint32_t old = s->replicas[i].follows - 1, stays = i, leaves = old;

        if (s->replicas[i].follows == 0)
            continue;
        if (p->seats[i].node == NO_INDEX) {
            stays = old;
            leaves = i;
        }
        if (p->seats[stays].node == NO_INDEX || p->seats[leaves].node != NO_INDEX ||
            paired[leaves] || goes[stays] > 0)
            continue;
        goes[stays] = leaves + 1;
        paired[leaves] = true;
    }
    for (size_t k = 0; k < plan->n_placements; k++) {
        struct plan_placement *pp = &plan->placements[k];

        if (pp->replica != NO_INDEX && goes[pp->replica] > 0)
            pp->replaces = goes[pp->replica] - 1;
    }
}

/* A surplus replica that serves waits for one of its model that is still starting: the second half
 * of a move that an earlier plan began. */
static void pair_moves(struct plan *plan, const struct packing *p)
{
    const struct snapshot *s = p->s;
    AUTO(mem) uint32_t *next = xcalloc(s->n_models + 1, sizeof(*next)); /* index + 1 */
    AUTO(mem) uint32_t *link = xcalloc(s->n_replicas + 1, sizeof(*link));
    AUTO(mem) bool *paired = xcalloc(s->n_replicas + 1, sizeof(*paired));

    for (size_t k = 0; k < plan->n_placements; k++)
        if (plan->placements[k].replaces != NO_INDEX)
            paired[plan->placements[k].replaces] = true;
    for (uint32_t i = s->n_replicas; i-- > 0;) {
        if (p->seats[i].node != NO_INDEX || paired[i] || !packing_counts(&s->replicas[i]))
            continue;
        link[i] = next[s->replicas[i].model];
        next[s->replicas[i].model] = i + 1;
    }
    for (size_t k = 0; k < plan->n_placements; k++) {
        struct plan_placement *pp = &plan->placements[k];

        if (pp->replica == NO_INDEX || pp->replaces != NO_INDEX ||
            s->replicas[pp->replica].phase == REPLICA_READY || next[pp->model] == 0)
            continue;
        pp->replaces = next[pp->model] - 1;
        next[pp->model] = link[pp->replaces];
    }
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static const char *present_reason(const struct packing *p, const struct snap_node *n)
{
    switch (n->state) {
    case NODE_AWAKE:
        return n->evacuate ? "awake: drained by a person" : "awake: in use";
    case NODE_ASLEEP:
        if (!n->wakeable)
            return "asleep: cannot be woken now";
        return n->pool < p->s->n_pools && p->awake_left[n->pool] <= 0
                   ? "asleep: as many of its pool are awake as maxAwake allows"
                   : "asleep: not needed";
    case NODE_WAKING:
        return "waking: needed soon";
    case NODE_DRAINING:
    case NODE_EMPTY:
    case NODE_PREPARING:
    case NODE_SLEEPING:
        return "on its way to sleep: not needed";
    default:
        return node_state_name(n->state);
    }
}

static void write_verdicts(struct plan *plan, const struct packing *p)
{
    for (uint32_t n = 0; n < p->s->n_nodes; n++) {
        struct plan_node *out = &plan->nodes[n];
        const struct snap_node *node = &p->s->nodes[n];

        if (p->host[n] == HOST_COMING && node->state != NODE_WAKING) {
            out->verdict = PLAN_WAKE;
            out->joules_at_stake = node->curve.cycle_j;
            if (out->why)
                (void)snprintf(
                    out->why, PLAN_TEXT,
                    node->state == NODE_ASLEEP
                        ? "woken: %u replicas need it, or spare room is missing; boots in %.0f s"
                        : "turned back: %u replicas are needed on it, boot of another %.0f s",
                    p->held[n], node->curve.boot_s);
        } else if (out->why && !out->why[0]) {
            (void)snprintf(out->why, PLAN_TEXT, "%s", present_reason(p, node));
        }
    }
}

/* --- watts --------------------------------------------------------------------------------------
 */

/* CPU that the replicas on each node ask for, now and after the plan. */
struct asked {
    double *now, *after;
};

static struct asked asked_of(const struct plan *plan)
{
    const struct snapshot *s = plan->snapshot;
    struct asked a = { xcalloc(s->n_nodes + 1, sizeof(*a.now)),
                       xcalloc(s->n_nodes + 1, sizeof(*a.after)) };

    for (uint32_t i = 0; i < s->n_replicas; i++)
        a.now[s->replicas[i].node] += (double)snapshot_replica_spec(s, i)->resources.cpu_milli;
    for (size_t i = 0; i < plan->n_placements; i++) {
        const struct plan_placement *pp = &plan->placements[i];

        a.after[pp->node] += (double)plan_placed_spec(s, pp)->resources.cpu_milli;
    }
    return a;
}

/* Share of the requested CPU that is really used, over all nodes that tell. */
static double used_share(const struct snapshot *s, const struct asked *a)
{
    double used = 0, sum = 0;

    for (uint32_t n = 0; n < s->n_nodes; n++) {
        if (isnan(s->nodes[n].utilization) || a->now[n] <= 0)
            continue;
        used += s->nodes[n].utilization * (double)s->nodes[n].cpu_milli;
        sum += a->now[n];
    }
    return sum > 0 ? fmin(fmax(used / sum, 0), 2) : 0.5;
}

/* What comes and goes changes how busy it is; what else runs there stays. */
static double busy_after(const struct snap_node *node, double share, double asked_now,
                         double asked_after)
{
    if (node->cpu_milli <= 0)
        return 0;
    if (isnan(node->utilization) || node->state == NODE_ASLEEP || node->state == NODE_QUARANTINED)
        return share * asked_after / (double)node->cpu_milli;
    return fmax(0, node->utilization + share * (asked_after - asked_now) / (double)node->cpu_milli);
}

static bool is_on_after(const struct snap_node *node, enum plan_verdict verdict)
{
    return verdict == PLAN_WAKE || (node_state_is_on(node->state) && verdict != PLAN_SLEEP &&
                                    !node_state_is_leaving(node->state));
}

static void count_watts(struct plan *plan)
{
    const struct snapshot *s = plan->snapshot;
    struct asked asked = asked_of(plan);
    double share = used_share(s, &asked);

    plan->watts_now = plan->watts_after = 0;
    for (uint32_t n = 0; n < s->n_nodes; n++) {
        const struct snap_node *node = &s->nodes[n];
        struct plan_node *out = &plan->nodes[n];
        /* One that is in no pool, or not heard, is nobody's awake node, and yet it draws. */
        bool beside = node->state == NODE_UNMANAGED || node->state == NODE_UNREACHABLE;
        bool on = node_state_is_on(node->state) || beside;
        bool on_after = is_on_after(node, out->verdict) || beside;

        plan->watts_now +=
            on ? (isnan(node->watts) ? node_curve_watts(&node->curve, node->utilization)
                                     : node->watts)
               : node->curve.standby_w;
        out->watts_after =
            on_after ? node_curve_watts(&node->curve,
                                        busy_after(node, share, asked.now[n], asked.after[n]))
                     : node->curve.standby_w;
        plan->watts_after += out->watts_after;
    }
    free(asked.now);
    free(asked.after);
}

/* By what was counted. */
static void sum_up(struct plan *plan, const uint32_t *placed)
{
    const struct snapshot *s = plan->snapshot;

    count_watts(plan);
    plan->bound_nodes = bound_nodes(s, placed, plan->awake_target);
    plan->bound_w = bound_watts(s, plan->bound_nodes);
    (void)snprintf(plan->summary, sizeof(plan->summary),
                   "%u of %u nodes awake (bound %u), %.0f W to %.0f W (bound %.0f W): %u moves, %u "
                   "starts, %u stops, %u sleeps, %u wakes",
                   plan->awake_target, s->n_nodes, plan->bound_nodes, plan->watts_now,
                   plan->watts_after, plan->bound_w, plan->moves, plan->starts, plan->stops,
                   plan->sleeps, plan->wakes);
}

/* --- counts -------------------------------------------------------------------------------------
 */

void plan_count(struct plan *plan)
{
    const struct snapshot *s = plan->snapshot;
    AUTO(mem) uint32_t *placed = xcalloc(s->n_models + 1, sizeof(*placed));
    uint32_t staying = 0, replaced = 0;

    plan->moves = plan->starts = plan->stops = plan->sleeps = plan->wakes = 0;
    plan->awake_now = plan->awake_target = 0;
    for (size_t i = 0; i < plan->n_placements; i++) {
        const struct plan_placement *pp = &plan->placements[i];

        placed[pp->model]++;
        staying += pp->replica != NO_INDEX;
        replaced += pp->replaces != NO_INDEX;
        plan->moves += pp->replica == NO_INDEX && pp->replaces != NO_INDEX;
        plan->starts += pp->replica == NO_INDEX && pp->replaces == NO_INDEX;
    }
    for (uint32_t i = 0; i < s->n_replicas; i++)
        plan->stops += packing_counts(&s->replicas[i]);
    plan->stops = plan->stops > staying + replaced ? plan->stops - staying - replaced : 0;
    for (uint32_t n = 0; n < s->n_nodes; n++) {
        plan->sleeps += plan->nodes[n].verdict == PLAN_SLEEP;
        plan->wakes += plan->nodes[n].verdict == PLAN_WAKE;
        plan->awake_now += node_state_is_on(s->nodes[n].state);
        plan->awake_target += is_on_after(&s->nodes[n], plan->nodes[n].verdict);
    }
    for (uint32_t m = 0; m < s->n_models; m++)
        plan->models[m].placed = placed[m];
    if (!plan->unread)
        sum_up(plan, placed);
}

void plan_write(struct plan *plan, const struct packing *p)
{
    write_seats(plan, p);
    pair_known(plan, p);
    pair_moves(plan, p);
    for (uint32_t m = 0; m < p->s->n_models; m++)
        plan->models[m].renewal_waits = p->renewal_waits[m];
    write_verdicts(plan, p);
    plan->steps = p->steps;
    plan_count(plan);
}

void plan_tame(struct plan *plan)
{
    const struct snapshot *s = plan->snapshot;
    size_t kept = 0;

    for (size_t i = 0; i < plan->n_placements; i++) /* only plain starts; all that runs stays */
        if (plan->placements[i].replica == NO_INDEX && plan->placements[i].replaces == NO_INDEX)
            plan->placements[kept++] = plan->placements[i];
    plan->n_placements = kept;
    for (uint32_t i = 0; i < s->n_replicas; i++) {
        const struct snap_replica *r = &s->replicas[i];

        if (packing_counts(r))
            *ARRAY_ADD(plan, placements) =
                (struct plan_placement){ r->model, r->node, i, NO_INDEX, r->gpu_mask, false };
    }
    for (uint32_t n = 0; n < s->n_nodes; n++)
        if (plan->nodes[n].verdict == PLAN_SLEEP) {
            plan->nodes[n].verdict = PLAN_STAY;
            plan->nodes[n].off_s = plan->nodes[n].joules_at_stake = 0;
            if (plan->nodes[n].why)
                (void)snprintf(plan->nodes[n].why, PLAN_TEXT,
                               "awake: the plan that put it to sleep could not be proven");
        }
    plan_count(plan);
}
