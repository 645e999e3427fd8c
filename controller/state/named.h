/* A set of named things, ascending by name: what snapshots and listings need, and found by binary
 * search. Things begin with `char *name`; the set borrows them. Adding in ascending order is O(1).
 */
#ifndef HUDDLE_NAMED_H
#define HUDDLE_NAMED_H

#include <stddef.h>

struct named {
    char *name;
};

struct named_set {
    struct named **items;
    size_t n_items, cap_items;
};

/* The position of `name`, or where it would have to be put; *ret_found says which. */
size_t named_position(const struct named_set *s, const char *name, int *ret_found);
void *named_find(const struct named_set *s, const char *name); /* or NULL */
void named_add(struct named_set *s, void *thing);              /* its name is not in the set */
void named_remove(struct named_set *s, const char *name);
void named_done(struct named_set *s); /* the set, not the things */

#endif
