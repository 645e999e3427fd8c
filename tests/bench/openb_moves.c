/* Each pass is a snapshot of its own: what was placed is present and ready. */
#include "tests/bench/openb_moves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/cutting.h"
#include "controller/placement/evacuation.h"
#include "controller/placement/relocation.h"
#include "controller/placement/reserve.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define WHOLE 1000
#define DEVICE_W 50.0 /* of an idle one with its share of the node; only its being there counts */
#define ROUNDS 3
#define BOUND_WORK 20000000u

struct moved {
    struct snapshot s;
    struct snap_node *nodes;
    struct snap_replica *replicas;
    struct power_policy policy;
    struct snap_policy snap_policy;
    struct plan_node *verdicts;
};

struct moved *moved_new(const struct snapshot *s)
{
    struct moved *m = xcalloc(1, sizeof(*m));

    m->s = *s;
    m->nodes = xcalloc(s->n_nodes + 1, sizeof(*m->nodes));
    m->verdicts = xcalloc(s->n_nodes + 1, sizeof(*m->verdicts));
    for (uint32_t n = 0; n < s->n_nodes; n++) {
        double watts = DEVICE_W * s->nodes[n].n_gpus;

        m->nodes[n] = s->nodes[n];
        m->nodes[n].sleepable = m->nodes[n].wake_proven = true;
        m->nodes[n].curve = node_curve_linear(watts, watts);
    }
    m->policy = *s->policies[0].spec;
    m->policy.horizon_ms = 3600000;
    m->snap_policy = s->policies[0];
    m->snap_policy.spec = &m->policy;
    m->s.nodes = m->nodes;
    m->s.policies = &m->snap_policy;
    m->s.now_ms = m->policy.horizon_ms; /* none stands only since now */
    return m;
}

void moved_free(struct moved *m)
{
    if (!m)
        return;
    free(m->nodes);
    free(m->replicas);
    free(m->verdicts);
    free(m);
}

/* All that is placed becomes what is present. */
static void settle(struct moved *m, struct packing *p)
{
    size_t n = p->s->n_replicas + p->n_fresh;
    struct snap_replica *now = xcalloc(n + 1, sizeof(*now));
    const struct plan_model *models = p->models;

    for (size_t i = 0; i < n; i++)
        now[i] = (struct snap_replica){ .model = packing_seat(p, i)->model,
                                        .node = packing_seat(p, i)->node,
                                        .phase = REPLICA_READY,
                                        .gpu_mask = packing_seat(p, i)->mask };
    packing_done(p);
    free(m->replicas);
    m->replicas = now;
    m->s.replicas = now;
    m->s.n_replicas = (uint32_t)n;
    packing_init(p, &m->s, models, UINT64_MAX);
}

uint32_t moved_improve(struct moved *m, struct packing *p, int64_t budget)
{
    AUTO(mem) struct outlook *quiet = xcalloc(1, sizeof(*quiet));
    uint32_t moves = 0;

    /* nothing was wanted for long: a node that can be emptied may sleep */
    quiet->step_s = 3600;
    quiet->n_past = quiet->n_summed = OUTLOOK_PAST;
    quiet->growth = NAN;
    for (int round = 0; round < ROUNDS; round++) {
        struct reserve reserve;
        uint32_t here = 0;

        m->policy.budget.moves = budget - moves;
        settle(m, p);
        memset(m->verdicts, 0, m->s.n_nodes * sizeof(*m->verdicts));
        reserve_init(&reserve, p, quiet);
        (void)evacuation(p, quiet, &reserve, m->verdicts);
        reserve_done(&reserve);
        (void)relocation(p, 3600, true);
        for (uint32_t i = 0; i < m->s.n_replicas; i++)
            here += p->seats[i].node != m->replicas[i].node;
        moves += here;
        if (here == 0)
            break;
    }
    settle(m, p);
    return moves;
}

double openb_bound(const struct packing *p)
{
    uint32_t count[WHOLE] = { 0 }, size[WHOLE], pieces[WHOLE], n = 0;
    struct cutting_relaxed relaxed;
    struct cutting c;
    double sum = 0;

    for (size_t i = 0; i < p->s->n_replicas + p->n_fresh; i++) {
        int64_t milli = packing_seat(p, i)->spec->resources.gpu_milli;

        if (milli >= WHOLE)
            sum += (double)milli / WHOLE;
        else if (milli > 0)
            count[milli]++;
    }
    for (uint32_t w = 1; w < WHOLE; w++)
        if (count[w] > 0) {
            size[n] = w;
            pieces[n++] = count[w];
        }
    if (n == 0)
        return sum;
    cutting_init(&c, size, n, WHOLE, pieces, BOUND_WORK);
    cutting_relax(&c, pieces, UINT32_MAX, &relaxed);
    sum += relaxed.bound;
    cutting_relaxed_done(&relaxed);
    cutting_done(&c);
    return sum;
}
