/* attribution: shares and rest are the node, exactly, whatever the numbers; and they are fair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/attribution.h"
#include "proto/base/random.h"

#define SHARES 40

static uint64_t absurd(struct random *r)
{
    static const uint64_t LIMITS[] = { 1, 2, 10, 1000, 1000000, 1000000000000, UINT64_MAX };

    return random_below(r, LIMITS[random_below(r, 7)]);
}

static void test_sums_to_the_node(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct random r = random_stream(seed, 2, 0, 0);
        struct attribution_node node = { .energy_uj = absurd(&r),
                                         .idle_uj = absurd(&r),
                                         .capacity_milli = absurd(&r),
                                         .busy_ns = absurd(&r) };
        struct attribution_share shares[SHARES] = { 0 };
        size_t n = random_below(&r, SHARES);
        uint64_t sum, left = node.energy_uj;

        for (size_t i = 0; i < n; i++)
            shares[i] =
                (struct attribution_share){ .reserved_milli = absurd(&r), .cpu_ns = absurd(&r) };
        sum = attribution_split(&node, shares, n);
        assert_true(sum <= left);
        left -= sum;
        for (size_t i = 0; i < n; i++) { /* taken away one by one: no sum can wrap unseen */
            assert_true(shares[i].idle_uj <= left);
            left -= shares[i].idle_uj;
            assert_true(shares[i].dynamic_uj <= left);
            left -= shares[i].dynamic_uj;
        }
        assert_int_equal(left, 0);
    }
}

static void test_by_reservation_and_by_use(void **state)
{
    struct attribution_node node = {
        .energy_uj = 3000000, .idle_uj = 2000000, .capacity_milli = 4000, .busy_ns = 1000
    };
    struct attribution_share shares[2] = { { .reserved_milli = 1000, .cpu_ns = 600 },
                                           { .reserved_milli = 2000, .cpu_ns = 200 } };

    (void)state;
    /* a quarter of the idle joules is nobody's, and a fifth of the dynamic ones */
    assert_int_equal(attribution_split(&node, shares, 2), 500000 + 200000);
    assert_int_equal(shares[0].idle_uj, 500000);
    assert_int_equal(shares[1].idle_uj, 1000000);
    assert_int_equal(shares[0].dynamic_uj, 600000);
    assert_int_equal(shares[1].dynamic_uj, 200000);
}

static void test_without_reservation(void **state)
{
    struct attribution_node node = { .energy_uj = 4000, .idle_uj = 4000, .capacity_milli = 4000 };
    struct attribution_share shares[3] = { { .reserved_milli = 2000 }, { 0 }, { 0 } };

    (void)state;
    assert_int_equal(attribution_split(&node, shares, 3), 0);
    assert_int_equal(shares[0].idle_uj, 2000);
    assert_int_equal(shares[1].idle_uj, 1000); /* equal parts of what is left */
    assert_int_equal(shares[2].idle_uj, 1000);
    node.capacity_milli = 0; /* unknown: they share all of it */
    shares[0].reserved_milli = 0;
    node.energy_uj = node.idle_uj = 3000;
    assert_int_equal(attribution_split(&node, shares, 3), 0);
    assert_int_equal(shares[2].idle_uj, 1000);
}

static void test_nobody_and_too_much(void **state)
{
    struct attribution_node node = { .energy_uj = 1000, .idle_uj = 9000, .capacity_milli = 1000 };
    struct attribution_share over[2] = { { .reserved_milli = 1500 }, { .reserved_milli = 500 } };

    (void)state;
    assert_int_equal(attribution_split(&node, NULL, 0), 1000);
    /* more reserved than there is: shares of what was reserved */
    assert_int_equal(attribution_split(&node, over, 2), 0);
    assert_int_equal(over[0].idle_uj, 750);
    assert_int_equal(over[1].idle_uj, 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_to_the_node),
        cmocka_unit_test(test_by_reservation_and_by_use),
        cmocka_unit_test(test_without_reservation),
        cmocka_unit_test(test_nobody_and_too_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
