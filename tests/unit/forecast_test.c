/* Forecasting: the season is found, a compressed day is anticipated, quantiles are in order and
 * cover, the unknown is said, and a step costs little. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "controller/forecast/ensemble.h"
#include "proto/base/random.h"

#define DAY 120

static double demand(int64_t step, struct random *r)
{
    double sun = sin(2 * 3.14159265358979 * (double)step / DAY);

    return 60 + 50 * sun + 6 * (random_unit(r) - 0.5);
}

static void a_compressed_day_is_anticipated(void **state)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new(0);
    struct random r = { 3 };
    struct forecast f;
    double ours = 0, naive = 0;
    int covered = 0, n = 0;

    (void)state;
    for (int64_t t = 0; t < 4 * DAY; t++) {
        double x = demand(t, &r);

        ensemble_add(m, t, x);
        if (t < DAY + DAY / 2 || t + 16 >= 4 * DAY)
            continue;
        ensemble_forecast(m, 32, &f);
        assert_int_equal(f.n_steps, 32);
        assert_int_equal(f.first_step, t + 1);
        {
            struct random other = { (uint64_t)t };
            double truth = demand(t + 16, &other);

            ours += fabs(truth - (double)f.quantile[15][1]);
            naive += fabs(truth - x);
            covered += truth <= (double)f.quantile[15][3];
            n++;
        }
    }
    print_message("error %.2f of the naive, covered %d of %d, %s\n", ours / naive, covered, n,
                  f.why);
    assert_true(ours < 0.35 * naive);
    assert_in_range(covered * 100 / n, 85, 100);
    assert_non_null(strstr(f.why, "season of 120 steps"));
}

static void quantiles_are_in_order_and_not_negative(void **state)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new(0);
    struct random r = { 11 };
    struct forecast f;

    (void)state;
    for (int64_t t = 0; t < 700; t++) {
        double x = random_unit(&r) < 0.8 ? random_unit(&r) : 40 * random_unit(&r);

        ensemble_add(m, t, random_unit(&r) < 0.1 ? NAN : x);
        ensemble_forecast(m, FORECAST_STEPS_MAX, &f);
        for (uint32_t k = 0; k < f.n_steps; k++)
            for (uint32_t q = 0; q < FORECAST_QUANTILES; q++) {
                assert_true(f.quantile[k][q] >= 0 && isfinite(f.quantile[k][q]));
                assert_true(q == 0 || f.quantile[k][q] >= f.quantile[k][q - 1]);
            }
    }
    assert_true(forecast_peak(&f, 0.92, 0, 64) <= forecast_peak(&f, 0.95, 0, 64));
    assert_true(isnan(forecast_at(&f, 0.5, 64)));
}

static void it_says_when_it_does_not_know(void **state)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new(0);
    struct forecast f;
    struct random r = { 5 };
    int64_t t = 0;

    (void)state;
    ensemble_forecast(m, 8, &f);
    assert_int_equal(f.n_steps, 0);
    assert_non_null(strstr(f.why, "too little history"));
    for (; t < 100; t++)
        ensemble_add(m, t, 10 + random_unit(&r));
    ensemble_forecast(m, 8, &f);
    assert_int_equal(f.n_steps, 8);
    for (int i = 0; i < 9; i++, t++)
        ensemble_add(m, t, 10 * pow(1.6, i + 1));
    ensemble_forecast(m, 8, &f);
    assert_true(f.doubtful);
    assert_non_null(strstr(f.why, "above its forecast"));
    ensemble_add(m, t + 5, NAN);
    for (t += 6; t < 300; t++)
        ensemble_add(m, t, 10 + random_unit(&r));
    ensemble_forecast(m, 8, &f);
    assert_int_equal(f.n_steps, 8);
    assert_false(f.doubtful);
    ensemble_add(m, t + 4, NAN);
    ensemble_forecast(m, 8, &f);
    assert_int_equal(f.n_steps, 0);
}

/* A fall to a fifth that stays: nothing of it lies within what was forecast. */
static void a_fall_is_a_change_too(void **state)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new(0);
    struct random r = { 5 };
    struct forecast f;
    uint32_t doubtful = 0;

    (void)state;
    for (int64_t t = 0; t < 200; t++)
        ensemble_add(m, t, 100 + 10 * random_unit(&r));
    for (int64_t t = 200; t < 300; t++) {
        ensemble_add(m, t, (t < 220 ? 100 * pow(0.85, (double)(t - 199)) : 4) + random_unit(&r));
        ensemble_forecast(m, 8, &f);
        assert_true(!f.doubtful || strstr(f.why, "below its forecast"));
        doubtful += f.doubtful;
    }
    assert_in_range(doubtful, 3, 60);
    assert_false(f.doubtful); /* the new level is known */
}

/* Growth of an eighth a step, carried on for a day, is more than any demand: the member that says
 * so is not believed, though it was right until now. */
static void a_wild_leader_is_not_believed(void **state)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new(0);
    struct forecast f;
    uint32_t wild = 0;

    (void)state;
    for (int64_t t = 0; t < 150; t++) {
        ensemble_add(m, t, exp(0.12 * (double)t));
        ensemble_forecast(m, 24, &f);
        if (f.doubtful && strstr(f.why, "which it relied on, went wild"))
            wild++;
        for (uint32_t k = 0; k < f.n_steps; k++)
            assert_true(isfinite(f.quantile[k][4]));
    }
    assert_true(wild > 20);
}

/* More than any demand is missing; what is huge, yet possible, leaves every figure finite. */
static void absurd_demand_is_missing(void **state)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new(0);
    struct random r = { 5 };
    struct forecast f;

    (void)state;
    for (int64_t t = 0; t < 800; t++) {
        double x = t >= 400 && t % 7 == 5 ? 1e15 * random_unit(&r) : 10;

        ensemble_add(m, t, t % 7 == 3 ? 1e37 : x);
        ensemble_forecast(m, 24, &f);
        for (uint32_t k = 0; k < f.n_steps; k++)
            assert_true(t >= 400 ? isfinite(f.quantile[k][1]) && f.quantile[k][4] <= 2.01e15f
                                 : fabsf(f.quantile[k][4] - 10) < 0.5f);
    }
}

static void missing_is_not_zero(void **state)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new(0);
    struct forecast f;

    (void)state;
    for (int64_t t = 0; t < 200; t++)
        ensemble_add(m, t, t % 5 == 4 ? NAN : 50);
    ensemble_forecast(m, 4, &f);
    assert_int_equal(f.n_steps, 4);
    assert_true(fabsf(f.quantile[0][0] - 50) < 0.5f && fabsf(f.quantile[3][4] - 50) < 0.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_compressed_day_is_anticipated),
        cmocka_unit_test(quantiles_are_in_order_and_not_negative),
        cmocka_unit_test(it_says_when_it_does_not_know),
        cmocka_unit_test(a_fall_is_a_change_too),
        cmocka_unit_test(a_wild_leader_is_not_believed),
        cmocka_unit_test(absurd_demand_is_missing),
        cmocka_unit_test(missing_is_not_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
