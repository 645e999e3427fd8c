/* See product.h. The two ways differ in where the sums stand, not in what is added to them when. */
#include "controller/forecast/product.h"

#include <stdint.h>
#include <string.h>

#define LANES 8u

/* Not inlined: gcc 12 makes a slower loop of it then. */
__attribute__((noinline)) static void add_scaled(float *restrict sum, const float *restrict row,
                                                 float x)
{
    for (uint32_t u = 0; u < PRODUCT_UNITS; u++)
        sum[u] += x * row[u];
}

void product_multiply_plain(const struct product *p)
{
    memset(p->out, 0, p->rows * sizeof(*p->out));
    for (size_t j = 0; j < p->n; j++)
        for (size_t r = 0; r < p->rows; r++)
            add_scaled(p->out[r], p->term[j], p->x[r * p->by_row + j * p->by_sum]);
}

#if defined(__x86_64__)
/* The same with the sums in registers. A vector holds units that are beside each other: its width
 * changes no bit. */
#define WITH_AVX2 __attribute__((target("avx2")))

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef lanes lanes_at __attribute__((aligned(4), may_alias)); /* where floats stand */

WITH_AVX2 static void four_rows(const struct product *p, size_t r, uint32_t u)
{
    const float *x0 = p->x + r * p->by_row, *x1 = x0 + p->by_row, *x2 = x1 + p->by_row,
                *x3 = x2 + p->by_row;
    lanes a0 = { 0 }, a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;

    for (size_t j = 0, at = 0; j < p->n; j++, at += p->by_sum) {
        const lanes_at *term = (const lanes_at *)&p->term[j][u];
        lanes t0 = term[0], t1 = term[1];

        a0 += x0[at] * t0;
        a1 += x0[at] * t1;
        b0 += x1[at] * t0;
        b1 += x1[at] * t1;
        c0 += x2[at] * t0;
        c1 += x2[at] * t1;
        d0 += x3[at] * t0;
        d1 += x3[at] * t1;
    }
    ((lanes_at *)&p->out[r][u])[0] = a0;
    ((lanes_at *)&p->out[r][u])[1] = a1;
    ((lanes_at *)&p->out[r + 1][u])[0] = b0;
    ((lanes_at *)&p->out[r + 1][u])[1] = b1;
    ((lanes_at *)&p->out[r + 2][u])[0] = c0;
    ((lanes_at *)&p->out[r + 2][u])[1] = c1;
    ((lanes_at *)&p->out[r + 3][u])[0] = d0;
    ((lanes_at *)&p->out[r + 3][u])[1] = d1;
}

WITH_AVX2 static void one_row(const struct product *p, size_t r, uint32_t u)
{
    const float *x = p->x + r * p->by_row;
    lanes_at *out = (lanes_at *)&p->out[r][u];
    lanes a = { 0 }, b = a, c = a, d = a;

    for (size_t j = 0, at = 0; j < p->n; j++, at += p->by_sum) {
        const lanes_at *term = (const lanes_at *)&p->term[j][u];

        a += x[at] * term[0];
        b += x[at] * term[1];
        c += x[at] * term[2];
        d += x[at] * term[3];
    }
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

WITH_AVX2 static void multiply_wide(const struct product *p)
{
    size_t r = 0;

    for (; r + 4 <= p->rows; r += 4)
        for (uint32_t u = 0; u < PRODUCT_UNITS; u += 2 * LANES)
            four_rows(p, r, u);
    for (; r < p->rows; r++)
        for (uint32_t u = 0; u < PRODUCT_UNITS; u += 4 * LANES)
            one_row(p, r, u);
}

void product_multiply(const struct product *p)
{
    (__builtin_cpu_supports("avx2") ? multiply_wide : product_multiply_plain)(p);
}
#else
void product_multiply(const struct product *p)
{
    product_multiply_plain(p);
}
#endif
