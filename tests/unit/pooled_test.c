/* The demand of all models as one series: what is counted, what is missing, when it begins anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "controller/placement/pooled.h"
#include "tests/unit/brain_world.h"

#define STEPS 100

struct bench {
    struct world w;
    struct series past[2];
    const struct series *of[2];
    struct pooled pooled;
};

/* Two nodes of 8 CPUs and 16 GiB; both models of ten req/s a replica, of 2 and of 4 CPUs. */
static struct bench *bench_new(void)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    world_init(&b->w, 2, 2);
    b->w.specs[1].resources.cpu_milli = 4000;
    for (uint32_t m = 0; m < 2; m++)
        b->of[m] = &b->past[m];
    return b;
}

static void bench_free(struct bench *b)
{
    pooled_done(&b->pooled);
    free(b);
}

static double newest(struct bench *b)
{
    struct snapshot *s = world_snapshot(&b->w);
    const struct series *sum;

    pooled_observe(&b->pooled, s, b->of);
    free(s);
    sum = ensemble_series(b->pooled.forecaster);
    return (double)series_at(sum, sum->last);
}

static void tell(struct bench *b, int64_t step, double x, double y)
{
    (void)series_push(&b->past[0], step, x);
    (void)series_push(&b->past[1], step, y);
}

static bool near(double x, double y)
{
    return fabs(x - y) < 1e-6;
}

static void a_model_counts_by_its_dominant_share(void **state)
{
    struct bench *b = bench_new();
    double share[2];
    struct snapshot *s;

    (void)state;
    b->w.specs[0].resources.memory_bytes = (int64_t)8 << 30;
    s = world_snapshot(&b->w);
    pooled_shares(s, share);
    free(s);
    assert_true(near(share[0], 8.0 / 32) && near(share[1], 4.0 / 16));
    b->w.specs[0].resources.memory_bytes = (int64_t)1 << 30;
    tell(b, 0, 10, 30);
    assert_true(near(newest(b), 1 * 2.0 / 16 + 3 * 4.0 / 16));
    bench_free(b);
}

static void a_small_model_may_be_unseen_and_a_large_one_not(void **state)
{
    struct bench *b = bench_new();

    (void)state;
    tell(b, 0, 1, 30);
    tell(b, 1, NAN, 30);
    assert_true(near(newest(b), .1 * 2.0 / 16 + 3 * 4.0 / 16));
    tell(b, 2, 1, NAN);
    assert_true(isnan(newest(b)));
    tell(b, 3, 1, 40);
    assert_true(near(newest(b), .1 * 2.0 / 16 + 4 * 4.0 / 16));
    bench_free(b);
}

/* A model's capacity is found to be half: the past needs twice as much, too. */
static void another_measure_counts_the_past_anew(void **state)
{
    struct bench *b = bench_new();
    const struct series *sum;

    (void)state;
    for (int64_t k = 0; k < STEPS; k++)
        tell(b, k, 10, 30);
    (void)newest(b);
    b->w.models[1].capacity = 9.9; /* what counts nearly the same goes on */
    (void)newest(b);
    sum = ensemble_series(b->pooled.forecaster);
    assert_true(near((double)series_at(sum, 5), 1 * 2.0 / 16 + 3 * 4.0 / 16));
    b->w.models[1].capacity = 5;
    (void)newest(b);
    sum = ensemble_series(b->pooled.forecaster);
    assert_int_equal(sum->n, STEPS);
    assert_true(near((double)series_at(sum, 5), 1 * 2.0 / 16 + 6 * 4.0 / 16));
    bench_free(b);
}

/* What surges by turns surges little together. */
static void the_sum_is_known_better_than_its_parts(void **state)
{
    struct bench *b = bench_new();
    struct random r = random_stream(1, 0, 0, 0);
    struct ensemble *alone = ensemble_new(1000);
    struct forecast *one = xcalloc(1, sizeof(*one)), *all = xcalloc(1, sizeof(*all));
    double above, of_it;

    (void)state;
    b->w.specs[1].resources.cpu_milli = 2000;
    for (int64_t k = 0; k < 10 * STEPS; k++) {
        double x = random_unit(&r) < 0.5 ? 20 : 40;

        tell(b, k, x, 60 - x);
        ensemble_add(alone, k, x);
    }
    (void)newest(b);
    ensemble_forecast(alone, 10, one);
    pooled_forecast(&b->pooled, 10, all);
    above = forecast_at(one, 0.99, 5) - 30;
    of_it = forecast_at(all, 0.99, 5) / (6 * 2.0 / 16);
    assert_true(above > 5);
    assert_true(of_it > 0.98 && of_it < 1.05);
    free(one);
    free(all);
    ensemble_free(alone);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_counts_by_its_dominant_share),
        cmocka_unit_test(a_small_model_may_be_unseen_and_a_large_one_not),
        cmocka_unit_test(another_measure_counts_the_past_anew),
        cmocka_unit_test(the_sum_is_known_better_than_its_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
