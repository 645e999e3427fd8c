/* Which of the nodes chosen to sleep is given back, and with what on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/placement/sleepers.h"
#include "tests/unit/brain_world.h"

#define HOST 3u /* takes what is moved */

struct bench {
    struct world w;
    struct plan_model models[2];
    struct snapshot *snapshot;
    struct packing p;
    struct sleepers s;
};

/* Four nodes of eight CPUs; replicas of the first model take two, those of the second five. */
static int setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    world_init(&b->w, HOST + 1, 2);
    b->w.specs[1].resources.cpu_milli = 5000;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    sleepers_done(&b->s);
    packing_done(&b->p);
    free(b->snapshot);
    free(b);
    return 0;
}

static void begin(struct bench *b)
{
    b->snapshot = world_snapshot(&b->w);
    packing_init(&b->p, b->snapshot, b->models, 1000);
    b->s.p = &b->p;
}

static void empty(struct bench *b, uint32_t node)
{
    for (uint32_t i = 0; i < b->w.n_replicas; i++)
        if (b->w.replicas[i].node == node)
            sleepers_move(&b->s, i, HOST, 0);
    sleepers_choose(&b->s, node);
}

static void first_with_those_that_stood_there_then_without(void **state)
{
    struct bench *b = *state;

    world_run(&b->w, 0, 0, 0, REPLICA_READY);
    world_run(&b->w, 0, 1, 0, REPLICA_READY);
    world_run(&b->w, 0, 1, 0, REPLICA_READY);
    begin(b);
    empty(b, 0);
    empty(b, 1);
    empty(b, 2);
    assert_int_equal(sleepers_give_back(&b->s, 1), 2); /* nothing stood there: the newest */
    assert_int_equal(sleepers_give_back(&b->s, 1), 0); /* five beside two; four are too many */
    assert_int_equal(b->p.seats[0].node, 0);
    assert_false(b->p.closed[0]);
    assert_int_equal(sleepers_give_back(&b->s, 1), 1);
    assert_int_equal(b->p.seats[1].node, HOST);
    assert_int_equal(b->p.seats[2].node, HOST);
    assert_false(b->p.closed[1]);
}

static void where_it_helps_nobody_the_newest_comes_back_as_it_was(void **state)
{
    struct bench *b = *state;

    b->w.specs[1].resources.cpu_milli = 9000;
    world_run(&b->w, 0, 0, 0, REPLICA_READY);
    world_run(&b->w, 0, 1, 0, REPLICA_READY);
    begin(b);
    empty(b, 0);
    empty(b, 1);
    assert_int_equal(sleepers_give_back(&b->s, 1), 1);
    assert_int_equal(b->p.seats[0].node, HOST);
    assert_int_equal(b->p.seats[1].node, 1);
}

static void what_may_stand_together_counts(void **state)
{
    struct bench *b = *state;

    b->w.specs[0].port = b->w.specs[1].port = 8080;
    world_run(&b->w, 0, 1, 0, REPLICA_READY);
    begin(b);
    empty(b, 0);
    empty(b, 1);
    assert_int_equal(sleepers_give_back(&b->s, 1), 0);
}

static void so_does_max_per_node(void **state)
{
    struct bench *b = *state;

    b->w.specs[0].placement.max_per_node = 1;
    world_run(&b->w, 0, 1, 0, REPLICA_READY);
    begin(b);
    empty(b, 0);
    empty(b, 1);
    assert_int_equal(sleepers_give_back(&b->s, 0), 0);
}

/* What was moved for it stands where it stood; what was moved for others stays. */
static void a_node_that_cannot_be_emptied_is_taken_back(void **state)
{
    struct bench *b = *state;

    world_run(&b->w, 0, 0, 0, REPLICA_READY);
    world_run(&b->w, 0, 1, 0, REPLICA_READY);
    begin(b);
    empty(b, 0);
    sleepers_move(&b->s, 1, HOST, 0);
    sleepers_take_back(&b->s);
    assert_int_equal(b->p.seats[0].node, HOST);
    assert_int_equal(b->p.seats[1].node, 1);
    assert_int_equal(b->s.n_chosen, 1);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(first_with_those_that_stood_there_then_without),
        CASE(where_it_helps_nobody_the_newest_comes_back_as_it_was),
        CASE(what_may_stand_together_counts),
        CASE(so_does_max_per_node),
        CASE(a_node_that_cannot_be_emptied_is_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
