/* From the present placement to the wanted one: see filling.h. */
#include "controller/placement/filling.h"

#include <math.h>

#include "controller/placement/opening.h"
#include "controller/placement/packing_private.h"
#include "controller/placement/renewal.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

/* --- surplus ------------------------------------------------------------------------------------
 */

/* The one that is missed least: outdated, failing, on a node that is to be left, on a thinly used
 * node. One that is still starting is as good as a ready one: it may be the second half of a move;
 * and the first ones of a new version are on trial: they are given up or become ready. */
static double worth(const struct packing *p, uint32_t replica)
{
    const struct snap_replica *r = &p->s->replicas[replica];
    bool fails = r->phase == REPLICA_BACKOFF || r->phase == REPLICA_UNREADY;
    bool trial = !snapshot_outdated(r) && r->follows > 0;
    double sum = fails && !trial ? 0 : 1000;

    if (snapshot_outdated(r))
        sum -= r->phase == REPLICA_READY ? 500 : 1200;
    if (p->host[r->node] == HOST_TURNING || p->s->nodes[r->node].evacuate)
        sum -= 2000;
    if (packing_spreads(p, r->model))
        sum -=
            50 * (double)tally_get(&p->on_domain, r->model, packing_domain(p, r->model, r->node));
    return sum + fmin(p->held[r->node], 40);
}

static bool may_drop(const struct packing *p, uint32_t model)
{
    const struct plan_model *m = &p->models[model];

    return !p->frozen && !m->frozen && p->placed[model] > m->target;
}

static void drop_surplus(struct packing *p, uint32_t model)
{
    while (may_drop(p, model)) {
        uint32_t worst = NO_INDEX;
        double least = INFINITY;

        for (uint32_t k = p->first_of_model[model]; k < p->first_of_model[model + 1]; k++) {
            uint32_t replica = p->by_model[k];
            double here = p->seats[replica].node == NO_INDEX ? INFINITY : worth(p, replica);

            if (here >= least)
                continue;
            least = here;
            worst = replica;
        }
        if (worst == NO_INDEX)
            return;
        packing_leave(p, worst);
    }
}

/* --- what is missing ----------------------------------------------------------------------------
 */

/* The best node for one may be the best for the next too: where there are no devices, a node that
 * is fuller is better. */
static bool start_next(struct packing *p, uint32_t model, uint32_t node)
{
    return p->placed[model] < p->models[model].target && p->s->nodes[node].n_gpus == 0 &&
           !packing_spreads(p, model) && packing_start(p, model, node);
}

/* What nodes that serve already have room for. */
static void start_beside(struct packing *p, uint32_t model)
{
    while (p->placed[model] < p->models[model].target) {
        uint64_t mask;
        uint32_t node = packing_find(p, model, HOST_AWAKE, NO_INDEX, true, &mask);

        if (node == NO_INDEX)
            node = packing_find(p, model, HOST_COMING, NO_INDEX, true, &mask);
        if (node == NO_INDEX)
            return;
        packing_start_on(p, model, node, mask);
        while (start_next(p, model, node))
            ;
    }
}

static void start_missing(struct packing *p, uint32_t model)
{
    while (p->placed[model] < p->models[model].target) {
        uint64_t mask;
        uint32_t node = packing_find_anywhere(p, model, NO_INDEX, &mask);

        if (node == NO_INDEX && p->crowd)
            break;
        if (node == NO_INDEX) {
            p->crowd = true; /* too few nodes is better than too few replicas */
            continue;
        }
        packing_start_on(p, model, node, mask);
        while (start_next(p, model, node))
            ;
    }
    p->crowd = false;
}

/* --- rescue -------------------------------------------------------------------------------------
 */

/* A node on its way to sleep that cannot be emptied is turned back. */
static void leave_node(struct packing *p, uint32_t node)
{
    for (uint32_t k = p->first[node]; k < p->first[node + 1]; k++) {
        uint32_t replica = p->by_node[k], to = NO_INDEX;
        uint64_t mask;

        if (p->seats[replica].node != node)
            continue;
        if (packing_movable(p, replica)) {
            uint32_t model = p->seats[replica].model;

            to = p->host[node] == HOST_TURNING
                     ? packing_find(p, model, HOST_AWAKE, node, false, &mask)
                     : packing_find_anywhere(p, model, node, &mask);
        }
        if (to != NO_INDEX)
            packing_move(p, replica, to, mask);
        else if (p->host[node] == HOST_TURNING && p->s->replicas[replica].phase == REPLICA_READY)
            packing_open(p, node);
        if (p->host[node] == HOST_COMING)
            return;
    }
}

struct order {
    uint32_t model;
    int64_t priority;
    double size;
};

static int compare_orders(const void *a, const void *b)
{
    const struct order *x = a, *y = b;

    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->model < y->model ? -1 : x->model > y->model;
}

void filling(struct packing *p)
{
    const struct snapshot *s = p->s;
    AUTO(mem) struct order *orders = xcalloc(s->n_models + 1, sizeof(*orders));

    renewal_settle(p);
    for (uint32_t m = 0; m < s->n_models; m++) {
        orders[m] =
            (struct order){ m, packing_spec(p, m)->priority, packing_size(packing_spec(p, m)) };
        drop_surplus(p, m);
    }
    qsort(orders, s->n_models, sizeof(*orders), compare_orders);
    for (uint32_t i = 0; i < s->n_models; i++) {
        if (packing_spec(p, orders[i].model)->placement.min_nodes > 1 ||
            packing_spreads(p, orders[i].model))
            start_missing(p, orders[i].model);
        else
            start_beside(p, orders[i].model);
    }
    opening(p);
    for (uint32_t i = 0; i < s->n_models; i++)
        start_missing(p, orders[i].model);
    for (uint32_t n = 0; n < s->n_nodes; n++)
        if (p->host[n] == HOST_TURNING || s->nodes[n].evacuate)
            leave_node(p, n);
    renewal(p);
}
