/* See easing.h. Sums of use and of demand fade alike, so that their ratio does not lag while the
 * demand rises or falls; replicas of other models on a node are taken to be as busy. */
#include "controller/placement/easing.h"

#include <math.h>
#include <stdlib.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define FADES 0.02      /* part of the sums that a plan replaces */
#define LEAST_LOAD 0.25 /* below that, what was measured is doubted */

static double times(double room, double each)
{
    return each > 0 ? floor(room / each + 1e-9) : INFINITY;
}

/* Replicas that fit on an empty node; INFINITY: they take nothing. */
static double fit(const struct snap_node *n, const struct served_model *spec)
{
    double most =
        spec->placement.max_per_node >= 0 ? (double)spec->placement.max_per_node : INFINITY;

    most = fmin(most, times((double)n->cpu_milli, (double)spec->resources.cpu_milli));
    most = fmin(most, times((double)n->memory_bytes, (double)spec->resources.memory_bytes));
    most = fmin(most, times(1000.0 * n->n_gpus, (double)spec->resources.gpu_milli));
    return spec->port > 0 ? fmin(most, 1) : most;
}

static double best_milli_of(const struct snap_node *n)
{
    return (double)n->cpu_milli * node_curve_best_use(&n->curve);
}

void easing_init(struct easing *e, const struct snapshot *s)
{
    AUTO(mem) double *best_milli = xcalloc(s->n_nodes + 1, sizeof(*best_milli));

    e->seen = xcalloc(s->n_models + 1, sizeof(*e->seen));
    for (uint32_t n = 0; n < s->n_nodes; n++)
        best_milli[n] = NAN; /* not asked yet */
    for (uint32_t i = 0; i < s->n_replicas; i++) {
        const struct snap_replica *r = &s->replicas[i];
        struct easing_seen *seen = &e->seen[r->model];
        double most;

        if (r->phase != REPLICA_READY || r->leaving || !r->cpu_use_known)
            continue;
        if (isnan(best_milli[r->node]))
            best_milli[r->node] = best_milli_of(&s->nodes[r->node]);
        most = fit(&s->nodes[r->node], snapshot_replica_spec(s, i));
        seen->replicas++;
        seen->use_milli += r->cpu_use_milli;
        seen->place_milli += most >= 1 ? best_milli[r->node] / most : INFINITY;
    }
}

void easing_done(struct easing *e)
{
    free(e->seen);
    e->seen = NULL;
}

static void learn(struct easing_work *w, const struct easing_seen *seen, const struct snap_model *m)
{
    double use = seen->use_milli / seen->replicas * m->ready;
    double fades = w->demand > 0 ? FADES : 1;

    if (isnan(m->demand) || m->demand <= 0)
        return;
    w->use_milli += fades * (use - w->use_milli);
    w->demand += fades * (m->demand - w->demand);
}

double easing_best_load(const struct easing *e, const struct snapshot *s, uint32_t model,
                        struct easing_work *work)
{
    const struct easing_seen *seen = &e->seen[model];
    const struct snap_model *m = &s->models[model];
    double place, full;

    if (seen->replicas == 0 || isnan(m->capacity) || m->capacity <= 0)
        return 1;
    learn(work, seen, m);
    place = seen->place_milli / seen->replicas;
    full = work->demand > 0 ? work->use_milli / work->demand * m->capacity : 0;
    return full > place && place > 0 ? fmax(place / full, LEAST_LOAD) : 1;
}
