/* The lower bound never exceeds the optimum, found by trying everything on small clusters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "controller/placement/bound.h"
#include "tests/unit/brain_world.h"

#define PIECES_MAX 7

struct search {
    const struct world *w;
    uint32_t piece[PIECES_MAX]; /* model */
    uint32_t n;
    int64_t cpu[WORLD_NODES], memory[WORLD_NODES];
    uint32_t held[WORLD_NODES], used, best;
};

static void place_rest(struct search *q, uint32_t at)
{
    if (q->used >= q->best)
        return;
    if (at == q->n) {
        q->best = q->used;
        return;
    }
    for (uint32_t n = 0; n < q->w->n_nodes; n++) {
        const struct served_model *m = &q->w->specs[q->piece[at]];

        if (q->cpu[n] < m->resources.cpu_milli || q->memory[n] < m->resources.memory_bytes)
            continue;
        q->cpu[n] -= m->resources.cpu_milli;
        q->memory[n] -= m->resources.memory_bytes;
        q->used += q->held[n]++ == 0;
        place_rest(q, at + 1);
        q->used -= --q->held[n] == 0;
        q->cpu[n] += m->resources.cpu_milli;
        q->memory[n] += m->resources.memory_bytes;
    }
}

static void never_above_the_optimum(void **state)
{
    struct world *w = xmalloc(sizeof(*w));
    uint32_t tight = 0, all = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct random r = random_stream(seed, 4, 5, 6);
        uint32_t replicas[WORLD_MODELS] = { 0 };
        struct search q = { .w = w, .best = 99 };
        struct snapshot *s;

        world_init(w, 2 + (uint32_t)random_below(&r, 4), 1 + (uint32_t)random_below(&r, 4));
        w->pool_spec.min_awake = w->pool_spec.spare = 0;
        for (uint32_t n = 0; n < w->n_nodes; n++) {
            q.cpu[n] = w->nodes[n].cpu_milli = 4000 + 1000 * (int64_t)random_below(&r, 6);
            q.memory[n] = w->nodes[n].memory_bytes = 4000 + 1000 * (int64_t)random_below(&r, 6);
        }
        for (uint32_t m = 0; m < w->n_models; m++) {
            w->specs[m].resources.cpu_milli = 500 + 500 * (int64_t)random_below(&r, 9);
            w->specs[m].resources.memory_bytes = 500 + 500 * (int64_t)random_below(&r, 9);
        }
        for (q.n = 0; q.n < PIECES_MAX; q.n++) {
            q.piece[q.n] = (uint32_t)random_below(&r, w->n_models);
            replicas[q.piece[q.n]]++;
        }
        place_rest(&q, 0);
        if (q.best == 99)
            continue; /* no placement at all */
        s = world_snapshot(w);
        assert_true(bound_nodes(s, replicas, UINT32_MAX) <= q.best);
        tight += bound_nodes(s, replicas, UINT32_MAX) == q.best;
        all++;
        snapshot_unref(s);
    }
    print_message("bound equals the optimum in %u of %u\n", tight, all);
    assert_true(tight * 10 >= all * 7);
    free(w);
}

/* Every choice of nodes that stay awake, idle; some draw more asleep than awake. */
static void watts_are_those_of_the_best_choice(void **state)
{
    struct world *w = xmalloc(sizeof(*w));

    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct random r = random_stream(seed, 7, 5, 6);
        struct snapshot *s;

        world_init(w, 1 + (uint32_t)random_below(&r, 6), 1);
        for (uint32_t n = 0; n < w->n_nodes; n++) {
            w->nodes[n].curve = node_curve_linear(2 + (double)random_below(&r, 100), 200);
            w->nodes[n].curve.standby_w = (double)random_below(&r, 20);
        }
        s = world_snapshot(w);
        for (uint32_t nodes = 0; nodes <= w->n_nodes; nodes++) {
            double least_w = INFINITY;

            for (uint32_t awake = 0; awake < 1u << w->n_nodes; awake++) {
                double watts = 0;

                for (uint32_t n = 0; n < w->n_nodes; n++)
                    watts +=
                        awake >> n & 1 ? s->nodes[n].curve.watts[0] : s->nodes[n].curve.standby_w;
                if ((uint32_t)__builtin_popcount(awake) >= nodes)
                    least_w = fmin(least_w, watts);
            }
            assert_true(fabs(bound_watts(s, nodes) - least_w) < 1e-9);
        }
        snapshot_unref(s);
    }
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_above_the_optimum),
        cmocka_unit_test(watts_are_those_of_the_best_choice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
