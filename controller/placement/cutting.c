/* Columns and the relaxation: a revised simplex with a dense inverse. Demands are perturbed against
 * degeneracy; known columns are priced first, then the knapsack by dynamic programming. Any dual
 * prices scaled down to the knapsack's value are a bound (Farley, 1990), so that a search that is
 * cut short still says something. Cost: items^2 a pivot, items * capacity a knapsack. */
#include "controller/placement/cutting.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define EPS 1e-9
#define PERTURB 0.002
#define PREMIUM 0.02
#define DRAWN_PER_ITEM 2u

uint32_t cutting_ceil(double rolls)
{
    return rolls <= 0 ? 0 : (uint32_t)ceil(rolls - 1e-6);
}

/* --- columns ------------------------------------------------------------------------------------
 */

static void begin_column(struct cutting *c)
{
    struct cutting_column *k = ARRAY_ADD(c, columns);

    k->first = c->n_entries;
    k->slack = c->capacity;
}

static void add_entry(struct cutting *c, uint32_t item, uint32_t count)
{
    struct cutting_column *k = &c->columns[c->n_columns - 1];

    *ARRAY_ADD(c, entries) = (struct cutting_entry){ item, count };
    k->n++;
    k->slack -= count * c->size[item];
}

/* A full roll with one piece of the item, others as they come, and the best end. */
static void draw_column(struct cutting *c, uint32_t item, const uint32_t *pieces, uint32_t *count)
{
    uint32_t left = c->capacity - c->size[item], misses = 0;

    memset(count, 0, c->n_items * sizeof(*count));
    count[item] = 1;
    while (misses < 8) {
        uint32_t i = (uint32_t)random_below(&c->random, c->n_items);

        if (c->size[i] > left || count[i] >= pieces[i]) {
            misses++;
            continue;
        }
        count[i]++;
        left -= c->size[i];
    }
    for (;;) {
        uint32_t best = UINT32_MAX;

        for (uint32_t i = 0; i < c->n_items; i++)
            if (c->size[i] <= left && count[i] < pieces[i] &&
                (best == UINT32_MAX || c->size[i] > c->size[best]))
                best = i;
        if (best == UINT32_MAX)
            break;
        count[best]++;
        left -= c->size[best];
    }
    c->work += 4ull * c->n_items;
    begin_column(c);
    for (uint32_t i = 0; i < c->n_items; i++)
        if (count[i] > 0)
            add_entry(c, i, count[i]);
}

void cutting_init(struct cutting *c, const uint32_t *size, uint32_t n_items, uint32_t capacity,
                  const uint32_t *pieces, uint64_t max_work)
{
    AUTO(mem) uint32_t *count = xcalloc(n_items + 1, sizeof(*count));

    *c = (struct cutting){ .size = size,
                           .n_items = n_items,
                           .capacity = capacity,
                           .random = random_stream(1, n_items, capacity, 0),
                           .max_work = max_work };
    for (uint32_t i = 0; i < n_items; i++) {
        begin_column(c);
        add_entry(c, i, capacity / size[i]);
    }
    for (uint32_t i = 0; i < n_items; i++)
        for (uint32_t k = 0; k < DRAWN_PER_ITEM && pieces[i] > 0; k++)
            draw_column(c, i, pieces, count);
}

void cutting_done(struct cutting *c)
{
    free(c->entries);
    free(c->columns);
    c->entries = NULL;
    c->columns = NULL;
}

void cutting_relaxed_done(struct cutting_relaxed *r)
{
    free(r->uses);
    free(r->prices);
    r->uses = NULL;
    r->prices = NULL;
}

/* --- simplex ------------------------------------------------------------------------------------
 */

#define SURPLUS SIZE_MAX
#define BOUGHT (SIZE_MAX - 1) /* single pieces at a little more than their share of a roll */

struct simplex {
    struct cutting *c;
    const uint32_t *demand;
    uint32_t *row_of, *item_of; /* item to row (UINT32_MAX: none wanted) and back */
    uint32_t m;
    double *inverse; /* m x m */
    double *x, *price, *right, *column, *value;
    size_t *basis; /* column, or SURPLUS */
    uint8_t *taken;
    size_t cap_taken;
};

static uint32_t trimmed(const struct simplex *s, const struct cutting_entry *e)
{
    return e->count < s->demand[e->item] ? e->count : s->demand[e->item];
}

static double worth(const struct simplex *s, size_t column)
{
    const struct cutting_column *k = &s->c->columns[column];
    double sum = 0;

    for (uint32_t i = 0; i < k->n; i++) {
        const struct cutting_entry *e = &s->c->entries[k->first + i];

        if (s->row_of[e->item] != UINT32_MAX)
            sum += trimmed(s, e) * s->price[s->row_of[e->item]];
    }
    return sum;
}

/* Pieces bought one by one hold the prices near the pieces' shares of a roll, where the optimum is
 * near (stabilisation after du Merle et al. 1999). */
static void begin(struct simplex *s)
{
    for (uint32_t i = 0; i < s->m; i++) {
        uint32_t item = s->item_of[i];

        s->basis[i] = BOUGHT;
        s->right[i] = s->demand[item] * (1 + PERTURB * random_unit(&s->c->random));
        s->inverse[(size_t)i * s->m + i] = 1;
        s->x[i] = s->right[i];
        s->price[i] = (1 + PREMIUM) * s->c->size[item] / s->c->capacity;
    }
}

/* Nothing is bought any more: what still is becomes rolls of one item. False: nothing was. */
static bool end_buying(struct simplex *s)
{
    bool any = false;

    for (uint32_t i = 0; i < s->m; i++) {
        uint32_t item = s->item_of[i];
        double each = trimmed(s, &s->c->entries[s->c->columns[item].first]);

        if (s->basis[i] != BOUGHT)
            continue;
        any = true;
        s->basis[i] = item;
        s->x[i] /= each;
        for (uint32_t j = 0; j < s->m; j++)
            s->inverse[(size_t)i * s->m + j] /= each;
    }
    for (uint32_t j = 0; any && j < s->m; j++)
        s->price[j] = 0;
    for (uint32_t i = 0; any && i < s->m; i++)
        for (uint32_t j = 0; s->basis[i] != SURPLUS && j < s->m; j++)
            s->price[j] += s->inverse[(size_t)i * s->m + j];
    s->c->work += (uint64_t)s->m * s->m;
    return any;
}

/* Brings a column (or the surplus of a row) into the basis; `gain`: what it is worth beyond its
 * cost. */
static bool pivot(struct simplex *s, size_t column, uint32_t surplus_row, double gain)
{
    uint32_t m = s->m, out = UINT32_MAX;
    double least = INFINITY, scale;
    double *row;

    memset(s->column, 0, m * sizeof(*s->column));
    if (column == SURPLUS)
        for (uint32_t i = 0; i < m; i++)
            s->column[i] = -s->inverse[(size_t)i * m + surplus_row];
    for (uint32_t k = 0; column != SURPLUS && k < s->c->columns[column].n; k++) {
        const struct cutting_entry *e = &s->c->entries[s->c->columns[column].first + k];
        uint32_t r = s->row_of[e->item];

        for (uint32_t i = 0; r != UINT32_MAX && i < m; i++)
            s->column[i] += trimmed(s, e) * s->inverse[(size_t)i * m + r];
    }
    for (uint32_t i = 0; i < m; i++)
        if (s->column[i] > 1e-7 && s->x[i] / s->column[i] < least) {
            least = s->x[i] / s->column[i];
            out = i;
        }
    s->c->work += (uint64_t)m * m;
    if (out == UINT32_MAX)
        return false;
    row = &s->inverse[(size_t)out * m];
    scale = 1 / s->column[out];
    for (uint32_t j = 0; j < m; j++)
        row[j] *= scale;
    s->x[out] *= scale;
    for (uint32_t i = 0; i < m; i++) {
        double by = s->column[i];
        double *other = &s->inverse[(size_t)i * m];

        if (i == out || by == 0)
            continue;
        for (uint32_t j = 0; j < m; j++)
            other[j] -= by * row[j];
        s->x[i] = fmax(0, s->x[i] - by * s->x[out]);
    }
    for (uint32_t j = 0; j < m; j++)
        s->price[j] -= gain * row[j];
    s->basis[out] = column;
    return true;
}

/* The best roll at these prices, at most as many of an item as are wanted; adds it as a column. */
static double knapsack(struct simplex *s)
{
    struct cutting *c = s->c;
    uint32_t capacity = c->capacity, n = 0, at = capacity;
    size_t width = (size_t)capacity + 1, need = 0;
    AUTO(mem) struct cutting_entry *layers = xcalloc((size_t)s->m * 14 + 1, sizeof(*layers));
    AUTO(mem) uint32_t *count = xcalloc(s->m + 1, sizeof(*count));

    for (uint32_t r = 0; r < s->m; r++) {
        uint32_t item = s->item_of[r], most = capacity / c->size[item];

        most = most < s->demand[item] ? most : s->demand[item];
        for (uint32_t each = 1; s->price[r] > EPS && most > 0; each *= 2) {
            each = each < most ? each : most;
            layers[n++] = (struct cutting_entry){ r, each };
            most -= each;
        }
    }
    need = (size_t)n * width;
    if (!s->taken || need > s->cap_taken) {
        s->cap_taken = need;
        s->taken = xrealloc(s->taken, need + 1);
    }
    memset(s->taken, 0, need);
    memset(s->value, 0, width * sizeof(*s->value));
    for (uint32_t k = 0; k < n; k++) {
        uint32_t size = c->size[s->item_of[layers[k].item]] * layers[k].count;
        double price = s->price[layers[k].item] * layers[k].count;
        uint8_t *taken = s->taken + (size_t)k * width;

        for (uint32_t w = capacity; w >= size; w--)
            if (s->value[w - size] + price > s->value[w]) {
                s->value[w] = s->value[w - size] + price;
                taken[w] = 1;
            }
    }
    c->work += 2 * need;
    for (uint32_t k = n; k-- > 0;)
        if (s->taken[(size_t)k * width + at]) {
            count[layers[k].item] += layers[k].count;
            at -= c->size[s->item_of[layers[k].item]] * layers[k].count;
        }
    begin_column(c);
    for (uint32_t r = 0; r < s->m; r++)
        if (count[r] > 0)
            add_entry(c, s->item_of[r], count[r]);
    return s->value[capacity];
}

static double demand_value(const struct simplex *s)
{
    double sum = 0;

    for (uint32_t i = 0; i < s->m; i++)
        sum += s->price[i] * s->demand[s->item_of[i]];
    return sum;
}

/* The known column worth most beyond 1, or a surplus whose price is below 0. */
static bool price_known(struct simplex *s, size_t *ret_column, uint32_t *ret_row, double *ret_gain)
{
    double best = EPS;

    *ret_column = SURPLUS;
    for (uint32_t i = 0; i < s->m; i++)
        if (-s->price[i] > best) {
            best = -s->price[i];
            *ret_row = i;
        }
    for (size_t k = 0; k < s->c->n_columns; k++) {
        double gain = worth(s, k) - 1;

        if (gain > best) {
            best = gain;
            *ret_column = k;
        }
    }
    s->c->work += 2 * s->c->n_entries;
    *ret_gain = best;
    return best > EPS;
}

static void solve(struct simplex *s, uint32_t enough, struct cutting_relaxed *ret)
{
    while (s->c->work < s->c->max_work) {
        size_t column;
        uint32_t row = 0;
        double gain;

        if (!price_known(s, &column, &row, &gain)) {
            double value = knapsack(s);

            ret->bound = fmax(ret->bound, demand_value(s) / fmax(1, value));
            column = s->c->n_columns - 1;
            gain = value - 1;
            if (gain <= 1e-7 && end_buying(s))
                continue;
            if (gain <= 1e-7) {
                ret->optimal = true;
                return;
            }
            if (cutting_ceil(ret->bound) >= enough)
                return;
        }
        if (!pivot(s, column, row, gain))
            return;
    }
}

/* The basis with the true demands. */
static void read_basis(const struct simplex *s, struct cutting_relaxed *ret)
{
    ret->uses = xcalloc(s->m + 1, sizeof(*ret->uses));
    for (uint32_t i = 0; i < s->m; i++) {
        double x = 0;

        if (s->basis[i] == SURPLUS)
            continue;
        for (uint32_t j = 0; j < s->m; j++)
            x += s->inverse[(size_t)i * s->m + j] * s->demand[s->item_of[j]];
        if (x > 1e-6)
            ret->uses[ret->n_uses++] = (struct cutting_use){ s->basis[i], x };
        ret->rolls += fmax(0, x);
    }
}

void cutting_relax(struct cutting *c, const uint32_t *demand, uint32_t enough,
                   struct cutting_relaxed *ret)
{
    struct simplex s = { .c = c, .demand = demand };
    size_t n = c->n_items;
    AUTO(mem) double *numbers = NULL;

    *ret = (struct cutting_relaxed){ 0 };
    s.row_of = xcalloc(2 * n + 1, sizeof(*s.row_of));
    s.item_of = s.row_of + n;
    for (uint32_t i = 0; i < n; i++) {
        s.row_of[i] = demand[i] > 0 ? s.m : UINT32_MAX;
        if (demand[i] > 0)
            s.item_of[s.m++] = i;
    }
    numbers = xcalloc((size_t)s.m * s.m + 4 * (size_t)s.m + c->capacity + 2, sizeof(*numbers));
    s.inverse = numbers;
    s.x = s.inverse + (size_t)s.m * s.m;
    s.price = s.x + s.m;
    s.right = s.price + s.m;
    s.column = s.right + s.m;
    s.value = s.column + s.m;
    s.basis = xcalloc(s.m + 1, sizeof(*s.basis));
    begin(&s);
    ret->optimal = s.m == 0;
    if (s.m > 0)
        solve(&s, enough, ret);
    read_basis(&s, ret);
    ret->prices = xcalloc(n + 1, sizeof(*ret->prices));
    for (uint32_t i = 0; i < s.m; i++)
        ret->prices[s.item_of[i]] = s.price[i];
    free(s.row_of);
    free(s.basis);
    free(s.taken);
}
