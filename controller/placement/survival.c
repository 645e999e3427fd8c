/* Each host is taken away in turn; what its models then lack for their floors is put elsewhere, and
 * everything is put back. */
#include "controller/placement/survival.h"

#include "proto/base/array.h"

struct trial {
    struct packing *p;
    uint32_t *order; /* hosts, emptiest first */
    uint32_t n_order;
    uint32_t *start, *seated; /* models by node, after: seated[start[n] .. start[n + 1]) */
    struct seat *moved;
    size_t n_moved, cap_moved;
};

static bool stays_awake(const struct packing *p, uint32_t node)
{
    return (p->host[node] == HOST_AWAKE || p->host[node] == HOST_COMING) && !p->closed[node];
}

struct free_cpu {
    uint32_t node;
    int64_t cpu_milli;
};

static int emptiest_first(const void *a, const void *b)
{
    const struct free_cpu *x = a, *y = b;

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
        if (stays_awake(p, n))
            hosts[t->n_order++] = (struct free_cpu){ n, p->after[n].cpu_milli };
    qsort(hosts, t->n_order, sizeof(*hosts), emptiest_first);
    for (uint32_t i = 0; i < t->n_order; i++)
        t->order[i] = hosts[i].node;
}

static const struct seat *seat_at(const struct packing *p, size_t i)
{
    return i < p->s->n_replicas ? &p->seats[i] : &p->fresh[i - p->s->n_replicas];
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void seat_models(struct trial *t)
{
    const struct packing *p = t->p;
    size_t n = p->s->n_replicas + p->n_fresh;
    AUTO(mem) uint32_t *at = xcalloc(p->s->n_nodes + 1, sizeof(*at));

    t->start = xcalloc(p->s->n_nodes + 2, sizeof(*t->start));
    t->seated = xcalloc(n + 1, sizeof(*t->seated));
    for (size_t i = 0; i < n; i++)
        if (seat_at(p, i)->node != NO_INDEX)
            t->start[seat_at(p, i)->node + 1]++;
    for (uint32_t k = 0; k < p->s->n_nodes; k++) {
        t->start[k + 1] += t->start[k];
        at[k] = t->start[k];
    }
    for (size_t i = 0; i < n; i++)
        if (seat_at(p, i)->node != NO_INDEX)
            t->seated[at[seat_at(p, i)->node]++] = seat_at(p, i)->model;
    for (uint32_t k = 0; k < p->s->n_nodes; k++)
        qsort(t->seated + t->start[k], t->start[k + 1] - t->start[k], sizeof(*t->seated),
              by_number);
}

static bool put_elsewhere(struct trial *t, uint32_t model, uint32_t lost)
{
    struct packing *p = t->p;
    const struct served_model *spec = p->s->models[model].spec;
    uint64_t mask;

    for (uint32_t i = 0; i < t->n_order; i++) {
        uint32_t n = t->order[i];

        p->steps++;
        if (n == lost || !snapshot_eligible(&p->s->models[model], n) ||
            !room_fits(&p->after[n], &p->s->nodes[n], spec, &mask))
            continue;
        if (spec->placement.max_per_node >= 0 &&
            tally_get(&p->on_node, model, n) >= spec->placement.max_per_node)
            continue;
        room_take(&p->after[n], &p->s->nodes[n], spec, mask);
        tally_add(&p->on_node, model, n, 1);
        *ARRAY_ADD(t, moved) = (struct seat){ model, n, mask, spec, false };
        return true;
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
        p->placed[model] += room;
    }
    ARRAY_FOREACH(m, t, moved) {
        room_give(&p->after[m->node], &p->s->nodes[m->node], p->s->models[m->model].spec, m->mask);
        tally_add(&p->on_node, m->model, m->node, -1);
        p->placed[m->model]--;
    }
    for (uint32_t k = from; k < to; k++)
        p->placed[t->seated[k]]++;
    return room;
}

uint32_t survival_weakest(struct packing *p)
{
    struct trial t = { .p = p };
    uint32_t weakest = NO_INDEX;

    order_hosts(&t);
    seat_models(&t);
    for (uint32_t n = 0; n < p->s->n_nodes && weakest == NO_INDEX; n++) {
        uint32_t pool = p->s->nodes[n].pool;

        if (stays_awake(p, n) && pool < p->s->n_pools && p->s->pools[pool].spec->spare > 0 &&
            p->held[n] > 0 && !survives(&t, n))
            weakest = n;
    }
    free(t.order);
    free(t.start);
    free(t.seated);
    free(t.moved);
    return weakest;
}
