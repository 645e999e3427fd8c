/* The missing replicas as pieces, the empty nodes of a class as equal bins. */
#include "controller/placement/opening.h"

#include <stdlib.h>
#include <string.h>

#include "controller/placement/bins.h"
#include "proto/base/array.h"

#define WHOLE 1000
#define WORK_A_STEP 800u /* innermost operations of the search to one node looked at */
#define WORK_MOST 1600000000u

struct opener {
    struct packing *p;
    uint32_t *nodes; /* of one class, in the order in which they are opened */
    uint32_t n_nodes;
    uint32_t *models; /* kind to model */
    struct bins_kind *kinds;
    struct bins bins;
};

static uint32_t missing(const struct packing *p, uint32_t model)
{
    uint32_t target = p->models[model].target;

    return target > p->placed[model] ? target - p->placed[model] : 0;
}

/* --- classes ------------------------------------------------------------------------------------
 */

static bool empty(const struct packing *p, uint32_t n)
{
    return p->host[n] != HOST_NONE && !p->closed[n] && !packing_in_use(p, n) &&
           p->first[n] == p->first[n + 1] && p->s->nodes[n].pool < p->s->n_pools;
}

static int compare_classes(const struct snap_node *a, const struct snap_node *b)
{
    double x = node_curve_watts(&a->curve, 0.7) * (double)b->cpu_milli;
    double y = node_curve_watts(&b->curve, 0.7) * (double)a->cpu_milli;

    if (x != y) /* watts per CPU */
        return x < y ? -1 : 1;
    if (a->cpu_milli != b->cpu_milli)
        return a->cpu_milli > b->cpu_milli ? -1 : 1;
    if (a->memory_bytes != b->memory_bytes)
        return a->memory_bytes > b->memory_bytes ? -1 : 1;
    if (a->n_gpus != b->n_gpus)
        return a->n_gpus > b->n_gpus ? -1 : 1;
    for (uint32_t g = 0; a->gpus != b->gpus && g < a->n_gpus; g++) {
        int by_model = strcmp(a->gpus[g].model, b->gpus[g].model);

        if (by_model != 0)
            return by_model;
        if (a->gpus[g].memory_bytes != b->gpus[g].memory_bytes)
            return a->gpus[g].memory_bytes > b->gpus[g].memory_bytes ? -1 : 1;
    }
    return 0;
}

static int compare_nodes(const void *a, const void *b, void *packing)
{
    const struct packing *p = packing;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int by_class = compare_classes(&p->s->nodes[x], &p->s->nodes[y]);

    if (by_class != 0)
        return by_class;
    if (p->host[x] != p->host[y])
        return p->host[x] < p->host[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* All empty nodes by class (where there is one, they are listed in order); no more sleepers of a
 * pool than may be woken and be awake. */
static uint32_t list_empty(struct packing *p, uint32_t *out)
{
    AUTO(mem) int64_t *wakes = xcalloc(p->s->n_pools + 1, sizeof(*wakes));
    uint32_t n = 0, kept = 0;

    for (enum host kind = HOST_AWAKE; kind < HOST_NONE; kind++)
        for (uint32_t i = 0; i < p->s->n_nodes; i++)
            if (p->host[i] == kind && empty(p, i))
                out[n++] = i;
    array_sort(out, n, sizeof(*out), compare_nodes, p);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t pool = p->s->nodes[out[i]].pool;

        if (p->host[out[i]] != HOST_ASLEEP ||
            (wakes[pool] < p->wakes_left[pool] && wakes[pool] < p->awake_left[pool]))
            out[kept++] = out[i];
        wakes[pool] += p->host[out[i]] == HOST_ASLEEP;
    }
    return kept;
}

/* --- pieces -------------------------------------------------------------------------------------
 */

static bool suits(const struct opener *o, uint32_t model)
{
    const struct packing *p = o->p;
    const struct served_model *spec = p->s->models[model].spec;
    const struct snap_node *n = &p->s->nodes[o->nodes[0]];
    uint64_t mask;

    if (packing_spreads(p, model) || spec->placement.max_per_node >= 0 ||
        spec->placement.min_nodes > 1 || spec->port > 0)
        return false;
    if (spec->resources.gpu_milli > 0 && spec->resources.gpu_milli < WHOLE && n->n_gpus > 1)
        return false; /* shares of several devices are no volume */
    if (!room_fits(&p->peak[o->nodes[0]], n, spec, &mask))
        return false;
    for (uint32_t i = 0; i < o->n_nodes; i++)
        if (!snapshot_eligible(&p->s->models[model], o->nodes[i]))
            return false;
    return true;
}

static void list_pieces(struct opener *o)
{
    const struct packing *p = o->p;
    const struct snap_node *n = &p->s->nodes[o->nodes[0]];

    o->bins =
        (struct bins){ .capacity = { n->cpu_milli, n->memory_bytes, (int64_t)WHOLE * n->n_gpus,
                                     n->n_gpus == 1 ? (int64_t)n->gpus[0].memory_bytes : 0 },
                       .kinds = o->kinds };
    for (uint32_t m = 0; m < p->s->n_models; m++) {
        const struct served_model *spec = p->s->models[m].spec;
        int64_t devices = (spec->resources.gpu_milli + WHOLE - 1) / WHOLE;
        int64_t milli = n->n_gpus == 1 ? spec->resources.gpu_milli : devices * WHOLE;

        if (missing(p, m) == 0 || o->bins.n_kinds == BINS_KINDS_MAX || !suits(o, m))
            continue;
        o->models[o->bins.n_kinds] = m;
        o->kinds[o->bins.n_kinds++] = (struct bins_kind){
            { spec->resources.cpu_milli, spec->resources.memory_bytes, milli > 0 ? milli : 0,
              milli > 0 && n->n_gpus == 1 ? room_device_bytes(spec, &n->gpus[0]) : 0 },
            missing(p, m),
        };
    }
}

/* --- the class that is opened -------------------------------------------------------------------
 */

static void start_parts(struct opener *o, const struct bins_packing *packed)
{
    for (size_t i = 0; i < packed->n_parts; i++) {
        uint32_t node = o->nodes[packed->parts[i].bin], model = o->models[packed->parts[i].kind];

        if (o->p->host[node] > HOST_COMING && !packing_open(o->p, node))
            continue;
        for (uint32_t k = 0; k < packed->parts[i].count; k++)
            if (!packing_start(o->p, model, node))
                break;
    }
}

static bool open_class(struct opener *o)
{
    uint64_t left = o->p->max_steps > o->p->steps ? o->p->max_steps - o->p->steps : 0;
    uint64_t work = left < WORK_MOST / WORK_A_STEP ? left * WORK_A_STEP : WORK_MOST;
    struct bins_packing packed;
    bool fits;

    list_pieces(o);
    if (o->bins.n_kinds == 0)
        return true;
    bins_pack(&o->bins, work, &packed);
    fits = packed.n_bins <= o->n_nodes;
    if (fits)
        start_parts(o, &packed);
    bins_packing_done(&packed);
    return fits;
}

void opening(struct packing *p)
{
    AUTO(mem) uint32_t *all = xcalloc(p->s->n_nodes + 1, sizeof(*all));
    AUTO(mem) uint32_t *models = xcalloc(p->s->n_models + 1, sizeof(*models));
    AUTO(mem) struct bins_kind *kinds = xcalloc(p->s->n_models + 1, sizeof(*kinds));
    uint32_t n, total = 0;
    bool done = false;

    for (uint32_t m = 0; m < p->s->n_models; m++)
        total += missing(p, m);
    if (total == 0)
        return;
    n = list_empty(p, all);
    for (uint32_t from = 0, to; from < n && !done; from = to) {
        struct opener o = { .p = p, .nodes = all + from, .models = models, .kinds = kinds };

        for (to = from;
             to < n && compare_classes(&p->s->nodes[all[from]], &p->s->nodes[all[to]]) == 0;)
            to++;
        o.n_nodes = to - from;
        done = open_class(&o);
    }
}
