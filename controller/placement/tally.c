/* Open addressing; pairs are never removed, their counts fall to 0. */
#include "controller/placement/tally.h"

#include <stdlib.h>

#include "proto/base/array.h"
#include "proto/base/random.h"

#define CAP_MIN 64u /* a power of two, as all */

void tally_done(struct tally *t)
{
    free(t->slots);
    *t = (struct tally){ 0 };
}

static struct tally_slot *find(const struct tally *t, uint64_t key)
{
    size_t at = random_mix(key) & (t->cap - 1);

    while (t->slots[at].key != 0 && t->slots[at].key != key)
        at = (at + 1) & (t->cap - 1);
    return &t->slots[at];
}

static uint64_t key_of(uint32_t a, uint32_t b)
{
    return ((uint64_t)a << 32 | b) + 1;
}

int64_t tally_get(const struct tally *t, uint32_t a, uint32_t b)
{
    return t->cap ? find(t, key_of(a, b))->count : 0;
}

static void grow(struct tally *t, size_t cap)
{
    struct tally bigger = { .cap = cap, .n = t->n };

    bigger.slots = xcalloc(bigger.cap, sizeof(*bigger.slots));
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i].key)
            *find(&bigger, t->slots[i].key) = t->slots[i];
    free(t->slots);
    *t = bigger;
}

void tally_expect(struct tally *t, size_t pairs)
{
    size_t cap = CAP_MIN;

    while (cap < 2 * pairs)
        cap *= 2;
    if (cap > t->cap)
        grow(t, cap);
}

int64_t tally_add(struct tally *t, uint32_t a, uint32_t b, int64_t by)
{
    struct tally_slot *s;

    if (2 * (t->n + 1) > t->cap)
        grow(t, t->cap ? 2 * t->cap : CAP_MIN);
    s = find(t, key_of(a, b));
    if (s->key == 0) {
        s->key = key_of(a, b);
        t->n++;
    }
    s->count += by;
    return s->count;
}
