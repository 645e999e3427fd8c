/* Which nodes are put to sleep when more could be emptied than may be lost: as few as need be are
 * given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/plan_bench.h"

#define NODES 60

static int setup(void **state)
{
    *state = bench_new(NODES, WORLD_MODELS);
    return 0;
}

/* So many replicas of the model are needed, for ever; each stands on a node of its own. */
static void run(struct bench *b, uint32_t model, uint32_t first_node, uint32_t n)
{
    b->w.models[model].demand = 10.0 * n;
    b->w.specs[model].replicas.min = n;
    for (uint32_t i = 0; i < n; i++)
        world_run(&b->w, model, first_node + i, 0, REPLICA_READY);
}

/* Plans, proves the plan, and tells how many nodes go to sleep. */
static uint32_t sleeps(struct bench *b)
{
    world_watch(&b->w, b->brain, 60);
    bench_plan(b);
    return b->plan->sleeps;
}

/* Nodes in [from, to) that were emptied, or could have been, and stay for the loss of another. */
static uint32_t given_back(const struct bench *b, uint32_t from, uint32_t to)
{
    uint32_t n = 0;

    for (uint32_t i = from; i < to; i++)
        n += strncmp(b->plan->nodes[i].why, "awake: without it the loss", 26) == 0;
    return n;
}

/* What is left beside each replica is of no use for another: 30 nodes with one each need one more,
 * empty, however much room is left over. */
static void one_empty_node_is_kept_for_all(void **state)
{
    struct bench *b = *state;

    b->w.n_models = 1;
    b->w.specs[0].resources.cpu_milli = 5000;
    run(b, 0, 0, 30);
    assert_int_equal(sleeps(b), NODES - 31);
}

/* Kept is a node that helps: not one that the model may not run on, however late it was chosen. */
static void the_node_that_is_kept_helps(void **state)
{
    static uint64_t allowed[1] = { (UINT64_C(1) << 40) - 1 };
    struct bench *b = *state;

    b->w.n_models = 1;
    b->w.specs[0].resources.cpu_milli = 5000;
    b->w.models[0].eligible = allowed;
    run(b, 0, 0, 30);
    assert_int_equal(sleeps(b), NODES - 31);
    assert_int_equal(given_back(b, 30, 40), 1);
}

/* Seven nodes a model, three of them full: each model needs one more of its own. */
static void each_model_keeps_one_of_its_own(void **state)
{
    static uint64_t allowed[WORLD_MODELS];
    struct bench *b = *state;

    b->w.n_nodes = 7 * WORLD_MODELS;
    for (uint32_t m = 0; m < WORLD_MODELS; m++) {
        allowed[m] = UINT64_C(127) << (7 * m);
        b->w.models[m].eligible = &allowed[m];
        b->w.specs[m].resources.cpu_milli = 5000;
        run(b, m, 7 * m, 3);
    }
    assert_int_equal(sleeps(b), 3 * WORLD_MODELS);
    for (uint32_t m = 0; m < WORLD_MODELS; m++)
        assert_int_equal(given_back(b, 7 * m, 7 * m + 7), 1);
}

/* Small ones are moved together; a large one has room only in a node that stays as empty as it has
 * become. */
static void what_was_emptied_is_given_back_empty(void **state)
{
    struct bench *b = *state;

    b->w.n_models = 2;
    b->w.specs[0].resources.cpu_milli = 8000;
    run(b, 0, 0, 4);
    run(b, 1, 4, NODES - 4);
    assert_true(sleeps(b) >= 36);
    assert_int_equal(given_back(b, 0, NODES), 1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_empty_node_is_kept_for_all),
        CASE(the_node_that_is_kept_helps),
        CASE(each_model_keeps_one_of_its_own),
        CASE(what_was_emptied_is_given_back_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
