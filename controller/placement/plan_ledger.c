/* Loads are summed up from nothing: see plan_ledger.h. */
#include "controller/placement/plan_ledger.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

int64_t plan_device_milli(const struct served_model *spec)
{
    return spec->resources.gpu_milli > 1000 ? 1000 : spec->resources.gpu_milli;
}

int64_t plan_device_bytes(const struct served_model *spec, const struct snap_gpu *g)
{
    if (spec->resources.gpu_memory_bytes >= 0)
        return spec->resources.gpu_memory_bytes;
    return (int64_t)(g->memory_bytes / 1000) * plan_device_milli(spec);
}

static void add_devices(struct plan_ledger *l, const struct served_model *spec, uint32_t node,
                        uint64_t mask, int64_t sign)
{
    const struct snap_node *n = &l->s->nodes[node];

    for (; mask; mask &= mask - 1) {
        uint32_t g = (uint32_t)__builtin_ctzll(mask);

        if (g >= n->n_gpus)
            return;
        l->load[node].milli[g] += sign * plan_device_milli(spec);
        l->load[node].bytes[g] += sign * plan_device_bytes(spec, &n->gpus[g]);
    }
}

void plan_ledger_init(struct plan_ledger *l, const struct plan *p)
{
    size_t n_devices = 0, at = 0;

    *l = (struct plan_ledger){ .p = p, .s = p->snapshot };
    for (uint32_t n = 0; n < l->s->n_nodes; n++)
        n_devices += l->s->nodes[n].n_gpus;
    l->load = xcalloc(l->s->n_nodes + 1, sizeof(*l->load));
    l->devices = xcalloc(2 * n_devices + 1, sizeof(*l->devices));
    for (uint32_t n = 0; n < l->s->n_nodes; n++) {
        l->load[n].milli = l->devices + at;
        l->load[n].bytes = l->devices + n_devices + at;
        at += l->s->nodes[n].n_gpus;
        for (uint32_t i = 0; i < l->s->nodes[n].n_held; i++)
            add_devices(l, l->s->nodes[n].held[i].spec, n, l->s->nodes[n].held[i].gpu_mask, 1);
    }
}

void plan_ledger_done(struct plan_ledger *l)
{
    free(l->load);
    free(l->devices);
    free(l->order);
    free(l->first);
}

void plan_ledger_add(struct plan_ledger *l, const struct served_model *spec, uint32_t node,
                     uint64_t mask, int64_t sign)
{
    l->load[node].cpu_milli += sign * spec->resources.cpu_milli;
    l->load[node].memory_bytes += sign * spec->resources.memory_bytes;
    add_devices(l, spec, node, mask, sign);
}
bool plan_device_is_right(const struct served_model *spec, const struct snap_gpu *g)
{
    for (size_t i = 0; i < spec->resources.gpu_models.n; i++)
        if (strcmp(spec->resources.gpu_models.item[i], g->model) == 0)
            return true;
    return spec->resources.gpu_models.n == 0;
}

int64_t plan_ledger_on_port(const struct plan_ledger *l, int64_t port, uint32_t node)
{
    int64_t n = 0;

    for (size_t i = l->first[node]; i < l->first[node + 1]; i++)
        n += plan_placed_spec(l->s, &l->p->placements[l->order[i]])->port == port;
    return n;
}

/* Two passes of counting: by model, then by node, each of which keeps the order of the one before.
 */
void plan_ledger_sort(struct plan_ledger *l)
{
    const struct plan_placement *all = l->p->placements;
    size_t n = l->p->n_placements;
    AUTO(mem) uint32_t *by_model = xcalloc(n + 1, sizeof(*by_model));
    AUTO(mem) size_t *at = xcalloc((size_t)l->s->n_nodes + l->s->n_models + 2, sizeof(*at));
    size_t *at_model = at + l->s->n_nodes;

    l->order = xcalloc(n + 1, sizeof(*l->order));
    l->first = xcalloc(l->s->n_nodes + 2, sizeof(*l->first));
    for (size_t i = 0; i < n; i++) {
        l->first[all[i].node + 1]++;
        at_model[all[i].model + 1]++;
    }
    for (uint32_t m = 0; m < l->s->n_models; m++)
        at_model[m + 1] += at_model[m];
    for (size_t i = 0; i < n; i++)
        by_model[at_model[all[i].model]++] = (uint32_t)i;
    for (uint32_t k = 0; k < l->s->n_nodes; k++) {
        l->first[k + 1] += l->first[k];
        at[k] = l->first[k];
    }
    for (size_t i = 0; i < n; i++)
        l->order[at[all[by_model[i]].node]++] = by_model[i];
}
