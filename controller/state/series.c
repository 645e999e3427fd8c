/* Rings of half-sized floats: 5 bits of exponent, 11 of mantissa, no sign (amounts are not
 * negative). The packed form is text: level, first cell, and hexadecimal cells. */
#include "controller/state/series.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"

const int64_t series_cell_ms[SERIES_LEVELS] = { 5000, 60000, 900000 };
static const size_t CELLS[SERIES_LEVELS] = { 360, 720, 2688 };

#define MISSING 0xffffu
#define NO_CELL INT64_MIN

/* 2^-12 .. 2^19: a fraction of a joule to half a megajoule per cell and beyond by saturation. */
static uint16_t pack_value(double v)
{
    int exponent;
    double mantissa;

    if (!(v > 0))
        return 0;
    mantissa = frexp(v, &exponent); /* 0.5 <= mantissa < 1 */
    exponent += 11;
    if (exponent < 1)
        return 0;
    if (exponent > 30)
        return (uint16_t)(30u << 11 | 0x7ffu);
    return (uint16_t)((unsigned)exponent << 11 |
                      (unsigned)fmin(floor((mantissa - 0.5) * 4096 + 0.5), 2047));
}

static double unpack_value(uint16_t packed)
{
    if (packed == MISSING)
        return NAN;
    if (packed == 0)
        return 0;
    return ldexp(0.5 + (packed & 0x7ffu) / 4096.0, (packed >> 11) - 11);
}

void series_init(struct series *s)
{
    *s = (struct series){ 0 };
    for (size_t i = 0; i < SERIES_LEVELS; i++)
        s->level[i].open = NO_CELL;
}

void series_done(struct series *s)
{
    for (size_t i = 0; i < SERIES_LEVELS; i++) {
        free(s->level[i].cell);
        s->level[i].cell = NULL;
    }
}

static void put_cell(struct series_level *l, size_t cells, int64_t index, uint16_t value)
{
    if (!l->cell)
        l->cell = xmalloc(cells * sizeof(*l->cell));
    l->cell[(uint64_t)index % cells] = value;
    if (index - l->first >= (int64_t)cells)
        l->first = index + 1 - (int64_t)cells;
}

static void advance(struct series_level *l, size_t cells, int64_t index)
{
    if (l->open == NO_CELL || index - l->open > (int64_t)cells) {
        l->open = l->first = index;
        l->sum = l->covered_ms = 0;
    }
    while (l->open < index) {
        put_cell(l, cells, l->open, l->covered_ms > 0 ? pack_value(l->sum) : MISSING);
        l->sum = l->covered_ms = 0;
        l->open++;
    }
}

static void level_add(struct series_level *l, size_t i, int64_t from_ms, int64_t to_ms,
                      double amount)
{
    int64_t cell_ms = series_cell_ms[i], at = from_ms, length = to_ms - from_ms;

    if (l->open == NO_CELL)
        advance(l, CELLS[i], from_ms / cell_ms);
    if (length > cell_ms * (int64_t)CELLS[i])
        at = to_ms - cell_ms; /* a gap beyond the ring: the newest cell takes what came in it */
    while (at < to_ms && to_ms / cell_ms > l->open) {
        int64_t end = (l->open + 1) * cell_ms;

        if (end > at) {
            l->sum += amount * (double)(end - at) / (double)length;
            l->covered_ms += (double)(end - at);
            at = end;
        }
        advance(l, CELLS[i], l->open + 1);
    }
    l->sum += length > 0 ? amount * (double)(to_ms - at) / (double)length : amount;
    l->covered_ms += (double)(to_ms - at) + 1e-9;
}

void series_add(struct series *s, int64_t from_ms, int64_t to_ms, double amount)
{
    if (!isfinite(amount) || amount < 0 || to_ms < from_ms || from_ms < 0)
        return;
    for (size_t i = 0; i < SERIES_LEVELS; i++)
        level_add(&s->level[i], i, from_ms, to_ms, amount);
}

static double level_cell(const struct series_level *l, size_t i, int64_t index)
{
    if (l->open == NO_CELL || index > l->open || index < l->first)
        return NAN;
    if (index == l->open)
        return l->covered_ms > 0 ? l->sum : NAN;
    return unpack_value(l->cell[(uint64_t)index % CELLS[i]]);
}

/* Share of a cell that lies within the window; the open cell ends at what was covered. */
static double share_of(const struct series_level *l, size_t i, int64_t index, int64_t from_ms,
                       int64_t to_ms)
{
    double begin = (double)(index * series_cell_ms[i]);
    double length = index == l->open ? fmax(l->covered_ms, 1) : (double)series_cell_ms[i];
    double low = fmax(begin, (double)from_ms), high = fmin(begin + length, (double)to_ms);

    return high <= low ? 0 : (high - low) / length;
}

double series_sum(const struct series *s, int64_t from_ms, int64_t to_ms)
{
    double sum = 0;
    bool known = false;

    for (size_t i = 0; i < SERIES_LEVELS && to_ms > from_ms; i++) {
        const struct series_level *l = &s->level[i];
        int64_t first, begin;

        if (l->open == NO_CELL)
            continue;
        /* The last level takes all that is left; the others only whole minutes they still hold. */
        begin = l->first * series_cell_ms[i];
        if (i + 1 < SERIES_LEVELS && begin > from_ms) {
            int64_t coarse = series_cell_ms[i + 1];

            begin = (begin + coarse - 1) / coarse * coarse;
        }
        if (begin < from_ms)
            begin = from_ms;
        if (begin >= to_ms)
            continue;
        first = begin / series_cell_ms[i];
        for (int64_t k = first; k <= l->open && k * series_cell_ms[i] < to_ms; k++) {
            double value = level_cell(l, i, k);

            if (isnan(value))
                continue;
            sum += value * share_of(l, i, k, begin, to_ms);
            known = true;
        }
        to_ms = begin;
    }
    return known ? sum : NAN;
}

char *series_pack(const struct series *s)
{
    struct strbuf b = STRBUF_INIT;

    for (size_t i = 1; i < SERIES_LEVELS; i++) {
        const struct series_level *l = &s->level[i];

        if (l->open == NO_CELL)
            continue;
        strbuf_printf(&b, "%zu %" PRId64 " %" PRId64 " %.6g %.6g ", i, l->first, l->open, l->sum,
                      l->covered_ms);
        for (int64_t k = l->first; k < l->open; k++)
            strbuf_printf(&b, "%04x", l->cell[(uint64_t)k % CELLS[i]]);
        strbuf_putc(&b, '\n');
    }
    return strbuf_take(&b);
}

/* NULL when there are fewer than n cells. */
static const char *unpack_cells(struct series_level *l, size_t i, const char *at, int64_t n)
{
    for (int64_t k = 0; k < n; k++, at += 4) {
        char digits[5] = { 0 };

        if (strnlen(at, 4) < 4)
            return NULL;
        memcpy(digits, at, 4);
        put_cell(l, CELLS[i], l->first + k, (uint16_t)strtoul(digits, NULL, 16));
    }
    return at;
}

static bool plausible(const struct series_level *l, size_t i)
{
    return l->first >= 0 && l->open >= l->first && l->open - l->first <= (int64_t)CELLS[i] &&
           l->open < INT64_MAX / 2 / series_cell_ms[i] && isfinite(l->sum) && l->sum >= 0 &&
           isfinite(l->covered_ms) && l->covered_ms >= 0;
}

void series_unpack(struct series *s, const char *text)
{
    while (text && *text) {
        struct series_level l = { 0 };
        size_t i;
        int used = 0;

        if (sscanf(text, "%zu %" SCNd64 " %" SCNd64 " %lf %lf %n", &i, &l.first, &l.open, &l.sum,
                   &l.covered_ms, &used) != 5 ||
            i < 1 || i >= SERIES_LEVELS || !plausible(&l, i))
            return;
        text = unpack_cells(&l, i, text + used, l.open - l.first);
        if (!text) {
            free(l.cell);
            return;
        }
        free(s->level[i].cell);
        s->level[i] = l;
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
}
