/* service_counters: raw counters that start over, histograms that change, and what is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "agent/service_counters.h"

static struct metrics page(uint64_t requests)
{
    return (struct metrics){ .requests_known = true, .requests = requests };
}

static void take(struct service_counters *c, struct metrics m)
{
    service_counters_take(c, &m);
}

static void test_started_here_counts_from_zero(void **state)
{
    struct service_counters c = { 0 };

    (void)state;
    service_counters_started(&c);
    take(&c, page(7));
    take(&c, page(9));
    assert_int_equal(c.requests.total, 9);
    take(&c, page(2)); /* it started over unseen */
    assert_int_equal(c.requests.total, 11);
    service_counters_started(&c);
    take(&c, page(2));
    assert_int_equal(c.requests.total, 13);
    service_counters_zero(&c);
    take(&c, page(5));
    assert_int_equal(c.requests.total, 3);
}

static void test_adopted_counts_from_its_first_page(void **state)
{
    struct service_counters c = { 0 };

    (void)state;
    take(&c, page(1000));
    assert_int_equal(c.requests.total, 0);
    take(&c, page(1004));
    assert_int_equal(c.requests.total, 4);
}

static void test_absent_is_not_zero(void **state)
{
    struct service_counters c = { 0 };
    struct metrics m = { .in_flight_known = true, .in_flight = 3 };

    (void)state;
    service_counters_started(&c);
    take(&c, page(10));
    take(&c, m); /* a page without requests */
    assert_false(c.requests_known);
    assert_true(c.in_flight_known && c.in_flight == 3);
    take(&c, page(15));
    assert_int_equal(c.requests.total, 15);
    assert_false(c.in_flight_known);
}

static struct metrics histogram(double bound_ms, uint64_t below, uint64_t total, double sum_ms)
{
    struct metrics m = { .latency_known = true };

    m.latency.n = 1;
    m.latency.bound_ms[0] = bound_ms;
    m.latency.count[0] = below;
    m.latency.total = total;
    m.latency.sum_ms = sum_ms;
    return m;
}

static void assert_latency(struct service_counters *c, double bound_ms, uint64_t below,
                           uint64_t total, double sum_ms)
{
    struct wire_histogram h;

    service_counters_latency(c, &h);
    assert_int_equal(h.n, 1);
    assert_true(h.bound_ms[0] == bound_ms);
    assert_int_equal(h.count[0], below);
    assert_int_equal(h.total, total);
    assert_true(fabs(h.sum_ms - sum_ms) < 1e-9);
}

static void test_histograms(void **state)
{
    struct service_counters c = { 0 };
    struct wire_histogram none;

    (void)state;
    service_counters_latency(&c, &none);
    assert_int_equal(none.n + none.total, 0);
    service_counters_started(&c);
    take(&c, histogram(100, 3, 4, 500));
    assert_latency(&c, 100, 3, 4, 500);
    take(&c, histogram(100, 5, 9, 900));
    assert_latency(&c, 100, 5, 9, 900);
    take(&c, histogram(100, 1, 1, 20)); /* started over */
    assert_latency(&c, 100, 6, 10, 920);
    service_counters_zero(&c);
    take(&c, histogram(100, 2, 3, 50));
    assert_latency(&c, 100, 1, 2, 30);
    take(&c, histogram(250, 7, 8, 90)); /* other buckets: nothing can be added to the old ones */
    assert_latency(&c, 250, 0, 0, 0);
    take(&c, histogram(250, 8, 10, 100));
    assert_latency(&c, 250, 1, 2, 10);
}

static void two(struct service_counters *c, uint64_t first, uint64_t second, uint64_t total)
{
    struct metrics m = { .latency_known = true };

    m.latency.n = 2;
    m.latency.bound_ms[0] = 10;
    m.latency.bound_ms[1] = 20;
    m.latency.count[0] = first;
    m.latency.count[1] = second;
    m.latency.total = total;
    take(c, m);
}

/* A page may be wrong: the report must stay one that can be sent. */
static void test_histograms_that_lie(void **state)
{
    struct service_counters c = { 0 };
    struct wire_histogram h;

    (void)state;
    service_counters_started(&c);
    two(&c, 1, 5, 5);
    two(&c, 5, 5, 5); /* four moved to another bucket */
    service_counters_latency(&c, &h);
    assert_int_equal(h.count[0], 1);
    assert_int_equal(h.count[1], 5);
    two(&c, 6, 7, 8); /* from there on it is believed again */
    service_counters_latency(&c, &h);
    assert_int_equal(h.count[0], 2);
    assert_int_equal(h.count[1], 7);
    assert_int_equal(h.total, 8);
    two(&c, 0, 0, UINT64_MAX - 2); /* the sum overflows */
    service_counters_latency(&c, &h);
    assert_true(h.n == 0 || h.count[1] <= h.total);
}

static void test_histogram_without_a_sum(void **state)
{
    struct service_counters c = { 0 };

    (void)state;
    service_counters_started(&c);
    take(&c, histogram(100, 3, 4, NAN));
    assert_latency(&c, 100, 3, 4, 0); /* finite on the wire */
    take(&c, histogram(100, 3, 5, 10));
    assert_latency(&c, 100, 3, 5, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_started_here_counts_from_zero),
        cmocka_unit_test(test_adopted_counts_from_its_first_page),
        cmocka_unit_test(test_absent_is_not_zero),
        cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_histograms_that_lie),
        cmocka_unit_test(test_histogram_without_a_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
