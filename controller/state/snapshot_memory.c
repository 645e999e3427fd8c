/* A bump arena of blocks. */
#include "controller/state/snapshot_memory.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define BLOCK_BYTES 65536u

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(max_align_t) unsigned char bytes[];
};

struct snapshot_memory {
    struct block *blocks;
    struct revision **revisions;
    size_t n_revisions, cap_revisions;
    struct intensity **intensities;
    size_t n_intensities, cap_intensities;
};

struct snapshot_memory *snapshot_memory_new(void)
{
    return xcalloc(1, sizeof(struct snapshot_memory));
}

void snapshot_memory_free(struct snapshot_memory *m)
{
    if (!m)
        return;
    for (struct block *b = m->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    for (size_t i = 0; i < m->n_revisions; i++)
        revision_unref(m->revisions[i]);
    free(m->revisions);
    for (size_t i = 0; i < m->n_intensities; i++)
        intensity_unref(m->intensities[i]);
    free(m->intensities);
    free(m);
}

void *snapshot_alloc(struct snapshot_memory *m, size_t n, size_t size)
{
    size_t wanted = (n * size + 15) & ~(size_t)15;
    struct block *b = m->blocks;
    void *p;

    if (wanted == 0)
        return NULL;
    if (!b || b->size - b->used < wanted) {
        size_t room = wanted > BLOCK_BYTES ? wanted : BLOCK_BYTES;

        b = xmalloc(sizeof(*b) + room);
        *b = (struct block){ .next = m->blocks, .size = room };
        m->blocks = b;
    }
    p = b->bytes + b->used;
    b->used += wanted;
    memset(p, 0, wanted);
    return p;
}

const char *snapshot_text(struct snapshot_memory *m, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    char *copy;

    if (n == 0)
        return "";
    copy = snapshot_alloc(m, n + 1, 1);
    memcpy(copy, text, n + 1);
    return copy;
}

const struct manifest *snapshot_object(struct snapshot_memory *m, struct revision *r)
{
    *ARRAY_ADD(m, revisions) = revision_ref(r);
    return r->object;
}

const struct intensity *snapshot_intensity(struct snapshot_memory *m, struct intensity *i)
{
    if (i)
        *ARRAY_ADD(m, intensities) = intensity_ref(i);
    return i;
}
