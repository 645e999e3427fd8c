/* Products of matrices with rows of 128 units, in single precision. Each sum is taken in its order,
 * one unit beside the other: the same bits whatever the processor and the compiler. With AVX2,
 * where the processor has it, sums stay in registers; which way it is costs nothing to find out
 * beside a product. Pure. */
#ifndef HUDDLE_PRODUCT_H
#define HUDDLE_PRODUCT_H

#include <stddef.h>

#define PRODUCT_UNITS 128u

/* out[r][u] becomes the sum over j < n of x times term[j][u], in the order of j, where x stands at
 * x[r * by_row + j * by_sum]. Borrows all; out overlaps nothing. */
struct product {
    float (*out)[PRODUCT_UNITS];
    size_t rows, n;
    const float *x;
    size_t by_row, by_sum;
    const float (*term)[PRODUCT_UNITS];
};

void product_multiply(const struct product *p);

/* The same without AVX2. */
void product_multiply_plain(const struct product *p);

#endif
