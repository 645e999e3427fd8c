/* Shared by the files of wire: an arena that bounds what a message may cost, and the checks of
 * single fields. Only wire*.c include this; only they see the generated code. */
#ifndef HUDDLE_WIRE_PRIVATE_H
#define HUDDLE_WIRE_PRIVATE_H

#include "proto/huddle.pb-c.h"
#include "proto/wire.h"

/* Bump allocation, freed at once. Zero-initialise with `budget`; what would pass it fails (NULL).
 * It is also protobuf-c's allocator, so that a hostile message of n bytes cannot cost more than the
 * budget. */
struct arena {
    struct arena_block *blocks;
    size_t left; /* in the newest block */
    size_t budget;
    ProtobufCAllocator allocator;
};

void arena_init(struct arena *a, size_t budget);
void arena_done(struct arena *a);
void *arena_alloc(struct arena *a, size_t size);           /* not zeroed; NULL past the budget */
void *arena_array(struct arena *a, size_t n, size_t size); /* zeroed; NULL past the budget */

/* The budget for a message of n bytes: what an honest one needs, several times over. */
#define WIRE_ARENA_BUDGET(n) ((size_t)(1u << 20) + 24 * (size_t)(n))

/* Each returns 0 or -EBADMSG with "name: what is wrong" in e. NULL strings count as "". */
int check_name(const char *text, const char *field, struct err *e);
int check_required(const char *text, const char *field, struct err *e);
int check_text(const char *text, const char *field,
               struct err *e); /* line feeds and tabs allowed */
int check_names(const char *const *list, size_t n, const char *field, struct err *e);
int check_pairs(const struct wire_pair *list, size_t n, const char *field, struct err *e);
int check_count(size_t n, size_t most, const char *field, struct err *e);
int check_range(uint64_t value, uint64_t most, const char *field, struct err *e);
int check_amount(double value, const char *field, struct err *e); /* finite, not negative */

static inline const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

#endif
