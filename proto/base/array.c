/* Growing arrays and aborting allocation: see array.h. */
#include "proto/base/array.h"

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
