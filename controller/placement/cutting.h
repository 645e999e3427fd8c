/* The cutting-stock problem: pieces of a few sizes, cut from rolls of one capacity, with as few
 * rolls as can be. Its linear relaxation by column generation (Gilmore and Gomory, "A linear
 * programming approach to the cutting-stock problem", 1961) is the strongest affordable bound: for
 * almost every instance the optimum is its ceiling. Pure; all effort is counted. */
#ifndef HUDDLE_CUTTING_H
#define HUDDLE_CUTTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/random.h"

#define CUTTING_CAPACITY_MAX 8192u

struct cutting_entry {
    uint32_t item, count;
};

struct cutting_column { /* one way to cut a roll: entries[first .. first + n) */
    size_t first;
    uint32_t n, slack;
};

struct cutting {
    const uint32_t *size; /* per item, 1..capacity; borrowed */
    uint32_t n_items, capacity;
    struct cutting_entry *entries;
    size_t n_entries, cap_entries;
    struct cutting_column *columns; /* columns[i], i < n_items: only pieces of item i */
    size_t n_columns, cap_columns;
    struct random random;
    uint64_t work, max_work; /* innermost operations done and allowed; about 1e9 a second */
};

/* `pieces` are the demands from which columns are drawn to begin with. */
void cutting_init(struct cutting *c, const uint32_t *size, uint32_t n_items, uint32_t capacity,
                  const uint32_t *pieces, uint64_t max_work);
void cutting_done(struct cutting *c);

struct cutting_use {
    size_t column;
    double times; /* > 0 */
};

struct cutting_relaxed {
    double rolls, bound;      /* of the best solution so far; no cutting needs less than `bound` */
    bool optimal;             /* else the work ran out, or `enough` was reached */
    struct cutting_use *uses; /* the basis, by item */
    uint32_t n_uses;
    double *prices; /* per item: of one more piece, in rolls */
};
void cutting_relaxed_done(struct cutting_relaxed *r);

/* The relaxation for a demand per item. Stops early when the bound's ceiling reaches `enough`. A
 * column counts as cut down to the demand. */
void cutting_relax(struct cutting *c, const uint32_t *demand, uint32_t enough,
                   struct cutting_relaxed *ret);

/* At least so many rolls: the ceiling, rounding errors allowed for. */
uint32_t cutting_ceil(double rolls);

/* Looks for a cutting into at most `target` rolls: whole parts of the relaxation are fixed, then
 * one more column at a time, with the relaxation solved again and, when it shows that the target
 * is lost, the next column instead (limited backtracking). `root` is the relaxation of the whole
 * demand, `noise` varies the choice. True: ret_times[column] (an array of n_columns, the caller
 * frees) covers the demand. */
bool cutting_dive(struct cutting *c, const uint32_t *demand, const struct cutting_relaxed *root,
                  uint32_t target, double noise, uint32_t **ret_times);

#endif
