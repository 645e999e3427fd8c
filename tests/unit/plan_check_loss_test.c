/* A plan after which the loss of a node could not be borne is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/plan_check_world.h"

static void g5_the_loss_of_one_node(void **state)
{
    struct bench *b = *state;

    for (uint32_t n = 0; n < 4; n++)
        b->w.nodes[n].cpu_milli = 4000; /* two replicas a node: three do not fit one */
    assert_refused(b, "G5: the loss");
}

/* All on the first node but `elsewhere` on the second; the others are to sleep, and as many as
 * `floor` must go on serving. */
static void stand(struct bench *b, uint32_t elsewhere, uint32_t floor)
{
    for (uint32_t i = 0; i < 3; i++)
        b->w.replicas[i].node = i < elsewhere;
    by_hand(b, 3);
    b->plan->models[0].floor = floor;
    for (uint32_t n = 2; n < 4; n++) {
        b->plan->nodes[n].verdict = PLAN_SLEEP;
        b->plan->nodes[n].off_s = 3600;
    }
    assert_accepted(b);
}

static void g5_where_the_lost_ones_would_go(void **state)
{
    struct bench *b = *state;
    const uint64_t only_there = 1;

    stand(b, 0, 1);
    b->w.models[0].eligible = &only_there;
    assert_refused(b, "G5: the loss");
    b->w.pool_spec.spare = 0; /* a person does without */
    assert_accepted(b);
    b->w.pool_spec.spare = 1;
    b->w.models[0].eligible = NULL;
    b->w.nodes[1].memory_bytes = 1 << 20;
    assert_refused(b, "G5: the loss");
    b->w.nodes[1].memory_bytes = b->w.nodes[0].memory_bytes;
    b->w.specs[0].resources.gpu_milli = 1000; /* the second has no device */
    assert_refused(b, "G5: the loss");
}

static void g5_so_many_may_be_on_a_node(void **state)
{
    struct bench *b = *state;

    stand(b, 1, 3);
    b->w.specs[0].placement.max_per_node = 3;
    assert_accepted(b);
    b->w.specs[0].placement.max_per_node = 2;
    assert_refused(b, "G5: the loss");
    b->w.specs[0].placement.max_per_node = -1;
    b->w.specs[0].port = 8080; /* free once per node */
    assert_refused(b, "G5: the loss");
}

static void g5_devices_of_another_model(void **state)
{
    struct bench *b = *state;
    struct snap_gpu first = { "a", 0 }, second = { "b", 0 };
    char a[] = "a", *only_a = a;

    b->w.specs[0].resources.gpu_milli = 300;
    b->w.nodes[0].gpus = &first;
    b->w.nodes[1].gpus = &second;
    b->w.nodes[0].n_gpus = b->w.nodes[1].n_gpus = 1;
    for (uint32_t i = 0; i < 3; i++)
        b->w.replicas[i].gpu_mask = 1;
    stand(b, 0, 1);
    b->w.specs[0].resources.gpu_models = (struct string_list){ &only_a, 1 };
    assert_refused(b, "G5: the loss");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(g5_the_loss_of_one_node),
        CASE(g5_where_the_lost_ones_would_go),
        CASE(g5_so_many_may_be_on_a_node),
        CASE(g5_devices_of_another_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
