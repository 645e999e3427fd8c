/* One pass over the replicas, those in the dearest places first are not sought out: a pass a round
 * is enough, and a replica that moved is not looked at again. A replica is looked at closely only
 * when its place could be worth leaving; that costs a look at every node. */
#include "controller/placement/relocation.h"

#include <math.h>

#include "controller/placement/policy.h"
#include "controller/placement/survival.h"
#include "proto/base/array.h"

#define HYSTERESIS 1.2 /* by which the gain must exceed the price */
#define RISK_IDLES \
    67.0 /* of a move while it lasts, in idle nodes: as found in the PlanetLab arena */
#define STEPS_MOST 1000000u /* nodes looked at in a round: some 50 ms */
#define LEAST_SHARE 0.005   /* of a node's idle watts: less is lost in what curves are known to */

struct spot {
    uint32_t node;
    uint64_t mask;
};

struct undo { /* fresh: its index is beyond the snapshot's replicas */
    size_t seat;
    struct spot was;
};

struct job {
    struct packing *p;
    double stay_s;
    bool empty_too, devices_short;
    double least_w; /* a thousandth of a CPU more, where it costs least */
    struct undo *undo;
    size_t n_undo, cap_undo;
};

/* --- prices -------------------------------------------------------------------------------------
 */

static double horizon_s(const struct packing *p, uint32_t node)
{
    return (double)policy_of_pool(p->s, p->s->nodes[node].pool)->horizon_ms / 1000;
}

static double device_w(const struct snap_node *n)
{
    return n->curve.watts[0] / n->n_gpus;
}

/* Of standing there, where it does not stand yet. */
static double place_w(const struct job *j, const struct room *room, uint32_t node,
                      const struct served_model *spec, const struct use *u, uint64_t mask)
{
    const struct packing *p = j->p;
    const struct snap_node *n = &p->s->nodes[node];
    double sum = load_added_w(&p->load, n, node, u, 1);

    if (!j->devices_short || n->n_gpus == 0)
        return sum;
    return sum + device_w(n) * mix_lost(&p->mix, room, n, spec, mask);
}

/* Of standing where it stands: the same, without it. */
static double present_w(const struct job *j, const struct seat *seat, const struct use *u)
{
    struct packing *p = j->p;
    const struct snap_node *n = &p->s->nodes[seat->node];
    double sum;

    room_give(&p->after[seat->node], n, seat->spec, seat->mask);
    load_shift(&p->load, seat->node, u, -1);
    sum = place_w(j, &p->after[seat->node], seat->node, seat->spec, u, seat->mask);
    load_shift(&p->load, seat->node, u, 1);
    room_take(&p->after[seat->node], n, seat->spec, seat->mask);
    return sum;
}

/* Of a move: the policy's, what the second one draws while it loads, and, for one that serves, the
 * risk: two are there at once, and their room is lacking to others. */
static double move_j(const struct packing *p, const struct seat *seat, bool serves)
{
    const struct snap_node *n = &p->s->nodes[seat->node];
    double share =
        n->cpu_milli > 0 ? (double)seat->spec->resources.cpu_milli / (double)n->cpu_milli : 0;
    double loads_w = share * (n->curve.watts[CURVE_POINTS - 1] - n->curve.watts[0]) +
                     (serves ? RISK_IDLES * n->curve.watts[0] : 0);

    return policy_of_pool(p->s, n->pool)->budget.move_joules +
           loads_w * (double)p->s->models[seat->model].load_p99_ms / 1000;
}

/* For `stand_s` it has stood there, and is counted on to go on for as long again; INFINITY: it is
 * only to be started. */
static bool pays(const struct job *j, const struct seat *seat, double saved_w, double stand_s)
{
    const struct snap_node *n = &j->p->s->nodes[seat->node];
    double for_s = fmin(fmin(j->stay_s, stand_s), horizon_s(j->p, seat->node));

    return saved_w > LEAST_SHARE * n->curve.watts[0] &&
           saved_w * for_s > HYSTERESIS * move_j(j->p, seat, !isinf(stand_s));
}

/* --- places -------------------------------------------------------------------------------------
 */

static bool takes_part(const struct job *j, uint32_t node)
{
    const struct packing *p = j->p;

    return p->host[node] == HOST_AWAKE && !p->closed[node] &&
           p->s->nodes[node].pool < p->s->n_pools && (j->empty_too || packing_in_use(p, node));
}

/* What a little more costs least: below that no place is. */
static void find_least(struct job *j)
{
    const struct packing *p = j->p;

    j->least_w = INFINITY;
    for (uint32_t n = 0; n < p->s->n_nodes; n++) {
        struct use little = { fmax(1, 0.02 * (double)p->s->nodes[n].cpu_milli), 0 };

        if (!takes_part(j, n))
            continue;
        j->least_w =
            fmin(j->least_w, load_added_w(&p->load, &p->s->nodes[n], n, &little, 1) / little.mean);
    }
}

static bool find_better(struct job *j, const struct seat *seat, const struct use *u, double now_w,
                        struct spot *ret, double *ret_w)
{
    struct packing *p = j->p;
    double best = now_w;
    bool found = false;

    for (uint32_t n = 0; n < p->s->n_nodes; n++) {
        double unused, here;
        uint64_t mask;

        if (!takes_part(j, n) || n == seat->node)
            continue;
        p->steps++;
        if (!packing_score(p, seat->model, n, &unused, &mask))
            continue;
        here = place_w(j, &p->peak[n], n, seat->spec, u, mask);
        if (here >= best)
            continue;
        best = here;
        *ret = (struct spot){ n, mask };
        found = true;
    }
    *ret_w = best;
    return found;
}

/* --- replicas -----------------------------------------------------------------------------------
 */

static void put(struct packing *p, size_t i, struct spot place)
{
    if (i < p->s->n_replicas)
        packing_move(p, (uint32_t)i, place.node, place.mask);
    else
        packing_restart(p, i - p->s->n_replicas, place.node, place.mask);
}

/* Models that want their replicas apart are left where that put them. */
static bool is_free(const struct job *j, size_t i, const struct seat *seat)
{
    const struct packing *p = j->p;

    if (seat->node == NO_INDEX || p->host[seat->node] != HOST_AWAKE || p->closed[seat->node] ||
        p->s->models[seat->model].spec->placement.min_nodes > 1 || packing_spreads(p, seat->model))
        return false;
    if (i >= p->s->n_replicas)
        return !p->frozen;
    return p->s->replicas[i].phase == REPLICA_READY && p->s->replicas[i].follows == 0 &&
           seat->node == p->s->replicas[i].node && packing_movable(p, (uint32_t)i);
}

static bool look_at(struct job *j, size_t i)
{
    struct packing *p = j->p;
    bool fresh = i >= p->s->n_replicas;
    const struct seat *seat = packing_seat(p, i);
    const struct use *u = fresh ? &p->load.model[seat->model] : &p->load.replica[i];
    struct spot better, was;
    double now_w, better_w, stand_s = INFINITY;

    if (!is_free(j, i, seat))
        return false;
    if (!fresh)
        stand_s = (double)(p->s->now_ms - p->s->replicas[i].since_ms) / 1000;
    now_w = present_w(j, seat, u);
    if (!pays(j, seat, now_w - j->least_w * u->mean, stand_s) ||
        !find_better(j, seat, u, now_w, &better, &better_w) ||
        !pays(j, seat, now_w - better_w, stand_s))
        return false;
    was = (struct spot){ seat->node, seat->mask };
    put(p, i, better);
    *ARRAY_ADD(j, undo) = (struct undo){ i, was };
    return !fresh;
}

uint32_t relocation(struct packing *p, double stay_s, bool devices_short)
{
    struct job j = { .p = p, .stay_s = stay_s, .devices_short = devices_short };
    uint32_t moves = 0;
    uint64_t last;

    if (p->frozen || stay_s <= 0)
        return 0;
    j.empty_too = isinf(stay_s);
    find_least(&j);
    last = p->steps + STEPS_MOST < p->max_steps ? p->steps + STEPS_MOST : p->max_steps;
    for (size_t i = 0; i < p->s->n_replicas + p->n_fresh && p->steps <= last; i++)
        moves += look_at(&j, i);
    if (j.n_undo > 0 && survival_weakest(p, 0, NULL) != NO_INDEX) {
        while (j.n_undo > 0) {
            j.n_undo--;
            put(p, j.undo[j.n_undo].seat, j.undo[j.n_undo].was);
        }
        moves = 0;
    }
    free(j.undo);
    return moves;
}
