/* Growing arrays and aborting allocation: see array.h. */
#include "proto/base/array.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p)
        abort();
    return p;
}

void *xrealloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);

    if (!q)
        abort();
    return q;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        abort();
    return p;
}

char *xstrdup(const char *text)
{
    size_t n;

    if (!text)
        return NULL;
    n = strlen(text) + 1;
    return memcpy(xmalloc(n), text, n);
}

void *array_grow(void *items, size_t n, size_t *cap, size_t size)
{
    if (n >= *cap) {
        size_t more = *cap ? *cap + *cap / 2 + 1 : 8;

        if (more > SIZE_MAX / size)
            abort();
        items = xrealloc(items, more * size);
        *cap = more;
    }
    memset((char *)items + n * size, 0, size);
    return items;
}

/* --- sorting ------------------------------------------------------------------------------------
 */

#define RUN 8u /* items that are sorted by insertion */

void array_sort(void *items, size_t n, size_t size,
                int (*compare)(const void *a, const void *b, void *data), void *data)
{
    const char *item = items;

    for (size_t i = 1; i < n; i++, item += size)
        if (compare(item, item + size, data) > 0) {
            qsort_r(items, n, size, compare, data);
            return;
        }
}

static void insert_runs(double *items, size_t n)
{
    for (size_t from = 0; from < n; from += RUN) {
        size_t to = from + RUN < n ? from + RUN : n;

        for (size_t i = from + 1; i < to; i++) {
            double x = items[i];
            size_t at = i;

            for (; at > from && items[at - 1] > x; at--)
                items[at] = items[at - 1];
            items[at] = x;
        }
    }
}

/* Runs in [from, middle) and [middle, to) become one in `out`. */
static void merge_runs(const double *in, size_t from, size_t middle, size_t to, double *out)
{
    size_t a = from, b = middle;

    for (size_t k = from; k < to; k++) {
        bool first = b == to || (a < middle && in[a] <= in[b]);

        out[k] = first ? in[a] : in[b];
        a += first;
        b += !first;
    }
}

static bool ascends(const double *items, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (items[i - 1] > items[i])
            return false;
    return true;
}

void array_sort_doubles(double *items, size_t n)
{
    double *in = items, *out, *scratch;

    if (ascends(items, n))
        return;
    out = scratch = xmalloc(n * sizeof(*out));
    insert_runs(items, n);
    for (size_t width = RUN; width < n; width *= 2) {
        double *swapped = in;

        for (size_t from = 0; from < n; from += 2 * width)
            merge_runs(in, from, from + width < n ? from + width : n,
                       from + 2 * width < n ? from + 2 * width : n, out);
        in = out;
        out = swapped;
    }
    if (in != items)
        memcpy(items, in, n * sizeof(*items));
    free(scratch);
}
