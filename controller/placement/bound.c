/* The bounds are taken over all nodes of pools that are not lost: more to choose from only lowers
 * them. */
#include "controller/placement/bound.h"

#include <math.h>
#include <string.h>

#include "controller/placement/bins.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define DIMENSIONS 3u
#define RELAXATION_WORK 50000000u /* innermost operations; some 25 ms */

static double capacity_of(const struct snap_node *n, uint32_t dimension)
{
    return dimension == 0   ? (double)n->cpu_milli
           : dimension == 1 ? (double)n->memory_bytes
                            : 1000.0 * n->n_gpus;
}

static double size_of(const struct served_model *m, uint32_t dimension)
{
    return dimension == 0   ? (double)m->resources.cpu_milli
           : dimension == 1 ? (double)m->resources.memory_bytes
                            : (double)m->resources.gpu_milli;
}

static bool is_host(const struct snap_node *n)
{
    return n->pool != NO_INDEX && n->state != NODE_UNREACHABLE && n->state != NODE_QUARANTINED;
}

/* The k largest nodes must hold it all. */
static uint32_t cover(const struct snapshot *s, const uint32_t *replicas, uint32_t d,
                      double *capacity, double *ret_largest)
{
    double need = 0, sum = 0;
    uint32_t n = 0, k = 0;

    for (uint32_t i = 0; i < s->n_nodes; i++)
        if (is_host(&s->nodes[i]))
            capacity[n++] = capacity_of(&s->nodes[i], d);
    array_sort_doubles(capacity, n);
    for (uint32_t m = 0; m < s->n_models; m++)
        need += replicas[m] * size_of(s->models[m].spec, d);
    while (k < n && sum < need)
        sum += capacity[n - ++k];
    *ret_largest = n > 0 ? capacity[n - 1] : 0;
    return k;
}

/* With every node as large as the largest: pieces above c - limit fill one each, pieces below limit
 * count nothing, the others their size. */
static double dual_feasible(const struct snapshot *s, const uint32_t *replicas, uint32_t d,
                            double c, double limit)
{
    double big = 0, sum = 0;

    for (uint32_t m = 0; m < s->n_models; m++) {
        double w = size_of(s->models[m].spec, d);

        if (w > c - limit)
            big += replicas[m];
        else if (w >= limit)
            sum += replicas[m] * w;
    }
    return big + ceil(sum / c - 1e-9);
}

static uint32_t pieces(const struct snapshot *s, const uint32_t *replicas, uint32_t d, double c)
{
    double best = 0;

    if (c <= 0)
        return 0;
    best = dual_feasible(s, replicas, d, c, c / 2);
    for (uint32_t m = 0; m < s->n_models; m++) {
        double w = size_of(s->models[m].spec, d);

        if (replicas[m] > 0 && w > 0 && w <= c / 2)
            best = fmax(best, dual_feasible(s, replicas, d, c, w));
    }
    return (uint32_t)best;
}

static uint32_t per_model(const struct snapshot *s, const uint32_t *replicas)
{
    uint32_t most = 0;

    for (uint32_t m = 0; m < s->n_models; m++) {
        int64_t each = s->models[m].spec->placement.max_per_node;
        uint32_t n = replicas[m] > 0;

        if (each > 0)
            n = (uint32_t)((replicas[m] + each - 1) / each);
        most = n > most ? n : most;
    }
    return most;
}

/* Another kind of pieces, or more of one that is there already. */
static void add_pieces(struct bins *b, struct bins_kind *kinds, const struct bins_kind *more)
{
    for (uint32_t k = 0; k < b->n_kinds; k++)
        if (memcmp(kinds[k].size, more->size, sizeof(more->size)) == 0) {
            kinds[k].count += more->count;
            return;
        }
    kinds[b->n_kinds++] = *more;
}

/* With every node as large as the largest in each dimension: all mixtures of the models. */
static uint32_t mixtures(const struct snapshot *s, const uint32_t *replicas, uint32_t enough)
{
    AUTO(mem) struct bins_kind *kinds = xcalloc(s->n_models + 1, sizeof(*kinds));
    struct bins b = { .kinds = kinds };
    bool single = true; /* no node has several devices: the memory of one is the node's */

    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const struct snap_node *n = &s->nodes[i];

        for (uint32_t d = 0; d < DIMENSIONS && is_host(n); d++)
            b.capacity[d] = (int64_t)fmax((double)b.capacity[d], capacity_of(n, d));
        single = single && n->n_gpus <= 1;
        if (is_host(n) && n->n_gpus == 1)
            b.capacity[DIMENSIONS] =
                (int64_t)fmax((double)b.capacity[DIMENSIONS], (double)n->gpus[0].memory_bytes);
    }
    if (!single)
        b.capacity[DIMENSIONS] = 0;
    for (uint32_t m = 0; m < s->n_models; m++) {
        const struct served_model *spec = s->models[m].spec;
        struct bins_kind kind = { .count = replicas[m] };

        for (uint32_t d = 0; d < DIMENSIONS; d++)
            kind.size[d] = b.capacity[d] > 0 ? (int64_t)size_of(spec, d) : 0;
        if (b.capacity[DIMENSIONS] > 0 && spec->resources.gpu_memory_bytes > 0 &&
            spec->resources.gpu_milli > 0)
            kind.size[DIMENSIONS] = spec->resources.gpu_memory_bytes;
        for (uint32_t d = 0; d < BINS_DIMENSIONS; d++)
            if (kind.size[d] < 0 || kind.size[d] > b.capacity[d])
                kind.count = 0; /* fits nowhere */
        if (kind.count > 0)
            add_pieces(&b, kinds, &kind);
    }
    return bins_bound(&b, enough, RELAXATION_WORK);
}

uint32_t bound_nodes(const struct snapshot *s, const uint32_t *replicas, uint32_t enough)
{
    AUTO(mem) double *capacity = xcalloc(s->n_nodes + 1, sizeof(*capacity));
    uint32_t best = per_model(s, replicas), hosts = 0;
    int64_t kept = 0;

    for (uint32_t d = 0; d < DIMENSIONS; d++) {
        double largest;
        uint32_t by_sum = cover(s, replicas, d, capacity, &largest);
        uint32_t by_piece = pieces(s, replicas, d, largest);

        best = by_sum > best ? by_sum : best;
        best = by_piece > best ? by_piece : best;
    }
    if (best < enough) {
        uint32_t by_mixture = mixtures(s, replicas, enough);

        best = by_mixture > best ? by_mixture : best;
    }
    for (uint32_t i = 0; i < s->n_pools; i++)
        kept += s->pools[i].spec->min_awake + s->pools[i].spec->spare;
    for (uint32_t i = 0; i < s->n_nodes; i++)
        hosts += is_host(&s->nodes[i]);
    best = kept > (int64_t)best ? (uint32_t)kept : best;
    return best < hosts ? best : hosts;
}

double bound_watts(const struct snapshot *s, uint32_t nodes)
{
    AUTO(mem) double *extra = xcalloc(s->n_nodes + 1, sizeof(*extra));
    double watts = 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const struct node_curve *c = &s->nodes[i].curve;
        double least_w = fmin(c->standby_w, c->watts[0]); /* a small board idles below standby */

        if (!is_host(&s->nodes[i]))
            continue;
        watts += least_w;
        extra[n++] = c->watts[0] - least_w;
    }
    array_sort_doubles(extra, n);
    for (uint32_t k = 0; k < nodes && k < n; k++)
        watts += extra[k];
    return watts;
}
