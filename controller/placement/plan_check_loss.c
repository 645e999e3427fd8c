/* Each node is taken away in turn; what its models then lack for their floors flees to others, and
 * comes back. */
#include "controller/placement/plan_check_loss.h"

#include <errno.h>

#include "controller/placement/plan_ledger.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

struct refuge {
    uint32_t model, node;
    uint64_t mask;
};

struct losses {
    struct plan_ledger l;
    struct refuge *taken; /* room for those of any one loss */
    uint32_t *placed;     /* per model */
    uint32_t *emptiest;   /* nodes that stay up, most free CPU first */
    uint32_t n_emptiest;
    uint64_t *full; /* per model, a bit per node in that order: never has room for one more */
    size_t n_words;
};

static bool stays_up(const struct plan *p, uint32_t node)
{
    const struct snap_node *n = &p->snapshot->nodes[node];
    bool comes = n->state == NODE_WAKING || p->nodes[node].verdict == PLAN_WAKE;

    return p->nodes[node].verdict != PLAN_SLEEP && !n->cordoned && !n->evacuate &&
           (comes || (n->state == NODE_AWAKE && n->schedulable));
}

static bool device_fits(const struct plan_ledger *l, const struct served_model *spec, uint32_t node,
                        uint32_t g)
{
    const struct snap_node *n = &l->s->nodes[node];
    const struct plan_load *x = &l->load[node];

    return x->milli[g] + plan_device_milli(spec) <= 1000 &&
           x->bytes[g] + plan_device_bytes(spec, &n->gpus[g]) <= (int64_t)n->gpus[g].memory_bytes &&
           plan_device_is_right(spec, &n->gpus[g]);
}

/* The fullest device that still fits, or NO_INDEX. */
static uint32_t fullest_device(const struct plan_ledger *l, const struct served_model *spec,
                               uint32_t node)
{
    const struct plan_load *x = &l->load[node];
    uint32_t best = NO_INDEX;

    for (uint32_t g = 0; g < l->s->nodes[node].n_gpus && g < SNAP_GPUS; g++)
        if (device_fits(l, spec, node, g) && (best == NO_INDEX || x->milli[g] > x->milli[best]))
            best = g;
    return best;
}

/* The fullest one for a part, the first ones for whole devices. */
static bool device_room(const struct plan_ledger *l, uint32_t model, uint32_t node,
                        uint64_t *ret_mask)
{
    const struct served_model *spec = l->s->models[model].spec;
    int64_t left = spec->resources.gpu_milli;

    *ret_mask = 0;
    if (left > 0 && left < 1000) {
        uint32_t g = fullest_device(l, spec, node);

        *ret_mask = g == NO_INDEX ? 0 : (uint64_t)1 << g;
        return g != NO_INDEX;
    }
    for (uint32_t g = 0; g < l->s->nodes[node].n_gpus && g < SNAP_GPUS && left > 0; g++)
        if (device_fits(l, spec, node, g)) {
            *ret_mask |= (uint64_t)1 << g;
            left -= 1000;
        }
    return left <= 0;
}

/* Of one loss; that many have been given out. */
struct refuges {
    struct refuge *taken;
    size_t n;
    uint32_t lost;
};

/* Replicas of the model that stand on the node, by the plan. */
static int64_t planned_there(const struct plan_ledger *l, uint32_t model, uint32_t node)
{
    size_t low = l->first[node], high = l->first[node + 1];
    int64_t there = 0;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (l->p->placements[l->order[middle]].model < model)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < l->first[node + 1] && l->p->placements[l->order[low]].model == model; low++)
        there++;
    return there;
}

static bool holds_one(const struct plan_ledger *l, uint32_t model, uint32_t n,
                      const struct refuges *r, uint64_t *ret_mask)
{
    const struct served_model *spec = l->s->models[model].spec;
    int64_t most = spec->placement.max_per_node, same = 0;

    if (!snapshot_eligible(&l->s->models[model], n) ||
        l->load[n].cpu_milli + spec->resources.cpu_milli > l->s->nodes[n].cpu_milli ||
        l->load[n].memory_bytes + spec->resources.memory_bytes > l->s->nodes[n].memory_bytes ||
        !device_room(l, model, n, ret_mask))
        return false;
    for (size_t i = 0; i < r->n; i++)
        same += r->taken[i].node == n && r->taken[i].model == model;
    return (most < 0 || planned_there(l, model, n) + same < most) &&
           (spec->port <= 0 || plan_ledger_on_port(l, spec->port, n) == 0);
}

/* A node is loaded as the plan loads it, unless something has fled there. */
static bool is_as_planned(const struct refuges *r, uint32_t node)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->taken[i].node == node)
            return false;
    return true;
}

/* The emptiest node with room. One that has none as the plan loads it has none for any loss. */
static bool find_refuge(struct losses *x, uint32_t model, struct refuges *r)
{
    uint64_t *full = x->full + (size_t)model * x->n_words;
    struct refuge *ret = &r->taken[r->n];

    for (size_t w = 0; w < x->n_words; w++)
        for (uint64_t left = ~full[w]; left; left &= left - 1) {
            uint32_t bit = (uint32_t)__builtin_ctzll(left);
            uint32_t n = x->emptiest[64 * w + bit];

            if (!holds_one(&x->l, model, n, r, &ret->mask)) {
                if (is_as_planned(r, n))
                    full[w] |= UINT64_C(1) << bit;
            } else if (n != r->lost) {
                ret->model = model;
                ret->node = n;
                r->n++;
                return true;
            }
        }
    return false;
}

/* Placements [from, to) of l.order stand on the node that is lost. */
static bool survives(struct losses *x, size_t from, size_t to)
{
    struct plan_ledger *l = &x->l;
    struct refuges refuges = { x->taken, 0, l->p->placements[l->order[from]].node };
    bool room = true;

    for (size_t i = from; i < to; i++)
        x->placed[l->p->placements[l->order[i]].model]--;
    for (size_t i = from; i < to && room; i++) {
        uint32_t model = l->p->placements[l->order[i]].model;
        const struct plan_model *m = &l->p->models[model];
        const struct refuge *last;

        if (x->placed[model] >= (m->floor < m->target ? m->floor : m->target))
            continue;
        room = find_refuge(x, model, &refuges);
        if (!room)
            break;
        last = &x->taken[refuges.n - 1];
        plan_ledger_add(l, l->s->models[model].spec, last->node, last->mask, 1);
        x->placed[model]++;
    }
    for (size_t i = 0; i < refuges.n; i++) {
        const struct refuge *r = &x->taken[i];

        plan_ledger_add(l, l->s->models[r->model].spec, r->node, r->mask, -1);
        x->placed[r->model]--;
    }
    for (size_t i = from; i < to; i++)
        x->placed[l->p->placements[l->order[i]].model]++;
    return room;
}

static int compare_free(const void *a, const void *b, void *data)
{
    const struct plan_ledger *l = data;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int64_t free_x = l->s->nodes[x].cpu_milli - l->load[x].cpu_milli;
    int64_t free_y = l->s->nodes[y].cpu_milli - l->load[y].cpu_milli;

    if (free_x != free_y)
        return free_x > free_y ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* As the plan leaves things. */
static void losses_init(struct losses *x, const struct plan *p)
{
    const struct snapshot *s = p->snapshot;
    size_t most = 0; /* on one node */

    *x = (struct losses){ .n_emptiest = 0 };
    plan_ledger_init(&x->l, p);
    plan_ledger_sort(&x->l);
    for (uint32_t n = 0; n < s->n_nodes; n++)
        if (x->l.first[n + 1] - x->l.first[n] > most)
            most = x->l.first[n + 1] - x->l.first[n];
    x->taken = xcalloc(most + 1, sizeof(*x->taken));
    x->placed = xcalloc(s->n_models + 1, sizeof(*x->placed));
    for (size_t i = 0; i < p->n_placements; i++) {
        const struct plan_placement *pp = &p->placements[i];

        plan_ledger_add(&x->l, plan_placed_spec(s, pp), pp->node,
                        pp->replica == NO_INDEX ? pp->gpu_mask : s->replicas[pp->replica].gpu_mask,
                        1);
        x->placed[pp->model]++;
    }
    x->emptiest = xcalloc(s->n_nodes + 1, sizeof(*x->emptiest));
    for (uint32_t n = 0; n < s->n_nodes; n++)
        if (stays_up(p, n))
            x->emptiest[x->n_emptiest++] = n;
    array_sort(x->emptiest, x->n_emptiest, sizeof(*x->emptiest), compare_free, &x->l);
    x->n_words = x->n_emptiest / 64 + 1;
    x->full = xcalloc((size_t)(s->n_models + 1) * x->n_words, sizeof(*x->full));
    for (uint32_t m = 0; m < s->n_models; m++) /* there are no nodes behind the last */
        x->full[(m + 1) * x->n_words - 1] = UINT64_MAX << (x->n_emptiest % 64);
}

static void losses_done(struct losses *x)
{
    plan_ledger_done(&x->l);
    free(x->taken);
    free(x->placed);
    free(x->emptiest);
    free(x->full);
}

static bool is_spared(const struct snapshot *s, uint32_t node)
{
    uint32_t pool = s->nodes[node].pool;

    return pool < s->n_pools && s->pools[pool].spec->spare > 0;
}

static bool takes_nodes_away(const struct plan *p)
{
    for (uint32_t n = 0; n < p->snapshot->n_nodes; n++)
        if (p->nodes[n].verdict == PLAN_SLEEP)
            return true;
    return false;
}

int plan_check_losses(const struct plan *p, struct err *e)
{
    const struct snapshot *s = p->snapshot;
    struct losses x;
    int r = 0;

    if (!takes_nodes_away(p))
        return 0;
    losses_init(&x, p);
    for (uint32_t n = 0; n < s->n_nodes && r == 0; n++) {
        size_t from = x.l.first[n], to = x.l.first[n + 1];

        if (from < to && is_spared(s, n) && stays_up(p, n) && !survives(&x, from, to))
            r = err_set(e, -EPERM, "G5: the loss of node %s would leave no room for a floor",
                        s->nodes[n].name);
    }
    losses_done(&x);
    return r;
}
