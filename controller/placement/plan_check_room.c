/* Loads are summed up from nothing; a node that is overfull already is only refused more. */
#include "controller/placement/plan_check_room.h"

#include <errno.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define DEVICES 64u

struct load {
    int64_t cpu_milli, memory_bytes;
    int64_t *milli, *bytes; /* per device */
};

struct ledger {
    const struct plan *p;
    const struct snapshot *s;
    struct load *load;
    int64_t *devices;
    uint32_t *order;    /* placements by node, then model */
    uint32_t *emptiest; /* nodes that stay up, most free CPU first */
    uint32_t n_emptiest;
    uint32_t *full; /* per model: that many of them never have room for one more */
};

static void ledger_init(struct ledger *l, const struct plan *p)
{
    size_t n_devices = 0, at = 0;

    *l = (struct ledger){ .p = p, .s = p->snapshot };
    for (uint32_t n = 0; n < l->s->n_nodes; n++)
        n_devices += l->s->nodes[n].n_gpus;
    l->load = xcalloc(l->s->n_nodes + 1, sizeof(*l->load));
    l->devices = xcalloc(2 * n_devices + 1, sizeof(*l->devices));
    for (uint32_t n = 0; n < l->s->n_nodes; n++) {
        l->load[n].milli = l->devices + at;
        l->load[n].bytes = l->devices + n_devices + at;
        at += l->s->nodes[n].n_gpus;
    }
}

static void ledger_done(struct ledger *l)
{
    free(l->load);
    free(l->devices);
    free(l->order);
    free(l->emptiest);
    free(l->full);
}

static void add(struct ledger *l, const struct served_model *spec, uint32_t node, uint64_t mask,
                int64_t sign)
{
    const struct snap_node *n = &l->s->nodes[node];
    int64_t milli = spec->resources.gpu_milli > 1000 ? 1000 : spec->resources.gpu_milli;

    l->load[node].cpu_milli += sign * spec->resources.cpu_milli;
    l->load[node].memory_bytes += sign * spec->resources.memory_bytes;
    for (uint32_t g = 0; g < n->n_gpus && g < DEVICES; g++) {
        int64_t bytes = spec->resources.gpu_memory_bytes;

        if (!(mask >> g & 1))
            continue;
        if (bytes < 0)
            bytes = (int64_t)(n->gpus[g].memory_bytes / 1000) * milli;
        l->load[node].milli[g] += sign * milli;
        l->load[node].bytes[g] += sign * bytes;
    }
}

static bool overfull(const struct ledger *l, uint32_t node)
{
    const struct snap_node *n = &l->s->nodes[node];
    const struct load *x = &l->load[node];

    if (x->cpu_milli > n->cpu_milli || x->memory_bytes > n->memory_bytes)
        return true;
    for (uint32_t g = 0; g < n->n_gpus; g++)
        if (x->milli[g] > 1000 || x->bytes[g] > (int64_t)n->gpus[g].memory_bytes)
            return true;
    return false;
}

/* What runs in a place: what the replica that stays or moves there runs, or the newest version. */
static const struct served_model *placed_spec(const struct snapshot *s,
                                              const struct plan_placement *pp)
{
    uint32_t i = pp->replica != NO_INDEX ? pp->replica : pp->renews ? NO_INDEX : pp->replaces;

    return i == NO_INDEX ? s->models[pp->model].spec : snapshot_replica_spec(s, i);
}

static int check_new(struct ledger *l, const struct plan_placement *pp, struct err *e)
{
    const struct snap_model *m = &l->s->models[pp->model];
    const struct snap_node *n = &l->s->nodes[pp->node];
    int64_t wanted = (m->spec->resources.gpu_milli + 999) / 1000;
    bool comes = n->state == NODE_WAKING || l->p->nodes[pp->node].verdict == PLAN_WAKE;

    if (!snapshot_eligible(m, pp->node))
        return err_set(e, -EPERM, "capacity: model %s may not run on node %s", m->name, n->name);
    if (!comes && (n->state != NODE_AWAKE || !n->schedulable || n->cordoned || n->evacuate))
        return err_set(e, -EPERM, "capacity: node %s takes no replica of %s now", n->name, m->name);
    if (wanted > 0 && (__builtin_popcountll(pp->gpu_mask) != wanted ||
                       (n->n_gpus < DEVICES && pp->gpu_mask >> n->n_gpus)))
        return err_set(e, -EPERM, "capacity: model %s on node %s: not the devices it needs",
                       m->name, n->name);
    add(l, placed_spec(l->s, pp), pp->node, pp->gpu_mask, 1);
    if (overfull(l, pp->node))
        return err_set(e, -EPERM, "capacity: node %s would be overfull with a replica of %s",
                       n->name, m->name);
    return 0;
}

static int compare_placements(const void *a, const void *b, void *data)
{
    const struct plan *p = data;
    const struct plan_placement *x = &p->placements[*(const uint32_t *)a];
    const struct plan_placement *y = &p->placements[*(const uint32_t *)b];

    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    if (x->model != y->model)
        return x->model < y->model ? -1 : 1;
    return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

static void sort_placements(struct ledger *l)
{
    l->order = xcalloc(l->p->n_placements + 1, sizeof(*l->order));
    for (size_t i = 0; i < l->p->n_placements; i++)
        l->order[i] = (uint32_t)i;
    qsort_r(l->order, l->p->n_placements, sizeof(*l->order), compare_placements, (void *)l->p);
}

static int check_per_node(const struct ledger *l, struct err *e)
{
    int64_t same = 0, fresh = 0;

    for (size_t i = 0; i < l->p->n_placements; i++) {
        const struct plan_placement *pp = &l->p->placements[l->order[i]];
        const struct plan_placement *before = i ? &l->p->placements[l->order[i - 1]] : NULL;
        int64_t most = l->s->models[pp->model].spec->placement.max_per_node;

        if (!before || before->node != pp->node || before->model != pp->model)
            same = fresh = 0;
        same++;
        fresh += pp->replica == NO_INDEX;
        if (most >= 0 && same > most && fresh > 0)
            return err_set(e, -EPERM, "capacity: node %s: more than %lld replicas of %s",
                           l->s->nodes[pp->node].name, (long long)most,
                           l->s->models[pp->model].name);
    }
    return 0;
}

/* --- loss of one node ---------------------------------------------------------------------------
 */

static bool stays_up(const struct plan *p, uint32_t node)
{
    const struct snap_node *n = &p->snapshot->nodes[node];
    bool comes = n->state == NODE_WAKING || p->nodes[node].verdict == PLAN_WAKE;

    return p->nodes[node].verdict != PLAN_SLEEP && !n->cordoned && !n->evacuate &&
           (comes || (n->state == NODE_AWAKE && n->schedulable));
}

/* The fullest device that still fits, or NO_INDEX. */
static uint32_t pick_device(const struct ledger *l, const struct served_model *spec, uint32_t node,
                            uint64_t taken)
{
    const struct snap_node *n = &l->s->nodes[node];
    int64_t milli = spec->resources.gpu_milli > 1000 ? 1000 : spec->resources.gpu_milli;
    uint32_t best = NO_INDEX;

    for (uint32_t g = 0; g < n->n_gpus && g < DEVICES; g++) {
        int64_t bytes = spec->resources.gpu_memory_bytes;

        if (bytes < 0)
            bytes = (int64_t)(n->gpus[g].memory_bytes / 1000) * milli;
        if ((taken >> g & 1) || l->load[node].milli[g] + milli > 1000 ||
            l->load[node].bytes[g] + bytes > (int64_t)n->gpus[g].memory_bytes)
            continue;
        if (best == NO_INDEX || l->load[node].milli[g] > l->load[node].milli[best])
            best = g;
    }
    return best;
}

static bool device_room(const struct ledger *l, uint32_t model, uint32_t node, uint64_t *ret_mask)
{
    const struct served_model *spec = l->s->models[model].spec;

    *ret_mask = 0;
    for (int64_t left = spec->resources.gpu_milli; left > 0; left -= 1000) {
        uint32_t g = pick_device(l, spec, node, *ret_mask);

        if (g == NO_INDEX)
            return false;
        *ret_mask |= (uint64_t)1 << g;
    }
    return true;
}

struct refuge {
    uint32_t model, node;
    uint64_t mask;
};

static bool holds_one(const struct ledger *l, uint32_t model, uint32_t n, uint64_t *ret_mask)
{
    const struct served_model *spec = l->s->models[model].spec;

    return snapshot_eligible(&l->s->models[model], n) &&
           l->load[n].cpu_milli + spec->resources.cpu_milli <= l->s->nodes[n].cpu_milli &&
           l->load[n].memory_bytes + spec->resources.memory_bytes <= l->s->nodes[n].memory_bytes &&
           device_room(l, model, n, ret_mask);
}

/* Refuges [0, n_taken) are loaded more than the plan loads them; on all others, but for the lost
 * node, what has no room now has none for any loss. */
static bool is_as_planned(const struct ledger *l, uint32_t model, const struct refuge *taken,
                          size_t n_taken, uint32_t node, uint32_t lost)
{
    if (l->s->models[model].spec->resources.gpu_milli > 1000 * (int64_t)l->s->nodes[node].n_gpus)
        return true;
    for (size_t i = 0; i < n_taken; i++)
        if (taken[i].node == node)
            return false;
    return node != lost;
}

static bool find_refuge(struct ledger *l, uint32_t model, uint32_t lost, struct refuge *taken,
                        size_t n_taken)
{
    struct refuge *ret = &taken[n_taken];
    bool as_planned = true;

    for (uint32_t k = l->full[model]; k < l->n_emptiest; k++) {
        uint32_t n = l->emptiest[k];

        if (n != lost && holds_one(l, model, n, &ret->mask)) {
            ret->model = model;
            ret->node = n;
            return true;
        }
        as_planned = as_planned && is_as_planned(l, model, taken, n_taken, n, lost);
        if (as_planned)
            l->full[model] = k + 1;
    }
    return false;
}

/* Placements [from, to) of l->order stand on the node that is lost. */
static bool survives(struct ledger *l, uint32_t *placed, size_t from, size_t to)
{
    AUTO(mem) struct refuge *refuges = xcalloc(to - from + 1, sizeof(*refuges));
    uint32_t lost = l->p->placements[l->order[from]].node;
    size_t n = 0;
    bool room = true;

    for (size_t i = from; i < to; i++)
        placed[l->p->placements[l->order[i]].model]--;
    for (size_t i = from; i < to && room; i++) {
        uint32_t model = l->p->placements[l->order[i]].model;
        const struct plan_model *m = &l->p->models[model];

        if (placed[model] >= (m->floor < m->target ? m->floor : m->target))
            continue;
        room = find_refuge(l, model, lost, refuges, n);
        if (!room)
            break;
        add(l, l->s->models[model].spec, refuges[n].node, refuges[n].mask, 1);
        placed[model]++;
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        add(l, l->s->models[refuges[i].model].spec, refuges[i].node, refuges[i].mask, -1);
        placed[refuges[i].model]--;
    }
    for (size_t i = from; i < to; i++)
        placed[l->p->placements[l->order[i]].model]++;
    return room;
}

static int compare_free(const void *a, const void *b, void *data)
{
    const struct ledger *l = data;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int64_t free_x = l->s->nodes[x].cpu_milli - l->load[x].cpu_milli;
    int64_t free_y = l->s->nodes[y].cpu_milli - l->load[y].cpu_milli;

    if (free_x != free_y)
        return free_x > free_y ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void sort_nodes(struct ledger *l)
{
    l->emptiest = xcalloc(l->s->n_nodes + 1, sizeof(*l->emptiest));
    for (uint32_t n = 0; n < l->s->n_nodes; n++)
        if (stays_up(l->p, n))
            l->emptiest[l->n_emptiest++] = n;
    qsort_r(l->emptiest, l->n_emptiest, sizeof(*l->emptiest), compare_free, l);
    l->full = xcalloc(l->s->n_models + 1, sizeof(*l->full));
}

static int check_losses(struct ledger *l, struct err *e)
{
    AUTO(mem) uint32_t *placed = xcalloc(l->s->n_models + 1, sizeof(*placed));
    size_t n = l->p->n_placements;

    for (size_t i = 0; i < n; i++) {
        const struct plan_placement *pp = &l->p->placements[i];

        add(l, placed_spec(l->s, pp), pp->node,
            pp->replica == NO_INDEX ? pp->gpu_mask : l->s->replicas[pp->replica].gpu_mask, 1);
        placed[pp->model]++;
    }
    sort_nodes(l);
    for (size_t from = 0, to; from < n; from = to) {
        uint32_t node = l->p->placements[l->order[from]].node;
        uint32_t pool = l->s->nodes[node].pool;

        for (to = from; to < n && l->p->placements[l->order[to]].node == node;)
            to++;
        if (pool < l->s->n_pools && l->s->pools[pool].spec->spare > 0 && stays_up(l->p, node) &&
            !survives(l, placed, from, to))
            return err_set(e, -EPERM, "G5: the loss of node %s would leave no room for a floor",
                           l->s->nodes[node].name);
    }
    return 0;
}

static bool takes_nodes_away(const struct plan *p)
{
    for (uint32_t n = 0; n < p->snapshot->n_nodes; n++)
        if (p->nodes[n].verdict == PLAN_SLEEP)
            return true;
    return false;
}

int plan_check_room(const struct plan *p, struct err *e)
{
    struct ledger now, after;
    int r = 0;

    ledger_init(&now, p);
    for (uint32_t i = 0; i < p->snapshot->n_replicas; i++) {
        const struct snap_replica *x = &p->snapshot->replicas[i];

        add(&now, snapshot_replica_spec(p->snapshot, i), x->node, x->gpu_mask, 1);
    }
    for (size_t i = 0; i < p->n_placements && r == 0; i++)
        if (p->placements[i].replica == NO_INDEX)
            r = check_new(&now, &p->placements[i], e);
    sort_placements(&now);
    if (r == 0)
        r = check_per_node(&now, e);
    ledger_done(&now);
    if (r < 0 || !takes_nodes_away(p))
        return r;
    ledger_init(&after, p);
    sort_placements(&after);
    r = check_losses(&after, e);
    ledger_done(&after);
    return r;
}
