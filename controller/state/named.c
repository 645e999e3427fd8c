/* A sorted vector of pointers. It never owns what it points to. */
#include "controller/state/named.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

size_t named_position(const struct named_set *s, const char *name, int *ret_found)
{
    size_t low = 0, high = s->n_items;

    *ret_found = 0;
    if (high > 0 && strcmp(s->items[high - 1]->name, name) < 0)
        return high; /* ascending input: straight to the end */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(s->items[middle]->name, name);

        if (order == 0) {
            *ret_found = 1;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void *named_find(const struct named_set *s, const char *name)
{
    int found;
    size_t at = named_position(s, name, &found);

    return found ? s->items[at] : NULL;
}

void named_add(struct named_set *s, void *thing)
{
    struct named *item = thing;
    int found;
    size_t at = named_position(s, item->name, &found);

    (void)ARRAY_ADD(s, items);
    memmove(s->items + at + 1, s->items + at, (s->n_items - 1 - at) * sizeof(s->items[0]));
    s->items[at] = item;
}

void named_remove(struct named_set *s, const char *name)
{
    int found;
    size_t at = named_position(s, name, &found);

    if (!found)
        return;
    memmove(s->items + at, s->items + at + 1, (s->n_items - at - 1) * sizeof(s->items[0]));
    s->n_items--;
}

void named_done(struct named_set *s)
{
    free(s->items);
    *s = (struct named_set){ 0 };
}
