/* Products against their definition, to the bit: the way that this processor takes, and the plain
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "controller/forecast/product.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

#define ROWS_MOST 11u
#define TERMS_MOST 40u

/* Of very different sizes: another order of a sum would show. */
static float draw(struct random *r)
{
    static const float scales[] = { 1e-4f, 1, 3e3f };

    return scales[random_below(r, ARRAY_LEN(scales))] * (float)(2 * random_unit(r) - 1);
}

static void by_definition(const struct product *p)
{
    for (size_t r = 0; r < p->rows; r++)
        for (size_t u = 0; u < PRODUCT_UNITS; u++) {
            volatile float sum = 0; /* no sum is held more exactly */

            for (size_t j = 0; j < p->n; j++) {
                volatile float product = p->x[r * p->by_row + j * p->by_sum] * p->term[j][u];

                sum = sum + product;
            }
            p->out[r][u] = sum;
        }
}

static void each_sum_is_taken_in_its_order(void **state)
{
    static float x[ROWS_MOST * TERMS_MOST], term[TERMS_MOST][PRODUCT_UNITS];
    static float wanted[ROWS_MOST + 1][PRODUCT_UNITS], got[ROWS_MOST + 1][PRODUCT_UNITS];
    static void (*const ways[])(const struct product *) = { product_multiply,
                                                            product_multiply_plain };
    struct random r = random_stream(7, 0, 0, 0);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(x); i++)
        x[i] = draw(&r);
    for (size_t i = 0; i < TERMS_MOST * PRODUCT_UNITS; i++)
        term[i / PRODUCT_UNITS][i % PRODUCT_UNITS] = draw(&r);
    for (uint32_t k = 0; k < 200; k++) {
        bool across = k % 2;
        struct product p = { .rows = random_below(&r, ROWS_MOST + 1),
                             .n = random_below(&r, TERMS_MOST + 1),
                             .x = x,
                             .by_row = across ? 1 : TERMS_MOST,
                             .by_sum = across ? ROWS_MOST : 1,
                             .term = (const float(*)[PRODUCT_UNITS])term };

        for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
            memset(wanted, 0xa5, sizeof(wanted));
            memset(got, 0xa5, sizeof(got)); /* nothing is written behind the rows */
            p.out = wanted;
            by_definition(&p);
            p.out = got;
            ways[i](&p);
            assert_memory_equal(got, wanted, sizeof(got));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sum_is_taken_in_its_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
