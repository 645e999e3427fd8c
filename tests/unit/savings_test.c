/* Savings by hand: two nodes, one asleep, one power cycle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "controller/energy/savings.h"

static void two_nodes_by_hand(void **state)
{
    struct node_curve c = node_curve_linear(100, 200);
    struct savings s = { 0 };
    struct savings_node nodes[2] = {
        { false, 160, PROVENANCE_MEASURED, 0.6, 8000, &c },
        { true, NAN, PROVENANCE_UNAVAILABLE, NAN, 8000, &c },
    };

    (void)state;
    c.standby_w = 8;
    savings_add(&s, nodes, 2, 100);
    savings_add_cycle(&s, 1200);
    /* counterfactual: both at 0.3: 2 * 130 W * 100 s; used: (160 + 8) W * 100 s + 1200 J */
    assert_true(fabs(s.counterfactual_j - 26000) < 1e-6);
    assert_true(fabs(s.used_j - 18000) < 1e-6);
    assert_true(fabs(savings_j(&s) - 8000) < 1e-6);
    assert_true(fabs(s.error_j - (16000 * 0.03 + 26000 * 0.15 + 2000 * 0.3)) < 1e-6);
    assert_true(fabs(savings_share(&s, SAVINGS_MEASURED) - 16000.0 / 44000) < 1e-9);
    assert_true(fabs(savings_share(&s, SAVINGS_MEASURED) + savings_share(&s, SAVINGS_ESTIMATED) +
                     savings_share(&s, SAVINGS_ASSUMED) - 1) < 1e-9);
}

static void nobody_asleep_saves_nothing(void **state)
{
    struct node_curve c = node_curve_linear(100, 200);
    struct savings s = { 0 };
    struct savings_node nodes[2] = {
        { false, NAN, PROVENANCE_ESTIMATED, 0.5, 8000, &c },
        { false, NAN, PROVENANCE_ESTIMATED, 0.5, 8000, &c },
    };

    (void)state;
    savings_add(&s, nodes, 2, 10);
    assert_true(fabs(savings_j(&s)) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nodes_by_hand),
        cmocka_unit_test(nobody_asleep_saves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
