/* Two passes over the replicas; then a few operations per change. */
#include "controller/placement/load.h"

#include <math.h>
#include <stdlib.h>

#include "controller/placement/overload.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

/* Standard deviations below capacity from which no overload is counted with. */
#define CERTAIN 5.0

static bool is_measured(const struct snap_replica *r)
{
    return r->phase == REPLICA_READY && r->cpu_use_known;
}

static double declared(const struct snapshot *s, uint32_t replica)
{
    return (double)snapshot_replica_spec(s, replica)->resources.cpu_milli;
}

/* Of each model the mean of its measured replicas, and what they use of what they declare. */
static double learn_models(struct load *l, const struct snapshot *s, uint32_t *measured)
{
    double use = 0, sum = 0;

    for (uint32_t i = 0; i < s->n_replicas; i++) {
        const struct snap_replica *r = &s->replicas[i];

        if (!is_measured(r))
            continue;
        l->known = true;
        measured[r->model]++;
        l->model[r->model].mean += r->cpu_use_milli;
        l->model[r->model].variance += r->cpu_use_variance;
        use += r->cpu_use_milli;
        sum += declared(s, i);
    }
    return sum > 0 ? use / sum : 1;
}

void load_init(struct load *l, const struct snapshot *s)
{
    AUTO(mem) uint32_t *measured = xcalloc(s->n_models + 1, sizeof(*measured));
    double share;

    *l = (struct load){ .replica = xcalloc(s->n_replicas + 1, sizeof(*l->replica)),
                        .model = xcalloc(s->n_models + 1, sizeof(*l->model)),
                        .node = xcalloc(s->n_nodes + 1, sizeof(*l->node)) };
    share = learn_models(l, s, measured);
    for (uint32_t m = 0; m < s->n_models; m++) {
        l->model[m].mean = measured[m] > 0 ? l->model[m].mean / measured[m]
                                           : share * (double)s->models[m].spec->resources.cpu_milli;
        l->model[m].variance = measured[m] > 0 ? l->model[m].variance / measured[m] : 0;
    }
    for (uint32_t i = 0; i < s->n_replicas; i++)
        l->replica[i] =
            is_measured(&s->replicas[i])
                ? (struct use){ s->replicas[i].cpu_use_milli, s->replicas[i].cpu_use_variance }
                : l->model[s->replicas[i].model];
}

void load_done(struct load *l)
{
    free(l->replica);
    free(l->model);
    free(l->node);
    *l = (struct load){ 0 };
}

void load_shift(struct load *l, uint32_t node, const struct use *u, int sign)
{
    l->node[node].mean += sign * u->mean;
    l->node[node].variance += sign * u->variance;
}

static double chance(const struct snap_node *n, double mean, double variance)
{
    double room = (double)n->cpu_milli - mean;

    if (room > 0 && room * room > CERTAIN * CERTAIN * variance && 20 * room > mean)
        return 0; /* as good as; and cheap to see */
    return overload_chance((double)n->cpu_milli, mean, variance);
}

double load_added_chance(const struct load *l, const struct snap_node *n, uint32_t node,
                         const struct use *u, int sign)
{
    const struct use *x = &l->node[node];

    if (!l->known || n->cpu_milli <= 0)
        return 0;
    return chance(n, x->mean + sign * u->mean, x->variance + sign * u->variance) -
           chance(n, x->mean, x->variance);
}

double load_added_w(const struct load *l, const struct snap_node *n, uint32_t node,
                    const struct use *u, int sign)
{
    double before = l->node[node].mean, after = before + sign * u->mean;

    if (!l->known || n->cpu_milli <= 0)
        return 0;
    return node_curve_watts(&n->curve, after / (double)n->cpu_milli) -
           node_curve_watts(&n->curve, before / (double)n->cpu_milli) +
           OVERLOAD_IDLES * n->curve.watts[0] * load_added_chance(l, n, node, u, sign);
}
