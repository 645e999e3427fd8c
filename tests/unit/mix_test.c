/* What free devices are worth, against values worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "controller/placement/mix.h"
#include "controller/placement/packing.h"
#include "tests/unit/brain_world.h"

static struct snap_gpu devices[2] = { { "a", 0 }, { "b", 0 } };

/* The first node with one device of model b, the others with one of a. */
static void world_with_devices(struct world *w)
{
    world_init(w, 4, 3);
    w->pool_spec.max_awake = -1;
    for (uint32_t n = 0; n < 4; n++) {
        w->nodes[n].cpu_milli = 10000;
        w->nodes[n].gpus = &devices[n == 0];
        w->nodes[n].n_gpus = 1;
    }
    for (uint32_t m = 0; m < 3; m++) {
        w->specs[m].resources.cpu_milli = 1000;
        w->specs[m].resources.gpu_milli = 400;
    }
}

/* Shares of .6 and .4 in equal numbers: they pair, so that .6 and .4 are together worth a device. A
 * rest of .3 is worth nothing. */
static void shares_that_pair_are_worth_a_device_together(void **state)
{
    struct world *w = xmalloc(sizeof(*w));
    const uint32_t replicas[] = { 50, 50, 0 };
    struct snapshot *s;
    struct mix m = { 0 };

    (void)state;
    world_with_devices(w);
    w->specs[0].resources.gpu_milli = 600;
    s = world_snapshot(w);
    mix_learn(&m, s, replicas);
    assert_true(fabs(m.price[600] + m.price[400] - 1) < 1e-6);
    assert_true(m.worth[300] == 0 && m.worth[1000] == 1);
    assert_true(fabs(m.worth[400] - m.price[400]) < 1e-9);
    assert_true(fabs(m.cpu_milli - 2000) < 1e-9); /* 100 x 1 core for 50 devices */
    mix_done(&m);
    snapshot_unref(s);
    free(w);
}

/* Only shares of .8: each takes a device, whatever is left of it. */
static void a_share_that_nothing_pairs_with_is_worth_a_device(void **state)
{
    struct world *w = xmalloc(sizeof(*w));
    const uint32_t replicas[] = { 10, 0, 0 };
    struct snapshot *s;
    struct mix m = { 0 };

    (void)state;
    world_with_devices(w);
    w->specs[0].resources.gpu_milli = 800;
    s = world_snapshot(w);
    mix_learn(&m, s, replicas);
    assert_true(fabs(m.price[800] - 1) < 1e-6);
    assert_true(m.worth[799] == 0 && m.worth[800] == 1);
    mix_done(&m);
    snapshot_unref(s);
    free(w);
}

/* Model 0 may stand on b only and model 1 anywhere: the one device of b is twice as wanted as an
 * average one; and model 1 goes elsewhere. */
static void a_device_that_others_are_bound_to_is_left_to_them(void **state)
{
    struct world *w = xmalloc(sizeof(*w));
    char *only[] = { (char[]){ "b" } };
    const uint32_t replicas[] = { 5, 5, 0 };
    struct plan_model models[3] = { { .target = 5 }, { .target = 5 } };
    struct snapshot *s;
    struct mix m = { 0 };
    struct packing p;
    uint64_t mask;

    (void)state;
    world_with_devices(w);
    w->specs[0].resources.gpu_models.item = only;
    w->specs[0].resources.gpu_models.n = 1;
    s = world_snapshot(w);
    mix_learn(&m, s, replicas);
    assert_int_equal(m.n_scarcities, 2);
    assert_true(m.scarcities[1].demand == 0);
    assert_true(fabs(m.scarcities[0].demand - 2) < 1e-9); /* half of demand, a quarter of devices */
    packing_init(&p, s, models, 1000);
    assert_true(packing_find(&p, 1, HOST_AWAKE, NO_INDEX, false, &mask) > 0);
    assert_int_equal(packing_find(&p, 0, HOST_AWAKE, NO_INDEX, false, &mask), 0);
    packing_done(&p);
    mix_done(&m);
    snapshot_unref(s);
    free(w);
}

/* A share goes where its rest is of use: .4 beside .6 rather than on a fresh device. */
static void a_share_goes_where_nothing_is_lost(void **state)
{
    struct world *w = xmalloc(sizeof(*w));
    const uint32_t replicas[] = { 50, 50, 0 };
    struct room_gpu gpus[2] = { { 1000, 0 }, { 400, 0 } };
    struct snap_gpu two[2] = { { "a", 0 }, { "a", 0 } };
    struct room room = { 10000, (int64_t)16 << 30, gpus };
    struct snapshot *s;
    struct mix m = { 0 };
    double cost;
    uint64_t mask;

    (void)state;
    world_with_devices(w);
    w->specs[0].resources.gpu_milli = 600;
    w->nodes[0].gpus = two;
    w->nodes[0].n_gpus = 2;
    s = world_snapshot(w);
    mix_learn(&m, s, replicas);
    assert_true(mix_cost(&m, &room, &w->nodes[0], &w->specs[1], false, &cost, &mask));
    assert_int_equal(mask, 2);
    room.cpu_milli = 999;
    assert_false(mix_cost(&m, &room, &w->nodes[0], &w->specs[0], false, &cost, &mask));
    mix_done(&m);
    snapshot_unref(s);
    free(w);
}

/* One device wants 2 cores. Taking 9 of 10 from beside a free one strands half of it and more; from
 * beside a taken one, nothing. */
static void cpu_is_left_to_free_devices(void **state)
{
    struct world *w = xmalloc(sizeof(*w));
    const uint32_t replicas[] = { 10, 0, 0 };
    struct served_model plain = { .resources = { .cpu_milli = 9000, .gpu_memory_bytes = -1 } };
    struct room_gpu gpu = { 1000, 0 };
    struct room room = { 10000, (int64_t)16 << 30, &gpu };
    struct snapshot *s;
    struct mix m = { 0 };
    double beside_free, beside_taken;
    uint64_t mask;

    (void)state;
    world_with_devices(w);
    w->specs[0].resources.gpu_milli = 1000;
    w->specs[0].resources.cpu_milli = 2000;
    s = world_snapshot(w);
    mix_learn(&m, s, replicas);
    assert_true(mix_cost(&m, &room, &w->nodes[0], &plain, false, &beside_free, &mask));
    gpu.milli = 0;
    assert_true(mix_cost(&m, &room, &w->nodes[0], &plain, false, &beside_taken, &mask));
    assert_true(beside_free > 0.5 && fabs(beside_taken) < 1e-9 && mask == 0);
    mix_done(&m);
    snapshot_unref(s);
    free(w);
}

/* One core or three beside a device, as often: two, give or take one. All alike: none. */
static void how_much_users_differ_is_learned(void **state)
{
    struct world *w = xmalloc(sizeof(*w));
    const uint32_t replicas[] = { 10, 10, 0 }, alike[] = { 10, 0, 0 };
    struct snapshot *s;
    struct mix m = { 0 };

    (void)state;
    world_with_devices(w);
    w->specs[0].resources.gpu_milli = w->specs[1].resources.gpu_milli = 1000;
    w->specs[1].resources.cpu_milli = 3000;
    s = world_snapshot(w);
    mix_learn(&m, s, replicas);
    assert_true(fabs(m.cpu_sd_milli - 1000) < 1e-9);
    mix_learn(&m, s, alike);
    assert_true(m.cpu_sd_milli == 0);
    mix_done(&m);
    snapshot_unref(s);
    free(w);
}

/* One core or three beside a device, as often, on 200 devices. Two replicas: a place in use can be
 * kept for those that want one core. 400: all of them have to stand somewhere. */
static void while_few_devices_are_wanted_those_fill_that_want_little_cpu(void **state)
{
    static struct snap_gpu many[50];
    struct world *w = xmalloc(sizeof(*w));
    const uint32_t few[] = { 1, 1, 0 }, half[] = { 50, 50, 0 }, all[] = { 200, 200, 0 };
    struct snapshot *s;
    struct mix m = { 0 };

    (void)state;
    world_with_devices(w);
    for (uint32_t g = 0; g < 50; g++)
        many[g].model = "a";
    for (uint32_t n = 0; n < 4; n++) {
        w->nodes[n].gpus = many;
        w->nodes[n].n_gpus = 50;
    }
    w->specs[0].resources.gpu_milli = w->specs[1].resources.gpu_milli = 1000;
    w->specs[0].resources.cpu_milli = 3000;
    s = world_snapshot(w);
    mix_learn(&m, s, few);
    assert_true(fabs(m.cpu_milli - 1000) < 1e-9);
    assert_true(fabs(m.cpu_sd_milli - 1000) < 1e-9); /* they differ as much */
    mix_learn(&m, s, half);
    assert_true(m.cpu_milli > 1999 && m.cpu_milli < 2000);
    mix_learn(&m, s, all);
    assert_true(fabs(m.cpu_milli - 2000) < 1e-9);
    mix_done(&m);
    snapshot_unref(s);
    free(w);
}

/* Shares of .4, two a device: the second half of a device in use is of use, the rest of .2 is not.
 * The more is left there, the dearer an empty node. */
static void what_is_left_in_use_makes_an_empty_node_dear(void **state)
{
    struct world *w = xmalloc(sizeof(*w));
    struct plan_model models[3] = { { .target = 4 } };
    double cost[3];
    struct snapshot *s;
    struct packing p;
    uint64_t mask;

    (void)state;
    world_with_devices(w);
    s = world_snapshot(w);
    packing_init(&p, s, models, 1000);
    assert_true(p.mix.left == 0);
    for (int k = 0; k < 3; k++) {
        assert_true(
            mix_cost(&p.mix, &p.peak[3], &w->nodes[3], &w->specs[0], true, &cost[k], &mask));
        assert_true(fabs(p.mix.left - (k == 1 ? 0.5 : 0)) < 1e-9);
        assert_int_equal(packing_start(&p, 0, 0), k < 2);
    }
    assert_true(cost[1] > cost[0] && fabs(cost[2] - cost[0]) < 1e-9);
    packing_done(&p);
    snapshot_unref(s);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_that_pair_are_worth_a_device_together),
        cmocka_unit_test(a_share_that_nothing_pairs_with_is_worth_a_device),
        cmocka_unit_test(a_device_that_others_are_bound_to_is_left_to_them),
        cmocka_unit_test(a_share_goes_where_nothing_is_lost),
        cmocka_unit_test(cpu_is_left_to_free_devices),
        cmocka_unit_test(how_much_users_differ_is_learned),
        cmocka_unit_test(while_few_devices_are_wanted_those_fill_that_want_little_cpu),
        cmocka_unit_test(what_is_left_in_use_makes_an_empty_node_dear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
