/* Growing arrays of plain structs, and allocation that aborts when memory is exhausted (state is
 * durable, STYLE 13). An array is three fields in the owner's struct:
 *
 *     struct node *nodes; size_t n_nodes, cap_nodes;
 *     struct node *n = ARRAY_ADD(s, nodes);        // zeroed new last element of s->nodes
 *
 * Pointers into an array are valid until the next ARRAY_ADD on it. */
#ifndef HUDDLE_BASE_ARRAY_H
#define HUDDLE_BASE_ARRAY_H

#include <stddef.h>

/* malloc, realloc, calloc and strdup that abort instead of returning NULL. xstrdup(NULL) is NULL.
 */
void *xmalloc(size_t size);
void *xrealloc(void *p, size_t size);
void *xcalloc(size_t n, size_t size);
char *xstrdup(const char *text);

/* Makes room for one more element of `size` bytes and zeroes it; returns the (moved) array. */
void *array_grow(void *items, size_t n, size_t *cap, size_t size);

#define ARRAY_ADD(owner, field)                                                                \
    (__extension__({                                                                           \
        (owner)->field = array_grow((owner)->field, (owner)->n_##field, &(owner)->cap_##field, \
                                    sizeof(*(owner)->field));                                  \
        &(owner)->field[(owner)->n_##field++];                                                 \
    }))

/* Removes element i by moving the last one into its place (order is not kept). */
#define ARRAY_REMOVE_SWAP(owner, field, i) \
    ((void)((owner)->field[(i)] = (owner)->field[--(owner)->n_##field]))

#define ARRAY_FOREACH(item, owner, field)                    \
    for (__typeof__(&*(owner)->field) item = (owner)->field; \
         item && item < (owner)->field + (owner)->n_##field; item++)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* qsort_r() for what may well be in order already: to find that out costs a comparison an item. */
void array_sort(void *items, size_t n, size_t size,
                int (*compare)(const void *a, const void *b, void *data), void *data);

/* Ascending; none may be NAN. Several times as fast as qsort(): nothing is called for a comparison.
 */
void array_sort_doubles(double *items, size_t n);

/* For qsort() of doubles, ascending; none may be NAN. */
static inline int array_by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

#endif
