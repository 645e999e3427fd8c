/* A plan that puts on a node what it has no room for, or may not run, is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/plan_check_world.h"

static void capacity_overfull(void **state)
{
    struct bench *b = *state;

    b->w.nodes[b->plan->placements[a_move(b->plan)].node].memory_bytes = (int64_t)1 << 30;
    assert_refused(b, "capacity");
}

static void capacity_a_node_that_takes_none(void **state)
{
    struct bench *b = *state;

    b->w.nodes[b->plan->placements[a_move(b->plan)].node].schedulable = false;
    assert_refused(b, "capacity");
}

static void capacity_too_many_of_one_model(void **state)
{
    struct bench *b = *state;

    b->w.specs[0].placement.max_per_node = 1;
    assert_refused(b, "capacity");
    b->w.specs[0].placement.max_per_node = -1;
    b->w.specs[0].port = 8080;
    assert_refused(b, "capacity");
}

static void capacity_of_each_kind(void **state)
{
    struct bench *b = *state;
    struct snap_node *n = &b->w.nodes[3], was = *n;
    const uint64_t others = 7;

    move_by_hand(b, 0);
    assert_accepted(b);
    n->cpu_milli = 1000;
    assert_refused(b, "capacity");
    *n = was;
    n->cordoned = true;
    assert_refused(b, "capacity");
    *n = was;
    n->evacuate = true;
    assert_refused(b, "capacity");
    *n = was;
    b->w.models[0].eligible = &others;
    assert_refused(b, "capacity: model m000 may not");
}

static void capacity_of_devices(void **state)
{
    struct bench *b = *state;
    struct snap_gpu gpu = { "gpu", (uint64_t)8 << 30 };
    struct served_model deleted = { .resources = { .gpu_milli = 500, .gpu_memory_bytes = -1 } };
    struct snap_held held = { &deleted, 1 };
    char name[] = "another", *another = name;

    b->w.nodes[3].gpus = &gpu;
    b->w.nodes[3].n_gpus = 1;
    b->w.specs[0].resources.gpu_milli = 1000;
    move_by_hand(b, 1);
    assert_accepted(b);
    move_by_hand(b, 0);
    assert_refused(b, "capacity");
    move_by_hand(b, 2); /* a device that is not there */
    assert_refused(b, "capacity");
    move_by_hand(b, 1);
    b->w.specs[0].resources.gpu_memory_bytes = (int64_t)1 << 30;
    b->plan->placements[1] = (struct plan_placement){ 0, 3, NO_INDEX, 1, 1, false };
    assert_refused(b, "capacity"); /* both want the whole of it */
    move_by_hand(b, 1);
    b->w.specs[0].resources.gpu_memory_bytes = (int64_t)9 << 30;
    assert_refused(b, "capacity");
    b->w.specs[0].resources.gpu_memory_bytes = -1;
    assert_accepted(b);
    b->w.nodes[3].held = &held; /* by one whose model was deleted */
    b->w.nodes[3].n_held = 1;
    assert_refused(b, "capacity");
    held.gpu_mask = 0;
    assert_accepted(b);
    b->w.specs[0].resources.gpu_models = (struct string_list){ &another, 1 };
    assert_refused(b, "capacity: model m000 on node n003: not the devices");
}

/* What is there already is not held against a plan that adds nothing to it. */
static void too_many_already_are_left_alone(void **state)
{
    struct bench *b = *state;

    b->w.replicas[1].node = b->w.replicas[0].node;
    b->w.specs[0].placement.max_per_node = 1;
    by_hand(b, 3);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(capacity_overfull),
        CASE(capacity_a_node_that_takes_none),
        CASE(capacity_too_many_of_one_model),
        CASE(capacity_of_each_kind),
        CASE(capacity_of_devices),
        CASE(too_many_already_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
