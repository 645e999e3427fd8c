/* A bin takes the piece with the largest sum over dimensions of weight * size * what is left, the
 * sizes as shares; weights are the dimensions' scarcity to a power that varies from try to try, and
 * each piece's score gets a little noise. The first try has none. */
#include "controller/placement/bins_fill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/random.h"

#define RESTARTS 400u /* before bins are torn down */
#define TORN 3u

struct filler {
    const struct bins *b;
    struct random random;
    double scarcity[BINS_DIMENSIONS], weight[BINS_DIMENSIONS], power, noise;
    double *share; /* [kind][dimension] */
    uint64_t work;
};

struct state {
    uint32_t *count; /* [bin][kind] */
    uint32_t n_bins, cap_bins;
};

static void filler_init(struct filler *f, const struct bins *b)
{
    double most = 0;

    *f = (struct filler){ .b = b, .random = random_stream(3, b->n_kinds, 0, 0) };
    f->share = xcalloc((size_t)b->n_kinds * BINS_DIMENSIONS + 1, sizeof(*f->share));
    for (uint32_t d = 0; d < BINS_DIMENSIONS; d++) {
        for (uint32_t k = 0; k < b->n_kinds && b->capacity[d] > 0; k++) {
            double share = (double)b->kinds[k].size[d] / (double)b->capacity[d];

            f->share[(size_t)k * BINS_DIMENSIONS + d] = share;
            f->scarcity[d] += share * b->kinds[k].count;
        }
        most = fmax(most, f->scarcity[d]);
    }
    for (uint32_t d = 0; d < BINS_DIMENSIONS && most > 0; d++)
        f->scarcity[d] /= most;
}

static void vary(struct filler *f, uint32_t round)
{
    double power = round == 0 ? 1 : 3 * random_unit(&f->random);

    f->noise = round == 0 ? 0 : 0.05 + 0.1 * random_unit(&f->random);
    f->power = round == 0 ? 1 : 0.5 + 1.5 * random_unit(&f->random);
    for (uint32_t d = 0; d < BINS_DIMENSIONS; d++)
        f->weight[d] = f->scarcity[d] > 0 ? pow(f->scarcity[d], power) : 0;
}

static uint32_t pick(struct filler *f, const uint32_t *pool, const int64_t *left,
                     const double *pull)
{
    uint32_t best = UINT32_MAX;
    double most = -1;

    for (uint32_t k = 0; k < f->b->n_kinds; k++) {
        const int64_t *size = f->b->kinds[k].size;
        const double *share = &f->share[(size_t)k * BINS_DIMENSIONS];
        double score = 0;

        if (pool[k] == 0 || size[0] > left[0] || size[1] > left[1] || size[2] > left[2] ||
            size[3] > left[3])
            continue;
        for (uint32_t d = 0; d < BINS_DIMENSIONS; d++)
            score += share[d] * pull[d];
        if (f->noise > 0)
            score *= 1 + f->noise * (2 * random_unit(&f->random) - 1);
        if (score > most) {
            most = score;
            best = k;
        }
    }
    f->work += 8ull * f->b->n_kinds;
    return best;
}

/* Fills one bin from the pool; count[kind] is what it holds already. */
static bool fill_bin(struct filler *f, uint32_t *pool, uint32_t *count)
{
    int64_t left[BINS_DIMENSIONS];
    bool any = false;

    for (uint32_t d = 0; d < BINS_DIMENSIONS; d++) {
        left[d] = f->b->capacity[d];
        for (uint32_t k = 0; k < f->b->n_kinds; k++)
            left[d] -= f->b->kinds[k].size[d] * count[k];
    }
    for (;;) {
        double pull[BINS_DIMENSIONS];
        uint32_t k;

        for (uint32_t d = 0; d < BINS_DIMENSIONS; d++)
            pull[d] =
                f->b->capacity[d] > 0
                    ? f->weight[d] * pow((double)left[d] / (double)f->b->capacity[d], f->power)
                    : 0;
        k = pick(f, pool, left, pull);
        if (k == UINT32_MAX)
            return any;
        any = true;
        count[k]++;
        pool[k]--;
        for (uint32_t d = 0; d < BINS_DIMENSIONS; d++)
            left[d] -= f->b->kinds[k].size[d];
    }
}

static uint32_t *bin_of(const struct filler *f, const struct state *s, uint32_t bin)
{
    return s->count + (size_t)bin * f->b->n_kinds;
}

static uint32_t *add_bin(const struct filler *f, struct state *s)
{
    if (s->n_bins == s->cap_bins) {
        s->cap_bins = s->cap_bins ? 2 * s->cap_bins : 16;
        s->count = xrealloc(s->count, (size_t)s->cap_bins * f->b->n_kinds * sizeof(*s->count) + 1);
    }
    memset(bin_of(f, s, s->n_bins), 0, f->b->n_kinds * sizeof(*s->count));
    return bin_of(f, s, s->n_bins++);
}

static void fill_all(struct filler *f, uint32_t most, struct state *s)
{
    AUTO(mem) uint32_t *pool = xcalloc(f->b->n_kinds + 1, sizeof(*pool));

    for (uint32_t k = 0; k < f->b->n_kinds; k++)
        pool[k] = f->b->kinds[k].count;
    s->n_bins = 0;
    do { /* stops one bin after it is no better */
        if (s->n_bins >= most)
            return;
    } while (fill_bin(f, pool, add_bin(f, s)));
    s->n_bins--;
}

static void keep(const struct filler *f, const struct state *s, struct bins_packing *ret)
{
    ret->n_parts = 0;
    ret->n_bins = s->n_bins;
    for (uint32_t n = 0; n < s->n_bins; n++)
        for (uint32_t k = 0; k < f->b->n_kinds; k++)
            if (bin_of(f, s, n)[k] > 0)
                *ARRAY_ADD(ret, parts) = (struct bins_part){ n, k, bin_of(f, s, n)[k] };
}

/* --- tearing down -------------------------------------------------------------------------------
 */

static void load_state(const struct filler *f, const struct bins_packing *p, struct state *s)
{
    s->n_bins = 0;
    for (uint32_t n = 0; n < p->n_bins; n++)
        (void)add_bin(f, s);
    for (size_t i = 0; i < p->n_parts; i++)
        bin_of(f, s, p->parts[i].bin)[p->parts[i].kind] = p->parts[i].count;
}

/* How much there is of it: pieces that are hard to place weigh more. */
static double bulk(const struct filler *f, const uint32_t *pieces)
{
    double sum = 0;

    for (uint32_t k = 0; k < f->b->n_kinds; k++) {
        const double *share = &f->share[(size_t)k * BINS_DIMENSIONS];
        double size = 0;

        for (uint32_t d = 0; d < BINS_DIMENSIONS; d++)
            size = fmax(size, share[d] * f->scarcity[d]);
        sum += pieces[k] * size * size;
    }
    return sum;
}

static bool none(const struct filler *f, const uint32_t *pieces)
{
    for (uint32_t k = 0; k < f->b->n_kinds; k++)
        if (pieces[k] > 0)
            return false;
    return true;
}

/* Empties a few bins and fills them again from their pieces and the pool; kept when the pool is not
 * bulkier for it. True: the pool is empty. */
static bool tear(struct filler *f, struct state *s, uint32_t *pool, uint32_t *scratch)
{
    uint32_t n_kinds = f->b->n_kinds, torn[TORN], n = 2 + (uint32_t)random_below(&f->random, 2);
    uint32_t *rest = scratch, *before = scratch + n_kinds;
    size_t bytes = n_kinds * sizeof(*pool);

    n = n < s->n_bins ? n : s->n_bins;
    memcpy(rest, pool, bytes);
    for (uint32_t i = 0; i < n; i++) {
        torn[i] = (uint32_t)random_below(&f->random, s->n_bins);
        memcpy(before + (size_t)i * n_kinds, bin_of(f, s, torn[i]), bytes);
        for (uint32_t k = 0; k < n_kinds; k++) { /* the same bin twice: empty the second time */
            rest[k] += bin_of(f, s, torn[i])[k];
            bin_of(f, s, torn[i])[k] = 0;
        }
    }
    vary(f, 1);
    for (uint32_t i = 0; i < n; i++)
        (void)fill_bin(f, rest, bin_of(f, s, torn[i]));
    f->work += 40ull * n_kinds;
    if (bulk(f, rest) <= bulk(f, pool) + 1e-12) {
        memcpy(pool, rest, bytes);
        return none(f, pool);
    }
    for (uint32_t i = n; i-- > 0;)
        memcpy(bin_of(f, s, torn[i]), before + (size_t)i * n_kinds, bytes);
    return false;
}

static void tear_down(struct filler *f, uint32_t bound, uint64_t max_work, struct bins_packing *ret)
{
    AUTO(mem) uint32_t *pool = xcalloc(f->b->n_kinds + 1, sizeof(*pool));
    AUTO(mem)
    uint32_t *scratch = xcalloc((size_t)(1 + TORN) * f->b->n_kinds + 1, sizeof(*scratch));
    struct state s = { 0 };

    while (ret->n_bins > bound && f->work < max_work) {
        load_state(f, ret, &s);
        s.n_bins--;
        memcpy(pool, bin_of(f, &s, s.n_bins), f->b->n_kinds * sizeof(*pool));
        while (f->work < max_work && !tear(f, &s, pool, scratch))
            ;
        if (none(f, pool))
            keep(f, &s, ret);
    }
    free(s.count);
}

void bins_fill(const struct bins *b, uint32_t bound, uint64_t max_work, struct bins_packing *ret)
{
    struct filler f;
    struct state s = { 0 };

    filler_init(&f, b);
    for (uint32_t round = 0;
         round == 0 || (round < RESTARTS && ret->n_bins > bound && f.work < max_work / 2);
         round++) {
        vary(&f, round);
        fill_all(&f, round == 0 ? UINT32_MAX : ret->n_bins, &s);
        if (round == 0 || s.n_bins < ret->n_bins)
            keep(&f, &s, ret);
    }
    free(s.count);
    tear_down(&f, bound, max_work, ret);
    free(f.share);
}
