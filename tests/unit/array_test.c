/* Sorting, beside the library's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/random.h"

#define MOST 300u

static int by_value(const void *a, const void *b, void *compared)
{
    ++*(size_t *)compared;
    return array_by_double(a, b);
}

static void draw(struct random *r, double *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        items[i] = (double)random_below(r, 40) - 20; /* many are equal */
}

static void sorted_is_as_by_the_library(void **state)
{
    struct random r = random_stream(5, 0, 0, 0);
    double wanted[MOST], own[MOST], called[MOST];

    (void)state;
    for (uint32_t n = 0; n < MOST; n++) {
        size_t compared = 0;

        draw(&r, wanted, n);
        memcpy(own, wanted, sizeof(own));
        memcpy(called, wanted, sizeof(called));
        qsort(wanted, n, sizeof(*wanted), array_by_double);
        array_sort_doubles(own, n);
        array_sort(called, n, sizeof(*called), by_value, &compared);
        assert_memory_equal(own, wanted, n * sizeof(*own));
        assert_memory_equal(called, wanted, n * sizeof(*called));
    }
}

static void what_is_in_order_costs_a_comparison_an_item(void **state)
{
    double items[MOST];
    size_t compared = 0;

    (void)state;
    for (uint32_t i = 0; i < MOST; i++)
        items[i] = i / 3;
    array_sort(items, MOST, sizeof(*items), by_value, &compared);
    assert_int_equal(compared, MOST - 1);
    items[MOST - 1] = -1; /* found by the last one */
    array_sort(items, MOST, sizeof(*items), by_value, &compared);
    assert_true(items[0] < 0 && compared > 3 * MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_is_as_by_the_library),
        cmocka_unit_test(what_is_in_order_costs_a_comparison_an_item),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
