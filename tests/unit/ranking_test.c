/* Hosts in order, against a plain list of them; and that what a packing finds through them is what
 * looking at every node finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/placement/packing_private.h"
#include "tests/unit/brain_world.h"

#define HOSTS 60u
#define LISTS 3u

struct plain {
    uint32_t list;
    double cost;
    struct ranking_room room;
};

struct seen {
    uint32_t host[HOSTS];
    size_t n;
    double limit;
    size_t lower_at; /* the visit that lowers the limit */
};

static bool see(void *data, uint32_t host)
{
    struct seen *s = data;

    s->host[s->n++] = host;
    if (s->n == s->lower_at)
        s->limit = 5;
    return true;
}

static bool fits(const struct plain *h, const struct ranking_room *w)
{
    return h->room.cpu_milli >= w->cpu_milli && h->room.memory_bytes >= w->memory_bytes &&
           h->room.device_milli >= w->device_milli && h->room.whole >= w->whole &&
           h->room.share >= w->share;
}

/* The next one by (cost, index) behind `after` that fits; HOSTS: none. */
static uint32_t next_of(const struct plain *hosts, uint32_t list, const struct ranking_room *w,
                        uint32_t after)
{
    uint32_t best = HOSTS;

    for (uint32_t i = 0; i < HOSTS; i++) {
        bool behind = after == HOSTS || hosts[i].cost > hosts[after].cost ||
                      (hosts[i].cost == hosts[after].cost && i > after);

        if (hosts[i].list == list && behind && fits(&hosts[i], w) &&
            (best == HOSTS || hosts[i].cost < hosts[best].cost))
            best = i;
    }
    return best;
}

static struct ranking_room random_room(struct random *r)
{
    return (struct ranking_room){ (int64_t)random_below(r, 8), (int64_t)random_below(r, 8),
                                  (int64_t)random_below(r, 3), (int64_t)random_below(r, 3),
                                  random_unit(r) };
}

static void walks_as_a_sorted_list_does(void **state)
{
    struct random r = random_stream(1, 2, 3, 4);
    struct plain hosts[HOSTS];
    struct ranking ranking;
    size_t visits = 0;

    (void)state;
    ranking_init(&ranking, HOSTS, LISTS);
    for (uint32_t i = 0; i < HOSTS; i++)
        hosts[i] = (struct plain){ .list = NO_INDEX };
    for (int round = 0; round < 20000; round++) {
        uint32_t i = (uint32_t)random_below(&r, HOSTS), list = (uint32_t)random_below(&r, LISTS);
        struct seen seen = { .limit = 1000, .lower_at = 1 + random_below(&r, 4) };
        struct ranking_room wanted;
        uint32_t at = HOSTS;

        hosts[i] = (struct plain){ random_below(&r, 4) ? list : NO_INDEX,
                                   (double)random_below(&r, 12), random_room(&r) };
        ranking_put(&ranking, i, hosts[i].list, hosts[i].cost, &hosts[i].room);
        wanted = random_room(&r);
        wanted.share /= 2;
        ranking_walk(&ranking, list, &wanted, &seen.limit, see, &seen);
        for (size_t k = 0; k < seen.n; k++) {
            at = next_of(hosts, list, &wanted, at);
            assert_int_equal(seen.host[k], at);
        }
        at = next_of(hosts, list, &wanted, at);
        assert_true(at == HOSTS || hosts[at].cost > seen.limit);
        visits += seen.n;
    }
    assert_true(visits > 20000);
    ranking_done(&ranking);
}

/* --- a packing ----------------------------------------------------------------------------------
 */

static struct string_pair zones[3] = { { (char *)"zone", (char *)"a" },
                                       { (char *)"zone", (char *)"b" },
                                       { (char *)"zone", (char *)"c" } };
static const struct string_map labels[3] = { { &zones[0], 1 }, { &zones[1], 1 }, { &zones[2], 1 } };
static uint64_t some_nodes[1];

static void make_nodes(struct world *w, struct random *r, bool many_classes)
{
    static struct snap_gpu gpus[4] = { { "a", 0 }, { "a", 0 }, { "a", 0 }, { "b", 0 } };

    for (uint32_t n = 0; n < w->n_nodes; n++) {
        struct snap_node *x = &w->nodes[n];
        uint64_t kind = random_below(r, 5);

        x->cpu_milli = 4000 * (1 + (int64_t)random_below(r, 3)) + (many_classes ? n : 0);
        x->labels = random_below(r, 6) ? &labels[random_below(r, 3)] : NULL;
        x->gpus = &gpus[kind == 4 ? 2 : 0];
        x->n_gpus = kind < 2 ? 0 : kind == 2 ? 1 : kind == 3 ? 3 : 2;
        x->curve.watts[7] += (double)random_below(r, 3);
        if (random_below(r, 4) == 0) {
            x->state = NODE_ASLEEP;
            x->schedulable = false;
            x->wakeable = true;
        }
    }
    some_nodes[0] = random_u64(r);
}

static void make_models(struct world *w, struct random *r, struct plan_model *models)
{
    static const int64_t shares[] = { 0, 0, 0, 200, 300, 500, 1000, 2000 };

    for (uint32_t m = 0; m < w->n_models; m++) {
        struct served_model *spec = &w->specs[m];

        spec->resources.cpu_milli = 500 * (1 + (int64_t)random_below(r, 4));
        spec->resources.memory_bytes = (int64_t)(1 + random_below(r, 4)) << 30;
        spec->resources.gpu_milli = shares[random_below(r, ARRAY_LEN(shares))];
        spec->placement.spread = random_below(r, 3) ? NULL : (char *)"zone";
        spec->placement.max_per_node = random_below(r, 4) ? -1 : 2;
        spec->placement.min_nodes = 1 + (int64_t)random_below(r, 3);
        w->models[m].eligible = random_below(r, 3) ? NULL : some_nodes;
        models[m].target = 1 + (uint32_t)random_below(r, 30);
    }
}

/* What the node costs that costs least; INFINITY: there is none. */
static double look_at_all(struct packing *p, uint32_t model, enum host kind, uint32_t but,
                          bool busy_only)
{
    double least = INFINITY;

    for (uint32_t n = 0; n < p->s->n_nodes; n++) {
        double cost;
        uint64_t mask;

        if (p->host[n] == kind && !p->closed[n] && n != but && !(busy_only && p->held[n] == 0) &&
            packing_score(p, model, n, &cost, &mask))
            least = fmin(least, cost);
    }
    return least;
}

static void assert_best(struct packing *p, struct random *r, size_t *found)
{
    uint32_t model = (uint32_t)random_below(r, WORLD_MODELS);
    uint32_t but = (uint32_t)random_below(r, 2 * p->s->n_nodes);
    enum host kind = (enum host)random_below(r, HOST_NONE);
    bool busy_only = random_below(r, 2) == 0;
    uint64_t mask, its;
    uint32_t node = packing_find(p, model, kind, but, busy_only, &mask);
    double least = look_at_all(p, model, kind, but, busy_only), cost = INFINITY;

    if (node != NO_INDEX) {
        assert_true(p->host[node] == kind && !p->closed[node] && node != but);
        assert_true(!busy_only || p->held[node] > 0);
        assert_true(packing_score(p, model, node, &cost, &its) && its == mask);
        *found += 1;
    }
    assert_true(cost == least || fabs(cost - least) < 1e-8); /* equal but for rounding */
}

static void stir(struct packing *p, struct random *r)
{
    uint32_t model = (uint32_t)random_below(r, p->s->n_models);
    uint32_t node = (uint32_t)random_below(r, p->s->n_nodes);

    if (random_below(r, 3) == 0)
        packing_close(p, node, !p->closed[node]);
    else if (random_below(r, 10) == 0)
        packing_learn(p);
    else
        (void)packing_place(p, model);
}

/* Classes of nodes, kinds of hosts, all that bars or prices a place, changes between the questions:
 * always a node that costs least. */
static void a_packing_finds_what_looking_at_all_finds(void **state)
{
    struct world *w = xmalloc(sizeof(*w));
    size_t found = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 150; seed++) {
        struct random r = random_stream(seed, 7, 0, 0);
        struct plan_model models[WORLD_MODELS] = { { 0 } };
        struct snapshot *s;
        struct packing p;

        world_init(w, 10 + (uint32_t)random_below(&r, WORLD_NODES - 10), WORLD_MODELS);
        make_nodes(w, &r, seed % 3 == 0);
        make_models(w, &r, models);
        s = world_snapshot(w);
        packing_init(&p, s, models, UINT64_MAX);
        for (int round = 0; round < 200; round++) {
            assert_best(&p, &r, &found);
            stir(&p, &r);
        }
        packing_done(&p);
        snapshot_unref(s);
    }
    assert_true(found > 5000);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_as_a_sorted_list_does),
        cmocka_unit_test(a_packing_finds_what_looking_at_all_finds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
