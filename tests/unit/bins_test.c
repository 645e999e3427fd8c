/* Equal bins: nothing is overfilled or lost, the bound never exceeds the optimum, found by trying
 * everything on small instances, and the packing seldom misses it. The relaxation against values
 * worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/bins.h"
#include "controller/placement/cutting.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

#define KINDS 6
#define PIECES 9

struct trial {
    struct bins_kind kinds[KINDS];
    struct bins bins;
    uint32_t piece[PIECES], n_pieces;
    int64_t left[PIECES][BINS_DIMENSIONS];
    uint32_t best;
};

static bool put_in(struct trial *t, uint32_t kind, uint32_t bin, int sign)
{
    for (uint32_t d = 0; d < BINS_DIMENSIONS && sign > 0; d++)
        if (t->kinds[kind].size[d] > t->left[bin][d])
            return false;
    for (uint32_t d = 0; d < BINS_DIMENSIONS; d++)
        t->left[bin][d] -= sign * t->kinds[kind].size[d];
    return true;
}

static void search(struct trial *t, uint32_t at, uint32_t used)
{
    if (used >= t->best)
        return;
    if (at == t->n_pieces) {
        t->best = used;
        return;
    }
    for (uint32_t n = 0; n <= used && n < PIECES; n++) {
        if (n == used)
            memcpy(t->left[n], t->bins.capacity, sizeof(t->left[n]));
        if (!put_in(t, t->piece[at], n, 1))
            continue;
        search(t, at + 1, n == used ? used + 1 : used);
        (void)put_in(t, t->piece[at], n, -1);
    }
}

static void trial_init(struct trial *t, uint64_t seed, uint32_t dimensions)
{
    struct random r = random_stream(seed, dimensions, 1, 2);

    *t = (struct trial){ .n_pieces = 4 + (uint32_t)random_below(&r, PIECES - 3),
                         .best = PIECES + 1 };
    t->bins = (struct bins){ .kinds = t->kinds, .n_kinds = KINDS };
    for (uint32_t d = 0; d < dimensions; d++)
        t->bins.capacity[d] = 10 + (int64_t)random_below(&r, 90);
    for (uint32_t k = 0; k < KINDS; k++)
        for (uint32_t d = 0; d < dimensions; d++) /* halves and thirds are the hard ones */
            t->kinds[k].size[d] =
                t->bins.capacity[d] * (int64_t)(15 + random_below(&r, 45)) / 100 + 1;
    for (uint32_t i = 0; i < t->n_pieces; i++) {
        t->piece[i] = (uint32_t)random_below(&r, KINDS);
        t->kinds[t->piece[i]].count++;
    }
    search(t, 0, 0);
}

/* Every piece once, no bin overfull, bins numbered without a gap. */
static void check_packing(const struct trial *t, const struct bins_packing *p)
{
    int64_t sum[PIECES + 1][BINS_DIMENSIONS] = { { 0 } };
    uint32_t placed[KINDS] = { 0 };

    for (size_t i = 0; i < p->n_parts; i++) {
        const struct bins_part *part = &p->parts[i];

        assert_true(part->bin < p->n_bins && part->count > 0);
        placed[part->kind] += part->count;
        for (uint32_t d = 0; d < BINS_DIMENSIONS; d++)
            sum[part->bin][d] += t->kinds[part->kind].size[d] * part->count;
    }
    for (uint32_t k = 0; k < KINDS; k++)
        assert_int_equal(placed[k], t->kinds[k].count);
    for (uint32_t n = 0; n < p->n_bins; n++)
        for (uint32_t d = 0; d < BINS_DIMENSIONS; d++)
            assert_true(sum[n][d] <= t->bins.capacity[d]);
}

static void bound_optimum_and_packing_are_in_order(void **state)
{
    uint32_t all = 0, tight = 0, optimal = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct trial t;
        struct bins_packing p;

        trial_init(&t, seed, 1 + (uint32_t)(seed % BINS_DIMENSIONS));
        bins_pack(&t.bins, 2000000, &p);
        check_packing(&t, &p);
        assert_true(p.bound <= t.best && t.best <= p.n_bins);
        assert_true(bins_bound(&t.bins, UINT32_MAX, 2000000) <= t.best);
        all++;
        tight += p.bound == t.best;
        optimal += p.n_bins == t.best;
        bins_packing_done(&p);
    }
    print_message("of %u: the packing optimal %u, the bound tight %u\n", all, optimal, tight);
    assert_true(optimal == all && tight * 10 >= all * 8);
}

static void without_work_it_still_packs(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct trial t;
        struct bins_packing p;

        trial_init(&t, seed, 1 + (uint32_t)(seed % BINS_DIMENSIONS));
        bins_pack(&t.bins, 0, &p);
        check_packing(&t, &p);
        assert_true(p.bound <= t.best && t.best <= p.n_bins);
        bins_packing_done(&p);
    }
}

static void equal_input_equal_output(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct trial t;
        struct bins_packing p[2];

        trial_init(&t, seed, 1 + (uint32_t)(seed % BINS_DIMENSIONS));
        bins_pack(&t.bins, 1000000, &p[0]);
        bins_pack(&t.bins, 1000000, &p[1]);
        assert_int_equal(p[0].n_parts, p[1].n_parts);
        assert_memory_equal(p[0].parts, p[1].parts, p[0].n_parts * sizeof(*p[0].parts));
        bins_packing_done(&p[0]);
        bins_packing_done(&p[1]);
    }
}

/* Rolls of 10, pieces of 6, 4 and 3: (6,4) once per 6; what is left of 4 and 3 is cut as (4,3,3)
 * and (3,3,3). With 10 of 6, 14 of 4 and 9 of 3: 10 + x + y, x = 4, y = (9 - 8)/3. */
static void relaxation_by_hand(void **state)
{
    static const uint32_t size[] = { 6, 4, 3 }, pieces[] = { 10, 14, 9 };
    struct cutting c;
    struct cutting_relaxed r;
    double sum = 0;

    (void)state;
    cutting_init(&c, size, 3, 10, pieces, 1000000);
    cutting_relax(&c, pieces, UINT32_MAX, &r);
    assert_true(r.optimal);
    assert_true(fabs(r.bound - (10 + 4 + 1.0 / 3)) < 1e-6);
    for (uint32_t i = 0; i < r.n_uses; i++)
        sum += r.uses[i].times;
    assert_true(fabs(sum - r.bound) < 1e-6);
    cutting_relaxed_done(&r);
    cutting_done(&c);
}

/* Triplets that fill their bin to the last unit: volume says nothing, mixtures must be found. */
static void triplets_are_found(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct random r = random_stream(seed, 7, 7, 7);
        struct bins_kind kinds[120];
        struct bins b = { .capacity = { 1000 }, .kinds = kinds, .n_kinds = 120 };
        struct bins_packing p;

        for (uint32_t i = 0; i < 40; i++) {
            int64_t first = 380 + (int64_t)random_below(&r, 111);
            int64_t second = 250 + (int64_t)random_below(&r, (uint64_t)((1000 - first) / 2 - 250));

            kinds[3 * i] = (struct bins_kind){ { first }, 1 };
            kinds[3 * i + 1] = (struct bins_kind){ { second }, 1 };
            kinds[3 * i + 2] = (struct bins_kind){ { 1000 - first - second }, 1 };
        }
        bins_pack(&b, 800000000, &p);
        assert_int_equal(p.bound, 40);
        assert_int_equal(p.n_bins, 40);
        bins_packing_done(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bound_optimum_and_packing_are_in_order),
        cmocka_unit_test(without_work_it_still_packs),
        cmocka_unit_test(equal_input_equal_output),
        cmocka_unit_test(relaxation_by_hand),
        cmocka_unit_test(triplets_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
