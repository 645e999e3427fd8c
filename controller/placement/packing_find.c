/* Which node is best for one more replica: best fit on CPU, memory and devices. */
#include <math.h>

#include "controller/placement/packing_private.h"

bool packing_allows_one(const struct packing *p, uint32_t model, uint32_t node, int64_t gone)
{
    const struct served_model *spec = packing_spec(p, model);
    int64_t most = spec->placement.max_per_node;

    return (spec->port <= 0 || tally_get(&p->on_port, (uint32_t)spec->port, node) == 0) &&
           (most < 0 || tally_get(&p->on_node, model, node) - gone < most);
}

static bool admits(const struct packing *p, uint32_t model, uint32_t node)
{
    const struct served_model *spec = packing_spec(p, model);
    bool crowds = p->crowd || (int64_t)p->spread_over[model] >= spec->placement.min_nodes;

    return snapshot_eligible(&p->s->models[model], node) && packing_allows_one(p, model, node, 0) &&
           (crowds || tally_get(&p->on_node, model, node) == 0);
}

/* On a node with devices: what the replica makes useless for the others. */
static bool device_score(const struct packing *p, uint32_t model, uint32_t node, double *ret_score,
                         uint64_t *ret_mask)
{
    const struct served_model *spec = packing_spec(p, model);
    double cost;

    if (!mix_cost(&p->mix, &p->peak[node], &p->s->nodes[node], spec, !packing_in_use(p, node),
                  &cost, ret_mask))
        return false;
    *ret_score = PACKING_DEVICES * cost;
    if (spec->resources.gpu_milli <= 0 && p->plain_hosts)
        *ret_score += PACKING_NO_DEVICE;
    return true;
}

/* On a node without: little left over, not empty. */
static bool plain_score(const struct packing *p, uint32_t model, uint32_t node, double *ret_score,
                        uint64_t *ret_mask)
{
    const struct snap_node *n = &p->s->nodes[node];
    const struct served_model *spec = packing_spec(p, model);
    const struct room *r = &p->peak[node];
    double sum = 0;

    if (!room_fits(r, n, spec, ret_mask))
        return false;
    if (n->cpu_milli > 0)
        sum += (double)(r->cpu_milli - spec->resources.cpu_milli) / (double)n->cpu_milli;
    if (n->memory_bytes > 0)
        sum += (double)(r->memory_bytes - spec->resources.memory_bytes) / (double)n->memory_bytes;
    if (!packing_in_use(p, node))
        sum += PACKING_EMPTY;
    *ret_score = sum;
    return true;
}

double packing_standing_cost(const struct packing *p, uint32_t node)
{
    const struct snap_node *n = &p->s->nodes[node];
    double cost = 0;

    if (n->occupied) /* it stands anyway */
        return 0;
    if (n->cpu_milli > 0)
        cost += 0.02 * node_curve_watts(&n->curve, 0.7) * 1000 / (double)n->cpu_milli;
    if (p->host[node] == HOST_ASLEEP)
        cost += n->curve.boot_p99_s / 60;
    return cost;
}

/* Fitting, few of the model in the domain, frugal, soon there, not likely to be overloaded. */
bool packing_score(const struct packing *p, uint32_t model, uint32_t node, double *ret_score,
                   uint64_t *ret_mask)
{
    const struct snap_node *n = &p->s->nodes[node];
    double sum;

    if (!admits(p, model, node))
        return false;
    if (n->n_gpus > 0 ? !device_score(p, model, node, &sum, ret_mask)
                      : !plain_score(p, model, node, &sum, ret_mask))
        return false;
    sum += packing_standing_cost(p, node);
    if (packing_spreads(p, model))
        sum += PACKING_SPREAD *
               (double)tally_get(&p->on_domain, model, packing_domain(p, model, node));
    sum += PACKING_EMPTY * OVERLOAD_IDLES *
           load_added_chance(&p->load, n, node, &p->load.model[model], 1);
    *ret_score = sum;
    return true;
}

struct search {
    struct packing *p;
    uint32_t model, but, best;
    uint64_t mask;
};

static bool look_at(void *data, uint32_t node, double *best_score)
{
    struct search *f = data;
    uint64_t mask = 0;
    double here;

    f->p->steps++;
    if (node == f->but || !packing_score(f->p, f->model, node, &here, &mask) ||
        here > *best_score || (here == *best_score && node > f->best))
        return false;
    *best_score = here;
    f->best = node;
    f->mask = mask;
    return true;
}

uint32_t packing_find(struct packing *p, uint32_t model, enum host kind, uint32_t but,
                      bool busy_only, uint64_t *ret_mask)
{
    struct search f = { .p = p, .model = model, .but = but, .best = NO_INDEX };

    packing_order_walk(p, model, kind, busy_only, look_at, &f);
    if (f.best != NO_INDEX)
        *ret_mask = f.mask;
    return f.best;
}

uint32_t packing_find_anywhere(struct packing *p, uint32_t model, uint32_t but, uint64_t *ret_mask)
{
    for (int kind = HOST_AWAKE; kind < HOST_NONE; kind++) {
        uint32_t node = packing_find(p, model, (enum host)kind, but, false, ret_mask);

        if (node != NO_INDEX && (kind <= HOST_COMING || packing_open(p, node)))
            return node;
    }
    return NO_INDEX;
}

bool packing_start(struct packing *p, uint32_t model, uint32_t node)
{
    double unused;
    uint64_t mask;

    if (!packing_score(p, model, node, &unused, &mask))
        return false;
    packing_start_on(p, model, node, mask);
    return true;
}

bool packing_place(struct packing *p, uint32_t model)
{
    uint64_t mask;
    uint32_t node = packing_find_anywhere(p, model, NO_INDEX, &mask);

    if (node == NO_INDEX)
        return false;
    packing_start_on(p, model, node, mask);
    return true;
}
