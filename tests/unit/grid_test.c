/* What a run's energy carries, by hand: 1 kWh in each step of half an hour. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "controller/simulate/grid.h"

#define NEAR(x, y) assert_true(fabs((x) - (y)) < 1e-9 * fmax(1, fabs((double)(y))))
#define KWH 3.6e6
#define NOON_S 1790078400.0 /* 2026-09-22T12:00:00Z */

static const double step_j[] = { KWH, KWH, KWH, KWH };

static struct grid_span from(double start_s)
{
    return (struct grid_span){ start_s, 1800, 4 };
}

static void one_number_is_times_the_energy(void **state)
{
    struct grid_span span = from(0);
    struct grid g = { 0 };

    (void)state;
    NEAR(grid_known(&g, GRID_CARBON, &span), 0);
    assert_true(isnan(grid_weigh(&g, GRID_CARBON, &span, step_j)));
    grid_fixed(&g, GRID_CARBON, 380);
    NEAR(grid_weigh(&g, GRID_CARBON, &span, step_j), 4 * 380);
    NEAR(grid_known(&g, GRID_CARBON, &span), 1);
    assert_true(isnan(grid_weigh(&g, GRID_PRICE, &span, step_j)));
    grid_done(&g);
}

/* From 11:30 UTC: 13:30 in summer two hours east, so hours 13, 14, 14, 15. */
static void hours_of_a_day_are_local(void **state)
{
    double hours[24] = { 0 };
    const struct number_list list = { hours, 24 };
    struct grid_span span = from(NOON_S - 1800);
    struct zone *zone = NULL;
    struct grid g = { 0 };

    (void)state;
    hours[13] = 100;
    hours[14] = 10;
    hours[15] = 1;
    assert_int_equal(zone_fixed("+02:00", &zone), 0);
    grid_profile(&g, GRID_PRICE, &list, zone);
    NEAR(grid_weigh(&g, GRID_PRICE, &span, step_j), 100 + 10 + 10 + 1);
    grid_done(&g);
}

/* Known from 12:15 on, for as long as the step before: half an hour each, until 13:15. Each known
 * part of a step carries its part of the energy. */
static void a_file_may_end_within_a_step(void **state)
{
    static const char text[] = "time,g\n2026-09-22T12:15Z,200\n2026-09-22T12:45Z,400\n";
    struct grid_span span = from(NOON_S);
    struct err e = ERR_INIT;
    struct grid g = { 0 };

    (void)state;
    assert_int_equal(grid_series(&g, GRID_CARBON, "x.csv", text, strlen(text), &e), 0);
    NEAR(grid_weigh(&g, GRID_CARBON, &span, step_j), 0.5 * 200 + 0.5 * (200 + 400) + 0.5 * 400);
    NEAR(grid_known(&g, GRID_CARBON, &span), 0.5);
    span = from(NOON_S + 86400);
    assert_true(isnan(grid_weigh(&g, GRID_CARBON, &span, step_j)));
    NEAR(grid_known(&g, GRID_CARBON, &span), 0);
    grid_done(&g);
}

static void prices_may_fall_below_zero_and_carbon_not(void **state)
{
    static const char text[] = "2026-09-22T12:00Z,-0.1\n2026-09-22T13:00Z,0.2\n";
    struct grid_span span = from(NOON_S);
    struct err e = ERR_INIT;
    struct grid g = { 0 };

    (void)state;
    assert_int_equal(grid_series(&g, GRID_PRICE, "x.csv", text, strlen(text), &e), 0);
    NEAR(grid_weigh(&g, GRID_PRICE, &span, step_j), 2 * -0.1 + 2 * 0.2);
    assert_true(grid_series(&g, GRID_CARBON, "x.csv", text, strlen(text), &e) < 0);
    assert_non_null(strstr(e.text, "x.csv:1:19: expected a number from 0"));
    grid_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_number_is_times_the_energy),
        cmocka_unit_test(hours_of_a_day_are_local),
        cmocka_unit_test(a_file_may_end_within_a_step),
        cmocka_unit_test(prices_may_fall_below_zero_and_carbon_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
