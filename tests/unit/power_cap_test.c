/* power_cap_plan: shares, floors, ceilings, and when a cap is taken back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/power_cap_plan.h"
#include "proto/base/random.h"

#define W 1000000ull

static void a_cap_is_shared_by_size(void **state)
{
    struct power_cap_package p[] = { { .max_uw = 100 * W, .original_uw = 100 * W },
                                     { .max_uw = 300 * W, .original_uw = 300 * W } };

    (void)state;
    uint64_t sum = power_cap_plan(200 * W, p, 2);
    assert_true(sum <= 200 * W && sum > 199 * W);
    assert_true(p[0].limit_uw > 49 * W && p[0].limit_uw <= 50 * W);
    assert_true(p[1].limit_uw > 149 * W && p[1].limit_uw <= 150 * W);
}

static void what_one_may_not_use_another_may(void **state)
{
    struct power_cap_package p[] = { { .max_uw = 200 * W, .original_uw = 90 * W },
                                     { .max_uw = 200 * W, .original_uw = 200 * W } };

    (void)state;
    uint64_t sum = power_cap_plan(250 * W, p, 2);
    assert_int_equal(p[0].limit_uw, 90 * W);
    assert_true(p[1].limit_uw > 159 * W && sum <= 250 * W);
}

static void no_limit_at_all_is_an_original_too(void **state)
{
    struct power_cap_package p[] = { { .max_uw = 125 * W, .original_uw = 4095 * W } };

    (void)state;
    assert_int_equal(power_cap_plan(0, p, 1), 4095 * W);
    assert_int_equal(p[0].limit_uw, 4095 * W);
    (void)power_cap_plan(100 * W, p, 1);
    assert_true(p[0].limit_uw <= 100 * W && p[0].limit_uw > 99 * W);
    assert_int_equal(power_cap_plan(9000 * W, p, 1), 4095 * W);
    assert_int_equal(power_cap_plan(1, p, 1), 50 * W);
}

static void nothing_to_cap(void **state)
{
    (void)state;
    assert_int_equal(power_cap_plan(100 * W, NULL, 0), 0);
}

/* Any numbers: within floor and original, never above the cap but for the floors, and never lower
 * for a higher cap. */
static void any_plan_keeps_its_promises(void **state)
{
    struct random random = random_stream(3, 0, 0, 0);

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct power_cap_package p[8];
        size_t n = 1 + (size_t)random_below(&random, 8);
        uint64_t cap_uw = 1 + random_below(&random, 3000 * W), floors = 0;

        for (size_t i = 0; i < n; i++) {
            p[i].max_uw = random_below(&random, 10) == 0 ? random_below(&random, UINT64_MAX)
                                                         : random_below(&random, 400 * W);
            p[i].original_uw = random_below(&random, 500 * W);
        }
        uint64_t sum = power_cap_plan(cap_uw, p, n), again = 0;
        for (size_t i = 0; i < n; i++) {
            uint64_t max_uw = p[i].max_uw < 1000000 * W ? p[i].max_uw : 1000000 * W;
            uint64_t floor_uw = max_uw * POWER_CAP_FLOOR_PERCENT / 100;
            floor_uw = floor_uw < p[i].original_uw ? floor_uw : p[i].original_uw;
            assert_true(p[i].limit_uw >= floor_uw && p[i].limit_uw <= p[i].original_uw);
            floors += floor_uw;
            again += p[i].limit_uw;
        }
        assert_true(sum == again);
        assert_true(sum <= cap_uw || sum == floors);
        assert_true(power_cap_plan(cap_uw + 10 * W, p, n) >= sum);
    }
}

static void a_lost_controller_throttles_nobody(void **state)
{
    int64_t lost_ms = POWER_CAP_CONTROLLER_LOST_MS;

    (void)state;
    assert_int_equal(power_cap_wanted(90 * W, 5000, 5000 + lost_ms - 1, false), 90 * W);
    assert_int_equal(power_cap_wanted(90 * W, 5000, 5000 + lost_ms, false), 0);
    assert_int_equal(power_cap_wanted(90 * W, 5000, 5001, true), 0);
    assert_int_equal(power_cap_wanted(0, 5000, 5001, false), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cap_is_shared_by_size),
        cmocka_unit_test(what_one_may_not_use_another_may),
        cmocka_unit_test(no_limit_at_all_is_an_original_too),
        cmocka_unit_test(nothing_to_cap),
        cmocka_unit_test(any_plan_keeps_its_promises),
        cmocka_unit_test(a_lost_controller_throttles_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
