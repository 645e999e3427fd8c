/* Shared by the files of wire: an arena that bounds what a message may cost, the checks of single
 * fields, and the parts of a Report. Only wire*.c include this; only they see the generated code.
 */
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

/* The error is of a field below the one named here: its path goes before it ("replicas[3]" before
 * "port: ..." gives "replicas[3].port: ..."). Returns code. */
int check_below(struct err *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Each returns 0 or -EBADMSG with "name: what is wrong" in e. NULL strings count as "". */
int check_name(const char *text, const char *field, struct err *e);
int check_required(const char *text, const char *field, struct err *e);
int check_text(const char *text, const char *field,
               struct err *e); /* line feeds and tabs allowed */
int check_names(const char *const *list, size_t n, const char *field, struct err *e);
int check_pairs(const struct wire_pair *list, size_t n, const char *field, struct err *e);
int check_count(size_t n, size_t most, const char *field, struct err *e);
int check_range(uint64_t value, uint64_t most, const char *field, struct err *e);
int check_moment(int64_t ms, const char *field, struct err *e);   /* from 0 to WIRE_MOMENT_MAX_MS */
int check_amount(double value, const char *field, struct err *e); /* finite, not negative */

static inline const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* --- between plain and generated structs ------------------------------------------------------
 */

/* n new generated messages of `type` and pointers to them; items stay to be filled in. */
#define NEW_LIST(arena, type, INIT, n, ret_list)               \
    (__extension__({                                           \
        type *items_ = arena_array(arena, n, sizeof(*items_)); \
        type **list_ = arena_array(arena, n, sizeof(*list_));  \
        bool made_ = items_ && list_;                          \
        for (size_t i_ = 0; made_ && i_ < (n); i_++) {         \
            items_[i_] = (type)INIT;                           \
            list_[i_] = &items_[i_];                           \
        }                                                      \
        (ret_list) = list_;                                    \
        made_;                                                 \
    }))

/* Generated structs hold char *, though packing only reads. */
static inline char *lend(const char *text)
{
    return (char *)(uintptr_t)text_or_empty(text);
}

/* A newer peer's enum value is unknown here: unspecified. */
static inline unsigned known(unsigned value, unsigned last)
{
    return value <= last ? value : 0;
}

/* --- parts of a Report ------------------------------------------------------------------------
 */

/* Checks: 0 or -EBADMSG. `put` fills in the message, `take` the plain struct, which borrows from
 * the message; false when the arena's budget is used up. */
int wire_replica_check(const struct wire_replica *p, struct err *e);
int wire_replicas_check_lists(const Huddle__V1__Report *in, struct err *e);
bool wire_replicas_put(struct arena *a, const struct wire_report *p, Huddle__V1__Report *out);
bool wire_replicas_take(struct arena *a, const Huddle__V1__Report *in, struct wire_report *p);

int wire_inventory_check(const struct wire_inventory *v, struct err *e);
bool wire_inventory_put(struct arena *a, const struct wire_inventory *v, Huddle__V1__Report *out);
bool wire_inventory_take(struct arena *a, const Huddle__V1__Inventory *in, struct wire_report *p);

#endif
