/* idle_power: watts of an idle node from those of one that works, by hand and on published curves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "agent/idle_power.h"
#include "agent/sensor/power_model.h"
#include "proto/base/array.h"

#define assert_near(a, b) assert_float_equal(a, b, 1e-6)

static void test_least_seen_without_a_spread(void **state)
{
    struct idle_power p = { 0 };

    (void)state;
    assert_near(idle_power_w(&p), 0);
    idle_power_add(&p, 0.8, 260, 10);
    idle_power_add(&p, 0.81, 262, 10);
    assert_near(idle_power_w(&p), 260);
    idle_power_add(&p, NAN, 250, 10); /* nobody knows at what utilization */
    assert_near(idle_power_w(&p), 250);
}

static void test_a_line_is_followed_down(void **state)
{
    struct idle_power p = { 0 };

    (void)state;
    idle_power_add(&p, 0.52, 204, 5); /* 100 W + 200 W x u */
    idle_power_add(&p, 0.57, 214, 5);
    assert_near(idle_power_w(&p), 204); /* too near to each other */
    idle_power_add(&p, 0.72, 244, 5);
    assert_near(idle_power_w(&p), 100);
    /* Three points that are on no line, by hand: means .603333 and 222.667; slope 4.13333 /
     * .0216667 = 190.769; at no utilization 222.667 - .603333 x 190.769 = 107.569. */
    p = (struct idle_power){ 0 };
    idle_power_add(&p, 0.52, 204, 5);
    idle_power_add(&p, 0.57, 220, 5);
    idle_power_add(&p, 0.72, 244, 5);
    assert_float_equal(idle_power_w(&p), 107.569, 0.001);
}

static void test_the_line_is_of_the_lowest(void **state)
{
    struct idle_power p = { 0 };

    (void)state;
    idle_power_add(&p, 0.5, 200, 5);
    idle_power_add(&p, 0.65, 230, 5);
    idle_power_add(&p, 0.97, 900, 5); /* turbo: out of reach */
    assert_near(idle_power_w(&p), 100);
    idle_power_add(&p, 0.3, 160, 4); /* too short to tell */
    assert_near(idle_power_w(&p), 100);
    idle_power_add(&p, 0.3, 160, 1);
    assert_near(idle_power_w(&p), 100); /* (.3, 160), (.5, 200): the same line */
}

static void test_bounds(void **state)
{
    struct idle_power p = { 0 };

    (void)state;
    idle_power_add(&p, 0.6, 260, 10); /* steep: at none it would be -220 W */
    idle_power_add(&p, 0.8, 420, 10);
    assert_near(idle_power_w(&p), 65);
    p = (struct idle_power){ 0 };
    idle_power_add(&p, 0.6, 260, 10); /* less at more: no line leads to more than the least */
    idle_power_add(&p, 0.8, 240, 10);
    assert_near(idle_power_w(&p), 240);
    p = (struct idle_power){ 0 };
    idle_power_add(&p, 0, 50, 10); /* it was idle */
    idle_power_add(&p, 0.2, 150, 10);
    assert_near(idle_power_w(&p), 50);
    idle_power_add(&p, 0.5, -1, 10); /* nonsense changes nothing */
    idle_power_add(&p, 0.5, NAN, 10);
    idle_power_add(&p, 0.5, 10, 0);
    idle_power_add(&p, 7, 300, 10);
    assert_near(idle_power_w(&p), 50);
}

static void test_old_watts_are_forgotten(void **state)
{
    struct idle_power p = { 0 };

    (void)state;
    for (int i = 0; i < 1000; i++) {
        idle_power_add(&p, 0.5, 300, 5);
        idle_power_add(&p, 0.7, 340, 5);
    }
    assert_near(idle_power_w(&p), 200);
    for (int i = 0; i < 1000; i++) { /* another governor: 50 W less throughout */
        idle_power_add(&p, 0.5, 250, 5);
        idle_power_add(&p, 0.7, 290, 5);
    }
    assert_float_equal(idle_power_w(&p), 150, 0.1);
}

/* Measured servers that never fall below some utilization: the line errs less than the least seen,
 * and by less than half as much on average. */
static void test_published_servers(void **state)
{
    static const char *const names[] = { "dell-r740", "hp-ml110-g4", "hp-ml110-g5" };
    double worse_w = 0, error_w = 0;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        const struct power_curve *c = power_curve_find(names[k]);

        assert_non_null(c);
        for (int lowest = 2; lowest <= 6; lowest++) {
            double idle_w = power_curve_watts(c, 0, 1);
            struct idle_power p = { 0 };

            for (int i = 0; i < 25; i++) {
                double u = lowest / 10.0 + 0.01 * i;

                idle_power_add(&p, u, power_curve_watts(c, u, 1), 5);
            }
            assert_true(fabs(idle_power_w(&p) - idle_w) < p.least_w - idle_w);
            error_w += fabs(idle_power_w(&p) - idle_w);
            worse_w += p.least_w - idle_w;
        }
    }
    assert_true(error_w < worse_w / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least_seen_without_a_spread),
        cmocka_unit_test(test_a_line_is_followed_down),
        cmocka_unit_test(test_the_line_is_of_the_lowest),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_old_watts_are_forgotten),
        cmocka_unit_test(test_published_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
