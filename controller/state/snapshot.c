/* The life of a snapshot: one allocation list, freed by whoever drops the last reference, on any
 * thread. It must never be changed once it was handed out. */
#include "controller/state/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "controller/state/snapshot_memory.h"

const char *node_state_name(enum node_state s)
{
    static const char *const names[] = {
        "unmanaged", "awake",  "draining", "empty",       "preparing",   "sleeping",
        "asleep",    "waking", "held",     "unreachable", "quarantined",
    };

    return (size_t)s < sizeof(names) / sizeof(names[0]) ? names[s] : "unknown";
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    __atomic_add_fetch(&s->references, 1, __ATOMIC_RELAXED);
    return s;
}

void snapshot_unref(struct snapshot *s)
{
    if (!s || __atomic_sub_fetch(&s->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    snapshot_memory_free(s->memory);
    free(s);
}

uint32_t snapshot_node(const struct snapshot *s, const char *name)
{
    uint32_t low = 0, high = s->n_nodes;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(s->nodes[middle].name, name);

        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NO_INDEX;
}

uint32_t snapshot_model(const struct snapshot *s, const char *name)
{
    uint32_t low = 0, high = s->n_models;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(s->models[middle].name, name);

        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NO_INDEX;
}
