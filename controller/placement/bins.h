/* Vector bin packing into equal bins: pieces of a few kinds, as few bins as can be, and a bound.
 *
 * Where one dimension is the scarcest for every piece, the problem is one-dimensional and is solved
 * by cutting.h. Else bins are filled one by one with the piece that goes best with what is left
 * (Panigrahy, Talwar, Uyeda, Wieder, "Heuristics for vector bin packing", 2011), many times over
 * with varied weights, and then torn down and filled again a few at a time (ruin and recreate,
 * Schrimpf et al. 2000). Pure, all effort is counted, equal input gives equal output. */
#ifndef HUDDLE_BINS_H
#define HUDDLE_BINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BINS_DIMENSIONS 4u
#define BINS_KINDS_MAX 600u /* beyond, memory for kinds^2 and kinds * bins is too much */

struct bins_kind {
    int64_t size[BINS_DIMENSIONS]; /* 0..capacity */
    uint32_t count;
};

struct bins {
    int64_t capacity[BINS_DIMENSIONS]; /* 0: nothing has any of it */
    const struct bins_kind *kinds;     /* borrowed */
    uint32_t n_kinds;
};

struct bins_part {
    uint32_t bin, kind, count;
};

struct bins_packing {
    struct bins_part *parts; /* by bin */
    size_t n_parts, cap_parts;
    uint32_t n_bins, bound; /* no packing needs fewer than `bound` */
};
void bins_packing_done(struct bins_packing *p);

/* No packing needs fewer bins; by volume alone when there are more than BINS_KINDS_MAX kinds. Looks
 * no further once `enough` is reached. */
uint32_t bins_bound(const struct bins *b, uint32_t enough, uint64_t max_work);

/* A packing of all pieces; the search ends when it is proven the best or when max_work (innermost
 * operations, about 2e9 a second) is done; 0: one quick packing. Every kind
 * fits an empty bin; at most BINS_KINDS_MAX kinds. */
void bins_pack(const struct bins *b, uint64_t max_work, struct bins_packing *ret);

#endif
