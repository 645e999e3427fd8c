/* The bounds, and the way through the one-dimensional search. */
#include "controller/placement/bins.h"

#include <math.h>
#include <stdlib.h>

#include "controller/placement/bins_fill.h"
#include "controller/placement/cutting.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define NOISE 0.4

void bins_packing_done(struct bins_packing *p)
{
    free(p->parts);
    p->parts = NULL;
}

/* --- one dimension ------------------------------------------------------------------------------
 */

struct line { /* a dimension in small whole units */
    uint32_t *size, *pieces, capacity;
    uint32_t n_kinds;
    uint32_t *kind; /* of the item */
    bool exact;
};

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* The item of that size; a new one where there is none or where kinds are to be told apart. */
static uint32_t item_of(struct line *l, uint32_t size, bool apart)
{
    for (uint32_t i = 0; i < l->n_kinds && !apart; i++)
        if (l->size[i] == size)
            return i;
    l->size[l->n_kinds] = size;
    return l->n_kinds++;
}

/* Exact where the grid allows; else rounded down (for a bound, where kinds of one size are one
 * item) or up (for a packing). Kinds without a size are left out. */
static void line_init(struct line *l, const struct bins *b, uint32_t d, bool up)
{
    int64_t unit = b->capacity[d], cells;

    for (uint32_t k = 0; k < b->n_kinds; k++)
        unit = common_divisor(unit, b->kinds[k].size[d]);
    cells = b->capacity[d] / unit;
    *l = (struct line){ .size = xcalloc(b->n_kinds + 1, sizeof(*l->size)),
                        .pieces = xcalloc(b->n_kinds + 1, sizeof(*l->pieces)),
                        .kind = xcalloc(b->n_kinds + 1, sizeof(*l->kind)) };
    l->exact = cells <= CUTTING_CAPACITY_MAX;
    l->capacity = cells <= CUTTING_CAPACITY_MAX ? (uint32_t)cells : CUTTING_CAPACITY_MAX;
    for (uint32_t k = 0; k < b->n_kinds; k++) {
        double share = (double)b->kinds[k].size[d] / (double)b->capacity[d] * l->capacity;
        double size = cells <= CUTTING_CAPACITY_MAX ? nearbyint(share)
                      : up                          ? ceil(share)
                                                    : floor(share);
        uint32_t item;

        if (b->kinds[k].count == 0 || (size < 1 && !up))
            continue;
        item = item_of(l, size < 1 ? 1 : (uint32_t)size, up);
        l->pieces[item] += b->kinds[k].count;
        l->kind[item] = k;
    }
}

static void line_done(struct line *l)
{
    free(l->size);
    free(l->pieces);
    free(l->kind);
}

/* A dimension of which every piece needs at least as large a share as of any other, and something;
 * BINS_DIMENSIONS: there is none. */
static uint32_t scarcest(const struct bins *b)
{
    for (uint32_t d = 0; d < BINS_DIMENSIONS; d++) {
        bool all = b->capacity[d] > 0;

        for (uint32_t k = 0; all && k < b->n_kinds; k++)
            for (uint32_t e = 0; e < BINS_DIMENSIONS; e++) {
                double mine = (double)b->kinds[k].size[d] * (double)b->capacity[e];

                all = all && b->kinds[k].size[d] > 0 &&
                      (double)b->kinds[k].size[e] * (double)b->capacity[d] <= mine;
            }
        if (all)
            return d;
    }
    return BINS_DIMENSIONS;
}

/* --- bounds -------------------------------------------------------------------------------------
 */

static uint32_t by_volume(const struct bins *b, uint32_t d)
{
    double sum = 0;

    for (uint32_t k = 0; k < b->n_kinds; k++)
        sum += (double)b->kinds[k].size[d] * b->kinds[k].count;
    return (uint32_t)ceil(sum / (double)b->capacity[d] - 1e-9);
}

static uint32_t by_relaxation(const struct bins *b, uint32_t d, uint32_t enough, uint64_t max_work)
{
    struct cutting_relaxed relaxed;
    struct cutting c;
    struct line l;
    uint32_t bound;

    line_init(&l, b, d, false);
    cutting_init(&c, l.size, l.n_kinds, l.capacity, l.pieces, max_work);
    cutting_relax(&c, l.pieces, enough, &relaxed);
    bound = cutting_ceil(relaxed.bound);
    cutting_relaxed_done(&relaxed);
    cutting_done(&c);
    line_done(&l);
    return bound;
}

uint32_t bins_bound(const struct bins *b, uint32_t enough, uint64_t max_work)
{
    uint32_t best = 0, only = scarcest(b);

    for (uint32_t d = 0; d < BINS_DIMENSIONS; d++)
        if (b->capacity[d] > 0) {
            uint32_t here = by_volume(b, d);

            best = here > best ? here : best;
        }
    for (uint32_t d = 0; d < BINS_DIMENSIONS && best < enough && b->n_kinds <= BINS_KINDS_MAX; d++)
        if (b->capacity[d] > 0 && (only == BINS_DIMENSIONS || only == d)) {
            uint32_t here = by_relaxation(b, d, enough, max_work);

            best = here > best ? here : best;
        }
    return best;
}

/* --- packing ------------------------------------------------------------------------------------
 */

/* Rolls become bins; what a column has beyond the demand is left out. */
static void write_rolls(const struct cutting *c, const struct line *l, const uint32_t *times,
                        struct bins_packing *ret)
{
    AUTO(mem) uint32_t *left = xcalloc(l->n_kinds + 1, sizeof(*left));

    for (uint32_t i = 0; i < l->n_kinds; i++)
        left[i] = l->pieces[i];
    ret->n_parts = 0;
    ret->n_bins = 0;
    for (size_t k = 0; k < c->n_columns; k++)
        for (uint32_t t = 0; t < times[k]; t++) {
            bool any = false;

            for (uint32_t i = 0; i < c->columns[k].n; i++) {
                const struct cutting_entry *e = &c->entries[c->columns[k].first + i];
                uint32_t n = e->count < left[e->item] ? e->count : left[e->item];

                if (n == 0)
                    continue;
                *ARRAY_ADD(ret, parts) = (struct bins_part){ ret->n_bins, l->kind[e->item], n };
                left[e->item] -= n;
                any = true;
            }
            ret->n_bins += any;
        }
}

static void pack_line(const struct bins *b, uint32_t d, uint64_t max_work, struct bins_packing *ret)
{
    struct cutting_relaxed root;
    struct cutting c;
    struct line l;
    uint64_t root_work;

    line_init(&l, b, d, true);
    cutting_init(&c, l.size, l.n_kinds, l.capacity, l.pieces, max_work);
    cutting_relax(&c, l.pieces, UINT32_MAX, &root);
    root_work = c.work;
    if (l.exact && cutting_ceil(root.bound) > ret->bound)
        ret->bound = cutting_ceil(root.bound);
    for (uint32_t round = 0; ret->n_bins > ret->bound && root.optimal && c.work < max_work;
         round++) {
        bool near = round % 2 == 0 || ret->n_bins == ret->bound + 1;
        uint64_t before = c.work;
        uint32_t *times = NULL;

        if (round >= 2 && root_work < max_work / 20) { /* another vertex */
            cutting_relaxed_done(&root);
            cutting_relax(&c, l.pieces, UINT32_MAX, &root);
        }
        if (cutting_dive(&c, l.pieces, &root, near ? ret->bound : ret->bound + 1,
                         round < 2 ? 0 : NOISE, &times))
            write_rolls(&c, &l, times, ret);
        free(times);
        if (c.work == before && round > 0)
            break;
    }
    cutting_relaxed_done(&root);
    cutting_done(&c);
    line_done(&l);
}

void bins_pack(const struct bins *b, uint64_t max_work, struct bins_packing *ret)
{
    uint32_t only = scarcest(b);

    *ret = (struct bins_packing){ 0 };
    bins_fill(b, UINT32_MAX, 0, ret);
    ret->bound =
        bins_bound(b, max_work == 0 || only < BINS_DIMENSIONS ? 0 : ret->n_bins, max_work / 4);
    if (ret->n_bins > ret->bound && max_work > 0) {
        if (only < BINS_DIMENSIONS)
            pack_line(b, only, max_work, ret);
        else
            bins_fill(b, ret->bound, max_work / 4 * 3, ret); /* its operations take longer */
    }
}
