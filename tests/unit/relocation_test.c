/* Where replicas stand among nodes that stay awake: the curve decides, measured use says which node
 * is too full, and no move is made that does not pay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/placement/relocation.h"
#include "tests/unit/brain_world.h"

struct bench {
    struct world w;
    struct plan_model models[WORLD_MODELS];
    struct snapshot *s;
    struct packing p;
};

/* Two nodes of eight CPUs, replicas that use one CPU each: so many on either. */
static int setup(void **state)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    world_init(&b->w, 2, 1);
    b->w.policy_spec.horizon_ms = 3600000;
    b->w.step = 7200; /* two hours after the start of all */
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void run_here(struct bench *b, uint32_t node, double mean, double variance)
{
    world_run(&b->w, 0, node, 0, REPLICA_READY);
    b->w.replicas[b->w.n_replicas - 1].cpu_use_known = true;
    b->w.replicas[b->w.n_replicas - 1].cpu_use_milli = mean;
    b->w.replicas[b->w.n_replicas - 1].cpu_use_variance = variance;
}

static void stand(struct bench *b, uint32_t on_first, uint32_t on_second)
{
    b->w.n_replicas = 0;
    for (uint32_t i = 0; i < on_first + on_second; i++)
        run_here(b, i >= on_first, 1000, 0);
}

/* u^2: each more costs more. sqrt: each more costs less. */
static void set_curve(struct bench *b, double (*shape)(double))
{
    for (uint32_t n = 0; n < b->w.n_nodes; n++)
        for (uint32_t k = 0; k < CURVE_POINTS; k++)
            b->w.nodes[n].curve.watts[k] = 100 + 100 * shape((double)k / (CURVE_POINTS - 1));
}

static double square(double u)
{
    return u * u;
}

static double line(double u)
{
    return u;
}

static void begin(struct bench *b)
{
    b->s = world_snapshot(&b->w);
    b->models[0].target = b->w.n_replicas;
    packing_init(&b->p, b->s, b->models, 1000000);
}

static void end(struct bench *b)
{
    packing_done(&b->p);
    snapshot_unref(b->s);
}

/* Moves, and how many then stand on the first node. */
static uint32_t relocate(struct bench *b, double stay_s, uint32_t *ret_on_first)
{
    uint32_t moves;

    begin(b);
    moves = relocation(&b->p, stay_s, false);
    *ret_on_first = b->p.held[0];
    for (uint32_t i = 0; i < b->w.n_replicas; i++)
        b->w.replicas[i].node = b->p.seats[i].node;
    end(b);
    return moves;
}

static void convex_spreads_concave_gathers_straight_stays(void **state)
{
    struct bench *b = *state;
    uint32_t on_first;

    set_curve(b, square);
    stand(b, 3, 1);
    assert_int_equal(relocate(b, INFINITY, &on_first), 1);
    assert_int_equal(on_first, 2);
    assert_int_equal(relocate(b, INFINITY, &on_first), 0); /* and that is that */
    set_curve(b, sqrt);
    stand(b, 3, 1);
    assert_int_equal(relocate(b, INFINITY, &on_first), 1);
    assert_int_equal(on_first, 4);
    assert_int_equal(relocate(b, INFINITY, &on_first), 0);
    set_curve(b, line);
    stand(b, 4, 0);
    assert_int_equal(relocate(b, INFINITY, &on_first), 0);
}

/* From 3 and 1 to 2 and 2 of 8: 1.6 + 14.1 W to 2 times 6.25 W. The load draws a quarter of 100 W
 * for as long as it takes. */
static void a_move_is_made_only_when_it_pays(void **state)
{
    struct bench *b = *state;
    uint32_t on_first;

    set_curve(b, square);
    stand(b, 3, 1);
    assert_int_equal(relocate(b, 10, &on_first), 0); /* the node may go */
    assert_int_equal(relocate(b, 0, &on_first), 0);
    b->w.policy_spec.budget.move_joules = 20000;
    assert_int_equal(relocate(b, INFINITY, &on_first), 0);
    b->w.policy_spec.budget.move_joules = 0;
    b->w.models[0].load_p99_ms = 600000;
    assert_int_equal(relocate(b, INFINITY, &on_first), 0);
    b->w.models[0].load_p99_ms = 1000;
    b->w.policy_spec.budget.moves = 0;
    assert_int_equal(relocate(b, INFINITY, &on_first), 0);
    b->w.policy_spec.budget.moves = -1;
    for (uint32_t i = 0; i < 4; i++)
        b->w.replicas[i].cpu_use_known = false; /* nothing is known: nothing is done */
    assert_int_equal(relocate(b, INFINITY, &on_first), 0);
    for (uint32_t i = 0; i < 4; i++)
        b->w.replicas[i].cpu_use_known = true;
    b->w.paused = true;
    assert_int_equal(relocate(b, INFINITY, &on_first), 0);
    b->w.paused = false;
    for (uint32_t i = 0; i < 4; i++)
        b->w.replicas[i].since_ms = 7199000; /* it has only just come */
    assert_int_equal(relocate(b, INFINITY, &on_first), 0);
    for (uint32_t i = 0; i < 4; i++)
        b->w.replicas[i].since_ms = 0;
    assert_int_equal(relocate(b, 3600, &on_first), 1);
}

/* An empty node is used only when all stay for as long as can be seen. */
static void an_empty_node_stays_empty_while_it_may_go(void **state)
{
    struct bench *b = *state;
    uint32_t on_first;

    set_curve(b, square);
    stand(b, 4, 0);
    assert_int_equal(relocate(b, 3600, &on_first), 0);
    assert_int_equal(relocate(b, INFINITY, &on_first), 2);
    assert_int_equal(on_first, 2);
}

/* What is only now to be started costs no move, and stands where it draws least. */
static void a_start_goes_where_it_draws_least(void **state)
{
    struct bench *b = *state;

    set_curve(b, square);
    stand(b, 3, 1);
    b->w.specs[0].exclusive = true; /* those that run stay */
    begin(b);
    assert_true(packing_start(&b->p, 0, 0));
    assert_int_equal(relocation(&b->p, INFINITY, false), 0);
    assert_int_equal(b->p.fresh[0].node, 1);
    assert_int_equal(b->p.held[0], 3);
    assert_int_equal(b->p.received[0], 0);
    assert_int_equal(b->p.received[1], 1);
    assert_true(b->p.load.node[0].mean == 3000 && b->p.load.node[1].mean == 2000);
    assert_int_equal(b->p.peak[0].cpu_milli, 2000);
    assert_int_equal(b->p.peak[1].cpu_milli, 4000);
    end(b);
}

/* Declared they fit; used, four that fluctuate are too much for one node, though the curve is
 * straight. Calm ones are left where they are. */
static void a_node_that_is_short_of_cpu_is_relieved(void **state)
{
    struct bench *b = *state;
    uint32_t on_first;

    set_curve(b, line);
    for (int fluctuating = 0; fluctuating < 2; fluctuating++) {
        b->w.n_replicas = 0;
        for (uint32_t i = 0; i < 5; i++)
            run_here(b, i == 4, 1800, fluctuating ? 400 * 400 : 100);
        assert_int_equal(relocate(b, 3600, &on_first), fluctuating);
        assert_int_equal(on_first, fluctuating ? 3 : 4);
    }
}

/* And nobody new is put there. */
static void a_node_that_is_short_of_cpu_gets_nobody(void **state)
{
    struct bench *b = *state;
    uint64_t mask;

    for (int fluctuating = 0; fluctuating < 2; fluctuating++) {
        b->w.n_replicas = 0;
        for (uint32_t i = 0; i < 4; i++)
            run_here(b, i == 3, 2500, fluctuating ? 300 * 300 : 100);
        for (uint32_t i = 0; i < 3; i++)
            b->w.replicas[i].cpu_use_milli = fluctuating ? 2500 : 1000;
        begin(b);
        assert_int_equal(packing_find(&b->p, 0, HOST_AWAKE, NO_INDEX, true, &mask), fluctuating);
        end(b);
    }
}

/* Three CPUs that five use of two declared: a replica of which nothing is known is taken for its
 * model's, another model's for the same share of what it declares. */
static void who_was_not_measured_is_taken_for_the_others(void **state)
{
    struct bench *b = *state;
    struct load l;

    world_init(&b->w, 2, 2);
    b->w.specs[1].resources.cpu_milli = 4000;
    run_here(b, 0, 1000, 40);
    run_here(b, 0, 500, 20);
    world_run(&b->w, 0, 1, 0, REPLICA_READY);
    world_run(&b->w, 1, 1, 0, REPLICA_READY);
    b->s = world_snapshot(&b->w);
    load_init(&l, b->s);
    assert_true(l.known);
    assert_true(l.replica[0].mean == 1000 && l.replica[0].variance == 40);
    assert_true(fabs(l.replica[2].mean - 750) < 1e-9 && fabs(l.replica[2].variance - 30) < 1e-9);
    assert_true(fabs(l.replica[3].mean - 4000 * 0.375) < 1e-9);
    load_done(&l);
    b->w.replicas[0].cpu_use_known = b->w.replicas[1].cpu_use_known = false;
    load_init(&l, b->s);
    assert_false(l.known);
    assert_true(load_added_w(&l, &b->w.nodes[0], 0, &l.replica[0], 1) == 0);
    load_done(&l);
    snapshot_unref(b->s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(convex_spreads_concave_gathers_straight_stays, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_move_is_made_only_when_it_pays, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_node_stays_empty_while_it_may_go, setup, teardown),
        cmocka_unit_test_setup_teardown(a_start_goes_where_it_draws_least, setup, teardown),
        cmocka_unit_test_setup_teardown(a_node_that_is_short_of_cpu_is_relieved, setup, teardown),
        cmocka_unit_test_setup_teardown(a_node_that_is_short_of_cpu_gets_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(who_was_not_measured_is_taken_for_the_others, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
