/* Quantiles of the newest latencies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "controller/substrate/latency_window.h"

static void quantiles_are_samples(void **state)
{
    struct latency_window w = { 0 };

    (void)state;
    for (int i = 1; i <= 100; i++)
        latency_window_add(&w, 0, i * 37 % 101); /* 1 to 100 in another order */
    assert_true(latency_window_quantile(&w, 0, 0.5) == 50);
    assert_true(latency_window_quantile(&w, 0, 0.99) == 99);
    assert_true(latency_window_quantile(&w, 0, 1) == 100);
    assert_true(latency_window_quantile(&w, 0, 0.001) == 1);
}

/* Of 300, three are expected above the 0.99 quantile and six may be there by chance: the bound is
 * at rank ceil(300 (0.99 - 1.645 sqrt(0.99 0.01 / 300))) = ceil(294.17) = 295. */
static void chance_is_no_slow_service(void **state)
{
    struct latency_window w = { 0 };

    (void)state;
    for (int i = 1; i <= 300; i++)
        latency_window_add(&w, 0, i * 37 % 301);
    assert_true(latency_window_quantile(&w, 0, 0.99) == 297);
    assert_true(latency_window_at_least(&w, 0, 0.99) == 295);
    assert_true(isnan(latency_window_at_least(&w, LATENCY_WINDOW_MS + 1, 0.99)));
}

static void one_sample_is_every_quantile(void **state)
{
    struct latency_window w = { 0 };

    (void)state;
    latency_window_add(&w, 5, 7.5);
    assert_true(latency_window_quantile(&w, 5, 0.01) == 7.5);
    assert_true(latency_window_quantile(&w, 5, 0.99) == 7.5);
    assert_true(latency_window_at_least(&w, 5, 0.99) == 7.5);
}

static void what_is_old_does_not_count(void **state)
{
    struct latency_window w = { 0 };

    (void)state;
    assert_true(isnan(latency_window_quantile(&w, 0, 0.5)));
    latency_window_add(&w, 0, 1000);
    latency_window_add(&w, 1000, 10);
    assert_true(latency_window_quantile(&w, LATENCY_WINDOW_MS, 1) == 1000);
    assert_true(latency_window_quantile(&w, LATENCY_WINDOW_MS + 1, 1) == 10);
    assert_true(isnan(latency_window_quantile(&w, LATENCY_WINDOW_MS + 1001, 1)));
}

static void the_newest_stay(void **state)
{
    struct latency_window w = { 0 };

    (void)state;
    for (unsigned i = 0; i < 3 * LATENCY_SAMPLES + 5; i++)
        latency_window_add(&w, 0, i);
    assert_true(latency_window_quantile(&w, 0, 1) == 3 * LATENCY_SAMPLES + 4);
    assert_true(latency_window_quantile(&w, 0, 1e-6) == 2 * LATENCY_SAMPLES + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chance_is_no_slow_service),
        cmocka_unit_test(quantiles_are_samples),
        cmocka_unit_test(one_sample_is_every_quantile),
        cmocka_unit_test(what_is_old_does_not_count),
        cmocka_unit_test(the_newest_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
