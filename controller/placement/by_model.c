/* Snapshots' models are sorted by name, and so are the items: one walk. */
#include "controller/placement/by_model.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

static char **name_of(char *item)
{
    return (char **)(void *)item;
}

void *by_model_follow(void *items, size_t n, size_t size, const struct snapshot *s,
                      void (*done)(void *item))
{
    char *now = xcalloc(s->n_models + 1, size), *old = items, *end = old ? old + n * size : NULL;

    for (uint32_t i = 0; i < s->n_models; i++) {
        for (; old != end && strcmp(*name_of(old), s->models[i].name) < 0; old += size)
            done(old);
        if (old != end && strcmp(*name_of(old), s->models[i].name) == 0) {
            memcpy(now + i * size, old, size);
            old += size;
        } else {
            *name_of(now + i * size) = xstrdup(s->models[i].name);
        }
    }
    for (; old != end; old += size)
        done(old);
    free(items);
    return now;
}
