/* Whether any one loss is survived, by the planner and by plan_check, against trying every loss
 * from nothing: no memory of what was full before, no order but that of the definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/placement/packing.h"
#include "controller/placement/plan_check_loss.h"
#include "controller/placement/survival.h"
#include "tests/unit/brain_world.h"

static uint64_t some_nodes[1];

static void make_world(struct world *w, struct random *r, struct plan_model *models)
{
    static struct snap_gpu gpus[3] = { { "a", 0 }, { "b", 0 }, { "a", 0 } };
    static char b[] = "b", *only_b = b;
    static const int64_t shares[] = { 0, 0, 400, 1000, 2000 };

    world_init(w, 3 + (uint32_t)random_below(r, 12), WORLD_MODELS);
    some_nodes[0] = random_u64(r);
    for (uint32_t n = 0; n < w->n_nodes; n++) {
        w->nodes[n].cpu_milli = 4000 * (1 + (int64_t)random_below(r, 3));
        w->nodes[n].gpus = gpus;
        w->nodes[n].n_gpus = (uint32_t)random_below(r, 4);
    }
    for (uint32_t m = 0; m < w->n_models; m++) {
        w->specs[m].resources.cpu_milli = 500 * (1 + (int64_t)random_below(r, 4));
        w->specs[m].resources.gpu_milli = shares[random_below(r, ARRAY_LEN(shares))];
        if (random_below(r, 4) == 0)
            w->specs[m].resources.gpu_models = (struct string_list){ &only_b, 1 };
        w->specs[m].placement.max_per_node = random_below(r, 4) ? -1 : 2;
        w->specs[m].port = random_below(r, 4) ? 0 : 8080;
        w->models[m].eligible = random_below(r, 3) ? NULL : some_nodes;
        models[m] = (struct plan_model){ .target = (uint32_t)random_below(r, 7) };
        models[m].floor = (uint32_t)random_below(r, models[m].target + 1);
    }
}

static bool has_port(const struct packing *p, const uint32_t there[WORLD_MODELS], int64_t port)
{
    for (uint32_t m = 0; m < p->s->n_models; m++)
        if (there[m] > 0 && p->s->models[m].spec->port == port)
            return true;
    return false;
}

/* The emptiest node with room, the first of equals; before any trial. */
static uint32_t refuge(const struct packing *p, const int64_t *free_before,
                       const uint32_t (*there)[WORLD_MODELS], uint32_t model, uint32_t lost,
                       uint64_t *ret_mask)
{
    const struct served_model *spec = p->s->models[model].spec;
    uint32_t best = NO_INDEX;

    for (uint32_t n = 0; n < p->s->n_nodes; n++) {
        uint64_t mask;

        if (n == lost || p->closed[n] || !snapshot_eligible(&p->s->models[model], n) ||
            !room_fits(&p->after[n], &p->s->nodes[n], spec, &mask) ||
            (spec->placement.max_per_node >= 0 &&
             there[n][model] >= spec->placement.max_per_node) ||
            (spec->port > 0 && has_port(p, there[n], spec->port)) ||
            (best != NO_INDEX && free_before[n] <= free_before[best]))
            continue;
        best = n;
        *ret_mask = mask;
    }
    return best;
}

static bool survives(struct packing *p, uint32_t (*there)[WORLD_MODELS], uint32_t lost)
{
    struct seat moved[WORLD_REPLICAS];
    int64_t free_before[WORLD_NODES];
    size_t n_moved = 0;
    bool all = true;

    for (uint32_t n = 0; n < p->s->n_nodes; n++)
        free_before[n] = p->after[n].cpu_milli;
    for (uint32_t m = 0; m < p->s->n_models && all; m++) {
        uint32_t left = p->placed[m] - there[lost][m];
        uint32_t floor = p->models[m].floor;

        for (uint32_t k = 0; k < there[lost][m] && left < floor && all; k++, left++) {
            struct seat *s = &moved[n_moved];
            uint64_t mask = 0;
            uint32_t to =
                refuge(p, free_before, (const uint32_t(*)[WORLD_MODELS])there, m, lost, &mask);

            all = to != NO_INDEX;
            if (!all)
                break;
            *s = (struct seat){ m, to, mask, p->s->models[m].spec, false };
            n_moved++;
            room_take(&p->after[to], &p->s->nodes[to], s->spec, mask);
            there[to][m]++;
        }
    }
    for (size_t i = 0; i < n_moved; i++) {
        room_give(&p->after[moved[i].node], &p->s->nodes[moved[i].node], moved[i].spec,
                  moved[i].mask);
        there[moved[i].node][moved[i].model]--;
    }
    return all;
}

static uint32_t weakest(struct packing *p)
{
    uint32_t there[WORLD_NODES][WORLD_MODELS] = { { 0 } };

    for (size_t i = 0; i < p->n_fresh; i++)
        there[p->fresh[i].node][p->fresh[i].model]++;
    for (uint32_t n = 0; n < p->s->n_nodes; n++)
        if (!p->closed[n] && p->held[n] > 0 && !survives(p, there, n))
            return n;
    return NO_INDEX;
}

/* The same placement as a plan that puts the closed node to sleep. */
static bool plan_survives(const struct packing *p)
{
    struct plan_node nodes[WORLD_NODES] = { 0 };
    struct plan_placement placements[WORLD_REPLICAS];
    struct plan_model models[WORLD_MODELS];
    struct plan plan = { .snapshot = (struct snapshot *)p->s,
                         .models = models,
                         .nodes = nodes,
                         .placements = placements,
                         .n_placements = p->n_fresh };
    struct err e = ERR_INIT;

    memcpy(models, p->models, p->s->n_models * sizeof(*models));
    for (uint32_t n = 0; n < p->s->n_nodes; n++)
        nodes[n].verdict = p->closed[n] ? PLAN_SLEEP : PLAN_STAY;
    for (size_t i = 0; i < p->n_fresh; i++)
        placements[i] = (struct plan_placement){ p->fresh[i].model, p->fresh[i].node, NO_INDEX,
                                                 NO_INDEX,          p->fresh[i].mask, false };
    return plan_check_losses(&plan, &e) == 0;
}

static void a_loss_is_survived_when_trying_it_says_so(void **state)
{
    struct world *w = xmalloc(sizeof(*w));
    size_t survived = 0, lost = 0, refused = 0, turned = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 4000; seed++) {
        struct random r = random_stream(seed, 8, 0, 0);
        struct plan_model models[WORLD_MODELS];
        struct snapshot *s;
        struct packing p;
        uint32_t node, other, lacking;
        bool sleeps;

        make_world(w, &r, models);
        s = world_snapshot(w);
        packing_init(&p, s, models, UINT64_MAX);
        for (uint32_t m = 0; m < w->n_models; m++)
            while (p.placed[m] < models[m].target && packing_place(&p, m))
                ;
        node = (uint32_t)random_below(&r, w->n_nodes);
        if (p.held[node] == 0)
            packing_close(&p, node, true);
        sleeps = p.closed[node];
        node = survival_weakest(&p, 0, &lacking);
        assert_int_equal(node, weakest(&p));
        assert_int_equal(plan_survives(&p), !sleeps || node == NO_INDEX);
        refused += sleeps && node != NO_INDEX;
        survived += node == NO_INDEX;
        lost += node != NO_INDEX;
        assert_int_equal(survival_weakest(&p, 0, &lacking), node); /* nothing has changed */
        other = (uint32_t)random_below(&r, w->n_nodes);
        if (p.held[other] == 0 && !p.closed[other]) {
            packing_close(&p, other, true);
            assert_int_equal(survival_weakest(&p, 0, &lacking), weakest(&p));
            turned += node == NO_INDEX && weakest(&p) != NO_INDEX;
        }
        packing_done(&p);
        snapshot_unref(s);
    }
    assert_true(survived > 500 && lost > 500 && refused > 100 && turned > 20);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_is_survived_when_trying_it_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
