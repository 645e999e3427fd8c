/* Demand steps and long series: what was counted is found again, what was not stays missing. */
#include "controller/state/demand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/state/series.h"
#include "proto/base/random.h"

static void assert_near(double value, double wanted, double tolerance)
{
    assert_true(fabs(value - wanted) <= tolerance);
}

static void spreads_over_steps(void **unused)
{
    struct demand d;

    (void)unused;
    demand_init(&d, 1000);
    demand_add(&d, 500, 2500, 200); /* 100/s: half of step 0, all of 1, half of 2 */
    assert_true(d.open == 2);
    assert_near(demand_at(&d, 0), 100, 1e-3);
    assert_near(demand_at(&d, 1), 100, 1e-3);
    assert_true(demand_advance(&d, 3000));
    assert_near(demand_at(&d, 2), 100, 1e-3);
    assert_false(demand_advance(&d, 3500));
    demand_done(&d);
}

static void absent_is_not_zero(void **unused)
{
    struct demand d;

    (void)unused;
    demand_init(&d, 1000);
    assert_true(isnan(demand_now(&d, 0)));
    demand_add(&d, 0, 1000, 50);
    demand_advance(&d, 4000);
    assert_near(demand_at(&d, 0), 50, 1e-3);
    assert_true(isnan(demand_at(&d, 1))); /* nobody looked */
    assert_true(isnan(demand_at(&d, 3)));
    demand_add(&d, 4000, 4400, 0); /* less than half seen */
    demand_advance(&d, 5000);
    assert_true(isnan(demand_at(&d, 4)));
    demand_add(&d, 5000, 5600, 0); /* seen, and nothing came */
    demand_advance(&d, 6000);
    assert_near(demand_at(&d, 5), 0, 0);
    demand_done(&d);
}

static void slides(void **unused)
{
    struct demand d;

    (void)unused;
    demand_init(&d, 10000);
    for (int64_t t = 0; t < 20000; t += 1000)
        demand_add(&d, t, t + 1000, 10);
    assert_near(demand_now(&d, 20000), 10, 0.01);
    for (int64_t t = 20000; t < 25000; t += 1000)
        demand_add(&d, t, t + 1000, 30);
    assert_near(demand_now(&d, 25000), 20, 0.01);
    assert_true(demand_fast(&d, 25000) > 25);
    assert_true(isnan(demand_fast(&d, 60000)));
    assert_true(isnan(demand_now(&d, 60000))); /* nothing heard for long */
    demand_done(&d);
}

static void restores_and_resamples(void **unused)
{
    float values[4] = { 1, 2, NAN, 4 };
    struct demand d;

    (void)unused;
    demand_init(&d, 1000);
    demand_restore(&d, 100, values, 4);
    assert_near(demand_at(&d, 101), 2, 0);
    assert_true(isnan(demand_at(&d, 102)));
    demand_restore(&d, 106, values, 1); /* after a hole */
    assert_true(isnan(demand_at(&d, 105)));
    assert_near(demand_at(&d, 106), 1, 0);
    demand_set_step(&d, 500);
    assert_near(demand_at(&d, 206), 4, 0);
    assert_near(demand_at(&d, 207), 4, 0);
    demand_done(&d);
}

static void is_bounded(void **unused)
{
    struct demand d;

    (void)unused;
    demand_init(&d, 1000);
    demand_add(&d, 0, 1000, 1);
    for (int64_t k = 1; k < DEMAND_STEPS + 100; k++)
        demand_add(&d, k * 1000, (k + 1) * 1000, (double)k);
    assert_true(d.cap_ring == DEMAND_STEPS);
    assert_near(demand_at(&d, DEMAND_STEPS + 50), DEMAND_STEPS + 50, 1);
    assert_true(isnan(demand_at(&d, 10)));
    demand_add(&d, INT64_C(4000000000000), INT64_C(4000000001000), 5); /* the clock jumped */
    assert_true(isnan(demand_at(&d, DEMAND_STEPS + 50)));
    demand_done(&d);
}

/* The front door was away for ten minutes, and then tells what came meanwhile. */
static void what_came_in_closed_steps_is_no_burst(void **unused)
{
    struct demand d;
    int64_t t = 0;

    (void)unused;
    demand_init(&d, 60000);
    for (; t < 180000; t += 1000)
        demand_add(&d, t, t + 1000, 10);
    for (; t < 790000; t += 1000)
        demand_advance(&d, t);
    demand_add(&d, 180000, t, 10 * (double)(t - 180000) / 1000);
    assert_near(demand_now(&d, t), 10, 0.1);
    for (; t < 840000; t += 1000)
        demand_add(&d, t, t + 1000, 10);
    assert_near(demand_at(&d, 13), 10, 0.1);
    assert_true(isnan(demand_at(&d, 12)));
    demand_done(&d);
}

static void keeps_rate(struct demand *d, int64_t from_ms, int64_t to_ms, double rate)
{
    for (int64_t t = from_ms; t < to_ms; t += 1000) {
        demand_advance(d, t);
        demand_add(d, t, t + 1000, rate);
        assert_true(isnan(demand_now(d, t + 1000)) || fabs(demand_now(d, t + 1000) - rate) < 0.1);
    }
    assert_near(demand_now(d, to_ms), rate, 0.1);
}

/* Steps that have not come yet are forgotten; a step back of less than one is waited for. */
static void a_clock_set_back_is_no_burst(void **unused)
{
    float value = 3;
    struct demand d;

    (void)unused;
    demand_init(&d, 60000);
    keeps_rate(&d, 0, 7200000, 10);
    keeps_rate(&d, 7200000 - 20000, 7200000 + 60000, 10);
    keeps_rate(&d, 3600000, 7800000, 10);
    assert_near(demand_at(&d, 60), 10, 0.1);
    assert_near(demand_at(&d, 121), 10, 0.1);
    demand_restore(&d, 42000000, &value, 1); /* of the year 2049 */
    keeps_rate(&d, 7800000, 8400000, 10);
    assert_near(demand_at(&d, 135), 10, 0.1);
    demand_done(&d);
}

static void series_keeps_joules(void **unused)
{
    struct random random = random_stream(7, 0, 0, 0);
    struct series s;
    double total = 0;
    int64_t t = 1000000;
    char *text;

    (void)unused;
    series_init(&s);
    assert_true(isnan(series_sum(&s, 0, t)));
    while (t < 1000000 + INT64_C(30) * 86400000) { /* a month */
        int64_t length = (int64_t)random_below(&random, 600000) + 1;
        double joules = random_unit(&random) * 1000;

        series_add(&s, t, t + length, joules);
        if (t > 1000000 + INT64_C(20) * 86400000)
            total += joules;
        t += length;
    }
    assert_near(series_sum(&s, 1000000 + INT64_C(20) * 86400000, t) / total, 1, 0.005);
    text = series_pack(&s, false);
    series_done(&s);
    series_init(&s);
    series_unpack(&s, text);
    assert_near(series_sum(&s, 1000000 + INT64_C(20) * 86400000, t) / total, 1, 0.005);
    free(text);
    series_unpack(&s, "1 5 9999999999 0 0 zz");
    series_unpack(&s, "rubbish");
    series_done(&s);
}

static void series_is_exact_when_fresh(void **unused)
{
    struct series s;

    (void)unused;
    series_init(&s);
    for (int64_t t = 0; t < 600000; t += 5000)
        series_add(&s, t, t + 5000, 500);
    assert_near(series_sum(&s, 0, 600000), 60000, 30);
    assert_near(series_sum(&s, 300000, 330000), 3000, 3);
    assert_near(series_sum(&s, 302500, 305000), 250, 1);
    assert_true(isnan(series_sum(&s, 700000, 800000)));
    series_done(&s);
}

/* The first amount comes in the middle of a coarse cell; the window begins before. */
static void a_window_from_before_the_first_amount(void **unused)
{
    struct series s;

    (void)unused;
    series_init(&s);
    series_add(&s, 900000 + 420000, 900000 + 480000, 1000);
    assert_near(series_sum(&s, 900000, 900000 + 480000), 1000, 1);
    assert_near(series_sum(&s, 0, 900000 + 480000), 1000, 1);
    assert_near(series_sum(&s, 0, 900000 + 450000), 500, 1);
    assert_true(isnan(series_sum(&s, 0, 900000 + 400000)));
    series_done(&s);
}

/* Ten thousand nodes of 300 W: a quarter of an hour of them, and one node among them. */
static void wide_series_take_a_fleet(void **unused)
{
    struct series wide, half;
    char *text;

    (void)unused;
    series_init_wide(&wide);
    series_init(&half);
    for (int i = 0; i < 10000; i++) /* the same five hours each, one after the other: late */
        series_add(&wide, 900000, 900000 + 18000000, 300 * 18000);
    series_add(&half, 900000, 900000 + 18000000, 3e6 * 18000);
    assert_near(series_sum(&wide, 1800000, 2700000) / (3e6 * 900), 1, 0.0005);
    assert_near(series_sum(&wide, 0, 18900000) / (3e6 * 18000), 1, 0.0005);
    assert_near(series_sum(&half, 0, 18900000) / (3e6 * 18000), 1, 0.0005);
    text = series_pack(&wide, false);
    series_done(&wide);
    series_init_wide(&wide);
    series_unpack(&wide, text);
    assert_near(series_sum(&wide, 1800000, 2700000) / (3e6 * 900), 1, 0.0005);
    series_unpack(&half, text); /* of the other format: left alone */
    assert_near(series_sum(&half, 0, 18900000) / (3e6 * 18000), 1, 0.0005);
    free(text);
    series_done(&wide);
    series_done(&half);
}

static void late_amounts_find_their_cells(void **unused)
{
    struct series s;

    (void)unused;
    series_init(&s);
    assert_true(series_begin(&s) == INT64_MAX);
    series_add(&s, 1800000, 1860000, 600);
    assert_true(series_begin(&s) == 1800000);
    series_add(&s, 1860000, 1920000, 600);
    series_add(&s, 1800000, 1860000, 60);  /* wholly closed */
    series_add(&s, 1890000, 1950000, 120); /* half before the open cell */
    series_add(&s, 1830000, 1830000, 7);   /* an instant */
    assert_near(series_sum(&s, 1800000, 1860000), 667, 1);
    assert_near(series_sum(&s, 1860000, 1920000), 660, 1);
    assert_near(series_sum(&s, 1920000, 1950000), 60, 0.1);
    assert_near(series_sum(&s, 0, 2000000), 600 + 600 + 60 + 120 + 7, 2);
    series_done(&s);
}

/* What is stored each minute over what was stored an hour ago. */
static void recent_cells_over_the_weeks(void **unused)
{
    const int64_t hour = 3600000, half_day = 12 * hour;
    struct series s, back;
    char *weeks = NULL, *recent;

    (void)unused;
    series_init(&s);
    series_init(&back);
    for (int64_t t = 0; t < 48 * hour; t += 60000) {
        if (t == 46 * hour)
            weeks = series_pack(&s, false);
        series_add(&s, t, t + 60000, t < half_day ? 1000 : 3000);
    }
    recent = series_pack(&s, true);
    assert_true(strlen(recent) < 1000 && strlen(weeks) > 3000);
    series_unpack(&back, weeks);
    series_unpack(&back, recent);
    assert_near(series_sum(&back, 0, half_day), 720 * 1000, 100);
    assert_near(series_sum(&back, 40 * hour, 48 * hour), 480 * 3000, 500);
    assert_near(series_sum(&back, 0, 48 * hour), 720 * 1000 + 2160 * 3000, 3000);
    series_unpack(&back, weeks); /* older: left alone */
    assert_near(series_sum(&back, 40 * hour, 48 * hour), 480 * 3000, 500);
    series_done(&back);
    series_init(&back);
    series_unpack(&back, recent); /* alone: the last three hours */
    assert_near(series_sum(&back, 0, 48 * hour), 180 * 3000, 500);
    free(weeks);
    free(recent);
    series_done(&back);
    series_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spreads_over_steps),
        cmocka_unit_test(absent_is_not_zero),
        cmocka_unit_test(slides),
        cmocka_unit_test(restores_and_resamples),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(what_came_in_closed_steps_is_no_burst),
        cmocka_unit_test(a_clock_set_back_is_no_burst),
        cmocka_unit_test(series_keeps_joules),
        cmocka_unit_test(series_is_exact_when_fresh),
        cmocka_unit_test(a_window_from_before_the_first_amount),
        cmocka_unit_test(wide_series_take_a_fleet),
        cmocka_unit_test(late_amounts_find_their_cells),
        cmocka_unit_test(recent_cells_over_the_weeks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
