/* Counts by pair of numbers, e.g. replicas by (model, node): a hash table that grows. */
#ifndef HUDDLE_TALLY_H
#define HUDDLE_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct tally_slot {
    uint64_t key; /* a * 2^32 + b + 1; 0: free */
    int64_t count;
};

struct tally {
    struct tally_slot *slots;
    size_t n, cap; /* cap: a power of two */
};

void tally_done(struct tally *t);
int64_t tally_get(const struct tally *t, uint32_t a, uint32_t b);
int64_t tally_add(struct tally *t, uint32_t a, uint32_t b, int64_t by); /* the new count */

/* Makes room for so many pairs at once, instead of again and again as they come. */
void tally_expect(struct tally *t, size_t pairs);

#endif
