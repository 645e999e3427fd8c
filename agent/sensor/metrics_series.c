/* The series of a page: see metrics_series.h. */
#include "agent/sensor/metrics_series.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/base/array.h"

#define FIRST_CAP 64u
#define HASH_INIT 0xcbf29ce484222325ull

void metrics_series_done(struct metrics_series *set)
{
    free(set->table);
    *set = (struct metrics_series){ 0 };
}

static uint64_t hash_add(uint64_t hash, struct metrics_span s)
{
    for (size_t i = 0; i < s.n; i++)
        hash = (hash ^ (unsigned char)s.text[i]) * 0x100000001b3ull; /* FNV-1a */
    return (hash ^ s.n) * 0x100000001b3ull;
}

uint64_t metrics_series_hash(const struct metrics_sample *s, const char *without)
{
    uint64_t hash = hash_add(HASH_INIT, s->name);

    for (size_t i = 0; i < s->n_labels; i++) {
        if (!without || !metrics_span_is(s->label[i].name, without))
            hash += hash_add(hash_add(HASH_INIT, s->label[i].name), s->label[i].value);
    }
    return hash ? hash : 1;
}

/* The place of the hash: its own, or the empty one where it belongs. */
static uint64_t *place_of(uint64_t *table, size_t cap, uint64_t hash)
{
    size_t at = hash & (cap - 1);

    while (table[at] != 0 && table[at] != hash)
        at = (at + 1) & (cap - 1);
    return &table[at];
}

static void grow(struct metrics_series *set)
{
    size_t cap = set->cap ? set->cap * 2 : FIRST_CAP;
    uint64_t *table = xcalloc(cap, sizeof(*table));

    for (size_t i = 0; i < set->cap; i++) {
        if (set->table[i])
            *place_of(table, cap, set->table[i]) = set->table[i];
    }
    free(set->table);
    set->table = table;
    set->cap = cap;
}

int metrics_series_add(struct metrics_series *set, const struct metrics_sample *s, struct err *e)
{
    uint64_t hash = metrics_series_hash(s, NULL), *place;

    if (set->n * 2 >= set->cap)
        grow(set);
    place = place_of(set->table, set->cap, hash);
    if (*place == hash)
        return err_set(e, -EBADMSG, "%.*s is given twice with the same labels", (int)s->name.n,
                       s->name.text);
    if (set->n == METRICS_SERIES_MAX)
        return err_set(e, -EFBIG, "more than %u series of the preset's metrics",
                       METRICS_SERIES_MAX);
    *place = hash;
    set->n++;
    return 0;
}
