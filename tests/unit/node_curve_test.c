/* Node curves: they converge to the node's own watts, stay ascending, and ignore faulty readings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/energy/node_curve.h"
#include "proto/base/random.h"
#include "proto/manifest_schema.h"

static double truth_w(double u)
{
    return 90 + 130 * sqrt(u);
}

static void converges_to_the_nodes_own_watts(void **state)
{
    struct node_curve c = node_curve_linear(60, 200);
    struct random r = { 7 };

    (void)state;
    assert_int_equal(c.provenance, PROVENANCE_ESTIMATED);
    for (int i = 0; i < 5000; i++) {
        double u = random_unit(&r), noise = 1 + 0.04 * (random_unit(&r) - 0.5);

        node_curve_learn(&c, u, truth_w(u) * noise, 5, PROVENANCE_MEASURED);
        for (size_t k = 1; k < CURVE_POINTS; k++)
            assert_true(c.watts[k] >= c.watts[k - 1]);
    }
    for (int i = 1; i <= 10; i++)
        assert_true(fabs(node_curve_watts(&c, i / 10.0) / truth_w(i / 10.0) - 1) < 0.03);
    assert_int_equal(c.provenance, PROVENANCE_MEASURED);
}

static void ignores_what_cannot_be(void **state)
{
    struct node_curve c = node_curve_linear(60, 200), before;

    (void)state;
    for (int i = 0; i < 24; i++) /* two minutes */
        node_curve_learn(&c, 0.5, 130, 5, PROVENANCE_MEASURED);
    before = c;
    node_curve_learn(&c, 0.5, 900, 5, PROVENANCE_MEASURED);
    node_curve_learn(&c, 0.5, 10, 5, PROVENANCE_MEASURED);
    node_curve_learn(&c, NAN, 100, 5, PROVENANCE_MEASURED);
    node_curve_learn(&c, 0.5, INFINITY, 5, PROVENANCE_MEASURED);
    node_curve_learn(&c, 0.5, 100, 0, PROVENANCE_MEASURED);
    node_curve_learn(&c, 0.5, 100, 5, PROVENANCE_UNAVAILABLE);
    for (size_t i = 0; i < CURVE_POINTS; i++)
        assert_true(c.watts[i] == before.watts[i] && c.weight[i] == before.weight[i]);
}

/* A small board, or a server of eight GPUs: far from what was supposed, and its own joules say so.
 */
static void a_supposed_curve_is_no_judge(void **state)
{
    static const double size[] = { 0.02, 0.1, 1, 10, 50 };

    (void)state;
    for (size_t k = 0; k < sizeof(size) / sizeof(*size); k++) {
        struct node_curve c = node_curve_linear(60, 200);

        node_curve_learn(&c, 0.5, 1e-3, 5, PROVENANCE_MEASURED); /* the first one is at fault */
        for (int i = 0; i < 60; i++)
            node_curve_learn(&c, 0.1 * (i % 11), size[k] * truth_w(0.1 * (i % 11)), 5,
                             PROVENANCE_MEASURED);
        for (int i = 0; i <= 10; i++)
            assert_true(fabs(c.watts[i] / (size[k] * truth_w(i / 10.0)) - 1) < 0.35);
        assert_int_equal(c.provenance, PROVENANCE_MEASURED);
        assert_true(c.standby_w < c.watts[0]);                    /* sleep is worth something */
        assert_true(fabs(c.cycle_j / c.standby_w - 3120) < 1e-6); /* as supposed, to its scale */
    }
}

static void a_lone_level_moves_the_unvisited_points_too(void **state)
{
    struct node_curve c = node_curve_linear(60, 200);

    (void)state;
    for (int i = 0; i < 200; i++)
        node_curve_learn(&c, 0.0, 100, 5, PROVENANCE_MEASURED);
    assert_true(fabs(node_curve_watts(&c, 0) - 100) < 3);
    assert_true(node_curve_watts(&c, 1) > 205 && node_curve_watts(&c, 1) < 240);
}

static void break_even_by_hand(void **state)
{
    struct node_curve c = node_curve_linear(100, 200);

    (void)state;
    c.cycle_j = 9000;
    c.standby_w = 10;
    assert_true(fabs(node_curve_break_even_s(&c) - 100) < 1e-9);
    c.standby_w = 100;
    assert_true(isinf(node_curve_break_even_s(&c)));
    node_curve_learn_wake(&c, 30, 4500);
    assert_true(c.boot_s == 30 && c.boot_p99_s == 30 && c.cycle_j == 4500 && c.wakes == 1);
    node_curve_learn_wake(&c, 40, NAN);
    assert_true(c.boot_p99_s == 40 && c.boot_s > 30 && c.boot_s < 40 && c.cycle_j == 4500);
}

/* By hand: at .7 400 W for a whole node's work, at .6 405, at .8 415. */
static void the_best_use_is_where_work_draws_least(void **state)
{
    static const double server[] = { 52.3, 129, 147, 170, 195, 224, 255, 292, 344, 408, 457 };
    struct node_curve c = node_curve_linear(60, 200);

    (void)state;
    assert_true(node_curve_best_use(&c) == 1);
    memcpy(c.watts, server, sizeof(server));
    c.standby_w = 12;
    assert_true(node_curve_best_use(&c) == 0.7);
    c.watts[8] = 335; /* as good: the higher one */
    assert_true(node_curve_best_use(&c) == 0.8);
    for (size_t i = 0; i < CURVE_POINTS; i++)
        c.watts[i] = truth_w((double)i / (CURVE_POINTS - 1));
    assert_true(node_curve_best_use(&c) == 1);
}

/* It draws 60 + 60 u W; 200 W at full load are no more than supposed. */
static void a_use_that_was_never_seen_bends_no_curve(void **state)
{
    struct node_curve c = node_curve_linear(60, 200);

    (void)state;
    for (int i = 0; i < 500; i++)
        for (int k = 0; k < 6; k++)
            node_curve_learn(&c, k / 10.0, 60 + 6 * k, 5, PROVENANCE_MEASURED);
    assert_true(c.watts[10] > 140);
    assert_true(node_curve_best_use(&c) == 1);
    for (int i = 0; i < 500; i++) { /* now it is seen there */
        node_curve_learn(&c, 0.6, 96, 5, PROVENANCE_MEASURED);
        node_curve_learn(&c, 1, 200, 5, PROVENANCE_MEASURED);
    }
    assert_true(node_curve_best_use(&c) == 0.6);
}

static void a_named_curve_is_supposed_until_more_is_known(void **state)
{
    struct node_curve c = node_curve_linear(60, 200),
                      prior = node_curve_named(power_curve_find("hp-ml110-g5"), 8),
                      guest = node_curve_named(power_curve_find("guest"), 8);

    (void)state;
    assert_true(fabs(node_curve_watts(&c, 0.25) - 95) < 1e-9);
    assert_true(guest.watts[0] == 16 && guest.watts[10] == 56); /* of eight CPUs */
    node_curve_suppose(&c, &prior);
    assert_true(node_curve_watts(&c, 0) == 93.7 && node_curve_watts(&c, 1) == 135);
    assert_true(fabs(node_curve_watts(&c, 0.25) - 103) < 1e-9);
    assert_int_equal(c.provenance, PROVENANCE_ESTIMATED);
    node_curve_learn_wake(&c, 30, 4500);
    node_curve_suppose(&c, &guest); /* watts are not known yet, the cycle is */
    assert_true(c.watts[10] == 56 && c.cycle_j == 4500 && c.boot_s == 30 && c.wakes == 1);
    node_curve_learn(&c, 0.5, 40, 5, PROVENANCE_MEASURED);
    node_curve_suppose(&c, &prior);
    assert_true(c.watts[10] < 60);
}

/* The words that a manifest may name, and the table. */
static void every_curve_can_be_declared(void **state)
{
    const struct field *f = manifest_fields(KIND_POWER_POOL);
    char declared[256] = "", all[256];

    (void)state;
    while (f->path && strcmp(f->path, "curve") != 0)
        f++;
    assert_non_null(f->path);
    for (const char *p = f->words + strlen("none "); *p; p++) {
        size_t n = strlen(declared);

        (void)snprintf(declared + n, sizeof(declared) - n, *p == ' ' ? ", " : "%c", *p);
    }
    (void)snprintf(all, sizeof(all), "%s", power_curve_names());
    assert_string_equal(declared, all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converges_to_the_nodes_own_watts),
        cmocka_unit_test(ignores_what_cannot_be),
        cmocka_unit_test(a_supposed_curve_is_no_judge),
        cmocka_unit_test(a_lone_level_moves_the_unvisited_points_too),
        cmocka_unit_test(break_even_by_hand),
        cmocka_unit_test(the_best_use_is_where_work_draws_least),
        cmocka_unit_test(a_use_that_was_never_seen_bends_no_curve),
        cmocka_unit_test(a_named_curve_is_supposed_until_more_is_known),
        cmocka_unit_test(every_curve_can_be_declared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
