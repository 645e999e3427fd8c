/* Node curves: they converge to the node's own watts, stay ascending, and ignore faulty readings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "controller/energy/node_curve.h"
#include "proto/base/random.h"

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
    for (double u = 0.1; u <= 1; u += 0.1)
        assert_true(fabs(node_curve_watts(&c, u) / truth_w(u) - 1) < 0.03);
    assert_int_equal(c.provenance, PROVENANCE_MEASURED);
}

static void ignores_what_cannot_be(void **state)
{
    struct node_curve c = node_curve_linear(60, 200), before = c;

    (void)state;
    node_curve_learn(&c, 0.5, 900, 5, PROVENANCE_MEASURED);
    node_curve_learn(&c, 0.5, 10, 5, PROVENANCE_MEASURED);
    node_curve_learn(&c, NAN, 100, 5, PROVENANCE_MEASURED);
    node_curve_learn(&c, 0.5, INFINITY, 5, PROVENANCE_MEASURED);
    node_curve_learn(&c, 0.5, 100, 0, PROVENANCE_MEASURED);
    node_curve_learn(&c, 0.5, 100, 5, PROVENANCE_UNAVAILABLE);
    for (size_t i = 0; i < CURVE_POINTS; i++)
        assert_true(c.watts[i] == before.watts[i] && c.weight[i] == 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converges_to_the_nodes_own_watts),
        cmocka_unit_test(ignores_what_cannot_be),
        cmocka_unit_test(a_lone_level_moves_the_unvisited_points_too),
        cmocka_unit_test(break_even_by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
