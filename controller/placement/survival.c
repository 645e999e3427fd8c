/* Each host is taken away in turn; what its models then lack for their floors is put elsewhere, and
 * everything is put back. A host without room for a model before a trial has none in any: it is not
 * asked again, nor is a packing that has not changed since any loss of it was survived. */
#include "controller/placement/survival.h"

#include "proto/base/array.h"

struct trial {
    struct packing *p;
    uint32_t *order; /* hosts, emptiest first */
    uint32_t n_order;
    uint64_t *full; /* per model, a bit per host in that order: no room, even before a trial */
    size_t n_words;
    uint32_t *start, *seated; /* models by node, after: seated[start[n] .. start[n + 1]) */
    struct seat *moved;
    size_t n_moved, cap_moved;
    uint32_t lacking; /* a model without room, after a loss that is not survived */
};

struct free_cpu {
    uint32_t node;
    int64_t cpu_milli;
};

static int emptiest_first(const void *a, const void *b, void *unused)
{
    const struct free_cpu *x = a, *y = b;

    (void)unused;
    if (x->cpu_milli != y->cpu_milli)
        return x->cpu_milli > y->cpu_milli ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

static void order_hosts(struct trial *t)
{
    const struct packing *p = t->p;
    AUTO(mem) struct free_cpu *hosts = xcalloc(p->s->n_nodes + 1, sizeof(*hosts));

    t->order = xcalloc(p->s->n_nodes + 1, sizeof(*t->order));
    for (uint32_t n = 0; n < p->s->n_nodes; n++)
        if (packing_is_up(p, n))
            hosts[t->n_order++] = (struct free_cpu){ n, p->after[n].cpu_milli };
    array_sort(hosts, t->n_order, sizeof(*hosts), emptiest_first, NULL);
    t->n_words = t->n_order / 64 + 1;
    t->full = xcalloc((size_t)(p->s->n_models + 1) * t->n_words, sizeof(*t->full));
    for (uint32_t m = 0; m < p->s->n_models; m++) /* there are no hosts behind the last */
        t->full[(m + 1) * t->n_words - 1] = UINT64_MAX << (t->n_order % 64);
    for (uint32_t i = 0; i < t->n_order; i++)
        t->order[i] = hosts[i].node;
}

/* By node, and there by model: two passes of counting. */
static void seat_models(struct trial *t)
{
    const struct packing *p = t->p;
    size_t n = p->s->n_replicas + p->n_fresh;
    AUTO(mem) uint32_t *by_model = xcalloc(n + 1, sizeof(*by_model));
    AUTO(mem) uint32_t *of_model = xcalloc(p->s->n_models + 2, sizeof(*of_model));
    AUTO(mem) uint32_t *at = xcalloc(p->s->n_nodes + 1, sizeof(*at));

    t->start = xcalloc(p->s->n_nodes + 2, sizeof(*t->start));
    t->seated = xcalloc(n + 1, sizeof(*t->seated));
    for (size_t i = 0; i < n; i++) {
        if (packing_seat(p, i)->node == NO_INDEX)
            continue;
        t->start[packing_seat(p, i)->node + 1]++;
        of_model[packing_seat(p, i)->model + 1]++;
    }
    for (uint32_t m = 0; m < p->s->n_models; m++)
        of_model[m + 1] += of_model[m];
    for (uint32_t k = 0; k < p->s->n_nodes; k++) {
        t->start[k + 1] += t->start[k];
        at[k] = t->start[k];
    }
    for (size_t i = 0; i < n; i++)
        if (packing_seat(p, i)->node != NO_INDEX)
            by_model[of_model[packing_seat(p, i)->model]++] = (uint32_t)i;
    for (uint32_t i = 0; i < t->start[p->s->n_nodes]; i++)
        t->seated[at[packing_seat(p, by_model[i])->node]++] = packing_seat(p, by_model[i])->model;
}

static bool has_room(const struct packing *p, uint32_t model, uint32_t node, uint64_t *ret_mask)
{
    return snapshot_eligible(&p->s->models[model], node) && packing_allows_one(p, model, node, 0) &&
           room_fits(&p->after[node], &p->s->nodes[node], p->s->models[model].spec, ret_mask);
}

/* Two with one fixed port are never lost at once: of ports nothing changes. How many stand on a
 * node is asked only of models that have a maxPerNode. */
static void count(struct packing *p, const struct seat *m, int sign)
{
    if (m->spec->placement.max_per_node >= 0)
        (void)tally_add(&p->on_node, m->model, m->node, sign);
    p->placed[m->model] += (uint32_t)sign;
}

/* Was the node one for the model before the trial, by what may stand together? */
static bool was_allowed(const struct trial *t, uint32_t model, uint32_t node)
{
    int64_t came = 0;

    ARRAY_FOREACH(m, t, moved)
        came += m->node == node && m->model == model;
    return snapshot_eligible(&t->p->s->models[model], node) &&
           packing_allows_one(t->p, model, node, came);
}

/* Had the node room for the model before the trial, the lost one too? */
static bool had_room(const struct trial *t, uint32_t model, uint32_t node)
{
    const struct snapshot *s = t->p->s;
    const struct snap_node *n = &s->nodes[node];
    struct room_gpu gpus[SNAP_GPUS];
    struct room before = t->p->after[node];
    uint64_t mask;

    if (!was_allowed(t, model, node))
        return false;
    if (n->n_gpus > SNAP_GPUS)
        return true;
    for (uint32_t g = 0; g < n->n_gpus; g++)
        gpus[g] = before.gpus[g];
    before.gpus = gpus;
    ARRAY_FOREACH(m, t, moved)
        if (m->node == node)
            room_give(&before, n, m->spec, m->mask);
    return room_fits(&before, n, s->models[model].spec, &mask);
}

static bool put_there(struct trial *t, uint32_t model, uint32_t node)
{
    struct packing *p = t->p;
    struct seat *m;
    uint64_t mask;

    if (!has_room(p, model, node, &mask))
        return false;
    m = ARRAY_ADD(t, moved);
    *m = (struct seat){ model, node, mask, p->s->models[model].spec, false };
    room_take(&p->after[node], &p->s->nodes[node], m->spec, mask);
    count(p, m, 1);
    return true;
}

/* Where nothing was put, room is what it was before the trial. */
static bool is_untouched(const struct trial *t, uint32_t node)
{
    ARRAY_FOREACH(m, t, moved)
        if (m->node == node)
            return false;
    return true;
}

static bool put_elsewhere(struct trial *t, uint32_t model, uint32_t lost)
{
    uint64_t *full = t->full + (size_t)model * t->n_words;

    for (size_t w = 0; w < t->n_words; w++)
        for (uint64_t left = ~full[w]; left; left &= left - 1) {
            uint32_t bit = (uint32_t)__builtin_ctzll(left);
            uint32_t n = t->order[64 * w + bit];

            t->p->steps++;
            if (n != lost && put_there(t, model, n))
                return true;
            if ((n != lost && is_untouched(t, n)) || !had_room(t, model, n))
                full[w] |= UINT64_C(1) << bit;
        }
    return false;
}

static bool survives(struct trial *t, uint32_t lost)
{
    struct packing *p = t->p;
    bool room = true;
    uint32_t from = t->start[lost], to = t->start[lost + 1];

    t->n_moved = 0;
    for (uint32_t k = from; k < to; k++)
        p->placed[t->seated[k]]--;
    for (uint32_t k = from; k < to && room; k++) {
        uint32_t model = t->seated[k];
        uint32_t floor = p->models[model].floor < p->models[model].target ? p->models[model].floor
                                                                          : p->models[model].target;

        if (p->placed[model] >= floor)
            continue;
        room = put_elsewhere(t, model, lost);
        if (!room)
            t->lacking = model;
    }
    ARRAY_FOREACH(m, t, moved) {
        room_give(&p->after[m->node], &p->s->nodes[m->node], m->spec, m->mask);
        count(p, m, -1);
    }
    for (uint32_t k = from; k < to; k++)
        p->placed[t->seated[k]]++;
    return room;
}

uint32_t survival_weakest(struct packing *p, uint32_t from, uint32_t *ret_model)
{
    struct trial t = { .p = p };
    uint32_t weakest = NO_INDEX;

    if (p->survives == p->order.changes + 1) {
        if (ret_model)
            *ret_model = 0;
        return NO_INDEX;
    }
    order_hosts(&t);
    seat_models(&t);
    for (uint32_t n = from; n < p->s->n_nodes && weakest == NO_INDEX; n++) {
        uint32_t pool = p->s->nodes[n].pool;

        if (packing_is_up(p, n) && pool < p->s->n_pools && p->s->pools[pool].spec->spare > 0 &&
            p->held[n] > 0 && !survives(&t, n))
            weakest = n;
    }
    if (from == 0 && weakest == NO_INDEX)
        p->survives = p->order.changes + 1;
    if (ret_model)
        *ret_model = t.lacking;
    free(t.order);
    free(t.full);
    free(t.start);
    free(t.seated);
    free(t.moved);
    return weakest;
}
