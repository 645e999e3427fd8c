/* See openb_fgd.h. */
#include "tests/bench/openb_fgd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define WHOLE 1000
#define POPULAR 0.95
#define UNKNOWN (-2)
#define NO_ROOM (-1)

struct popular {
    uint32_t kind;
    double share;
};

struct choice {
    int score; /* UNKNOWN, NO_ROOM or 0..100 */
    uint64_t mask;
};

struct fgd {
    const struct trace *trace;
    const struct served_model *specs;
    struct popular *popular;
    size_t n_popular;
    struct choice *choices; /* node by node, one a kind */
};

static int more_frequent(const void *a, const void *b)
{
    const struct popular *x = a, *y = b;

    if (x->share != y->share)
        return x->share > y->share ? -1 : 1;
    return x->kind < y->kind ? -1 : x->kind > y->kind;
}

struct fgd *fgd_new(const struct trace *trace, const struct served_model *specs)
{
    struct fgd *f = xcalloc(1, sizeof(*f));
    double sum = 0;

    f->trace = trace;
    f->specs = specs;
    f->popular = xcalloc(trace->n_pods + 1, sizeof(*f->popular));
    for (uint32_t k = 0; k < trace->n_pods; k++)
        f->popular[k] = (struct popular){ k, (double)trace->pods[k].count / (double)trace->n_list };
    qsort(f->popular, trace->n_pods, sizeof(*f->popular), more_frequent);
    while (f->n_popular < trace->n_pods && sum < POPULAR)
        sum += f->popular[f->n_popular++].share;
    for (size_t i = 0; i < f->n_popular; i++)
        f->popular[i].share /= sum;
    f->choices = xcalloc(trace->n_nodes * trace->n_pods + 1, sizeof(*f->choices));
    for (uint32_t n = 0; n < trace->n_nodes; n++)
        fgd_changed(f, n);
    return f;
}

void fgd_free(struct fgd *f)
{
    if (!f)
        return;
    free(f->popular);
    free(f->choices);
    free(f);
}

void fgd_changed(struct fgd *f, uint32_t node)
{
    for (size_t k = 0; k < f->trace->n_pods; k++)
        f->choices[node * f->trace->n_pods + k].score = UNKNOWN;
}

/* Free devices that a pod cannot use: all, where it finds no room or wants none; else those of
 * which less is free than it takes of one. In thousandths. */
static double unusable(const struct room *r, const struct snap_node *n,
                       const struct served_model *spec)
{
    int64_t all = 0, lost = 0, of_one = spec->resources.gpu_milli;
    uint64_t mask;

    of_one = of_one < WHOLE ? of_one : WHOLE;
    for (uint32_t g = 0; g < n->n_gpus; g++) {
        all += r->gpus[g].milli;
        lost += r->gpus[g].milli < of_one ? r->gpus[g].milli : 0;
    }
    return (double)(of_one <= 0 || !room_fits(r, n, spec, &mask) ? all : lost);
}

static double fragmentation(const struct fgd *f, const struct room *r, const struct snap_node *n)
{
    double sum = 0;

    for (size_t i = 0; i < f->n_popular; i++)
        sum += f->popular[i].share * unusable(r, n, &f->specs[f->popular[i].kind]);
    return sum;
}

static int score_of(const struct fgd *f, const struct room *before, const struct snap_node *n,
                    const struct served_model *spec, uint64_t mask)
{
    struct room_gpu gpus[64];
    struct room after = { before->cpu_milli, before->memory_bytes, gpus };
    double growth;

    memcpy(gpus, before->gpus, n->n_gpus * sizeof(*gpus));
    room_take(&after, n, spec, mask);
    growth = (fragmentation(f, &after, n) - fragmentation(f, before, n)) / WHOLE;
    return (int)(100 / (1 + exp(growth)));
}

static struct choice choose(const struct fgd *f, const struct room *r, const struct snap_node *n,
                            const struct served_model *spec)
{
    struct choice best = { NO_ROOM, 0 };
    uint64_t mask;

    if (!room_fits(r, n, spec, &mask))
        return best;
    if (spec->resources.gpu_milli <= 0 || spec->resources.gpu_milli >= WHOLE)
        return (struct choice){ score_of(f, r, n, spec, mask), mask };
    for (uint32_t g = 0; g < n->n_gpus; g++) {
        int score;

        if (!room_device_fits(r, n, spec, g))
            continue;
        score = score_of(f, r, n, spec, (uint64_t)1 << g);
        if (score > best.score)
            best = (struct choice){ score, (uint64_t)1 << g };
    }
    return best;
}

uint32_t fgd_pick(struct fgd *f, const struct room *rooms, uint32_t kind, uint64_t *ret_mask)
{
    uint32_t best = NO_INDEX;
    int most = NO_ROOM;

    for (uint32_t n = 0; n < f->trace->n_nodes; n++) {
        struct choice *c = &f->choices[n * f->trace->n_pods + kind];

        if (c->score == UNKNOWN)
            *c = choose(f, &rooms[n], &f->trace->nodes[n], &f->specs[kind]);
        if (c->score <= most)
            continue;
        most = c->score;
        best = n;
        *ret_mask = c->mask;
    }
    return best;
}
