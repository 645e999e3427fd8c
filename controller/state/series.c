/* Rings of half-sized floats: 6 bits of exponent, 10 of mantissa, no sign (amounts are
 * not negative there); floats in wide ones. The packed form is text: format, level, first cell, and
 * hexadecimal cells. */
#include "controller/state/series.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"

const int64_t series_cell_ms[SERIES_LEVELS] = { 5000, 60000, 900000 };
static const size_t CELLS[SERIES_LEVELS] = { 360, 720, 2688 };

#define MISSING 0xffffu
#define NO_CELL INT64_MIN
#define EXPONENT_BIAS 11
#define EXPONENT_MOST 61

/* 2^-12 .. 2^50: from a fraction of a joule of one replica in 5 s to those of ten thousand nodes in
 * 15 min; below is zero, above saturates. */
static uint16_t pack_value(double v)
{
    int exponent;
    double mantissa;

    if (!(v > 0))
        return 0;
    mantissa = frexp(v, &exponent); /* 0.5 <= mantissa < 1 */
    exponent += EXPONENT_BIAS;
    if (exponent < 1)
        return 0;
    if (exponent > EXPONENT_MOST)
        return (uint16_t)(EXPONENT_MOST << 10 | 0x3ff);
    return (uint16_t)((unsigned)exponent << 10 |
                      (unsigned)fmin(floor((mantissa - 0.5) * 2048 + 0.5), 1023));
}

/* By the bits of a float: reports over a fleet read ten million cells. */
static double unpack_value(uint16_t packed)
{
    uint32_t bits;
    float value;

    if (packed == MISSING)
        return NAN;
    if (packed == 0)
        return 0;
    bits = ((uint32_t)(packed >> 10) + 126 - EXPONENT_BIAS) << 23 | (packed & 0x3ffu) << 13;
    memcpy(&value, &bits, sizeof(value));
    return (double)value;
}

static void init(struct series *s, bool wide)
{
    *s = (struct series){ .wide = wide };
    for (size_t i = 0; i < SERIES_LEVELS; i++)
        s->level[i].open = NO_CELL;
}

void series_init(struct series *s)
{
    init(s, false);
}

void series_init_wide(struct series *s)
{
    init(s, true);
}

void series_done(struct series *s)
{
    for (size_t i = 0; i < SERIES_LEVELS; i++) {
        free(s->level[i].cell);
        s->level[i].cell = NULL;
    }
}

/* --- cells --------------------------------------------------------------------------------------
 */

/* NAN: missing. */
static double get_cell(const struct series *s, size_t i, int64_t index)
{
    const struct series_level *l = &s->level[i];
    uint64_t at = (uint64_t)index % CELLS[i];

    return s->wide ? (double)((const float *)l->cell)[at]
                   : unpack_value(((const uint16_t *)l->cell)[at]);
}

static void set_cell(struct series *s, size_t i, int64_t index, double value)
{
    struct series_level *l = &s->level[i];
    uint64_t at = (uint64_t)index % CELLS[i];

    if (!l->cell)
        l->cell = xmalloc(CELLS[i] * (s->wide ? sizeof(float) : sizeof(uint16_t)));
    if (s->wide)
        ((float *)l->cell)[at] = (float)value;
    else
        ((uint16_t *)l->cell)[at] = isnan(value) ? MISSING : pack_value(value);
    if (index - l->first >= (int64_t)CELLS[i])
        l->first = index + 1 - (int64_t)CELLS[i];
}

static void advance(struct series *s, size_t i, int64_t index)
{
    struct series_level *l = &s->level[i];

    if (l->open == NO_CELL || index - l->open > (int64_t)CELLS[i]) {
        l->open = l->first = index;
        l->sum = 0;
        l->end_ms = 0;
    }
    while (l->open < index) {
        set_cell(s, i, l->open, l->end_ms > 0 ? l->sum : NAN);
        l->sum = 0;
        l->end_ms = 0;
        l->open++;
    }
}

static void add_open(struct series_level *l, double amount, int64_t end_ms)
{
    l->sum += amount;
    if (l->end_ms < end_ms)
        l->end_ms = end_ms;
    if (l->end_ms < 1) /* an amount of an instant */
        l->end_ms = 1;
}

static void add_closed(struct series *s, size_t i, int64_t index, double amount)
{
    double value = get_cell(s, i, index);

    set_cell(s, i, index, isnan(value) ? amount : value + amount);
}

/* What came before the open cell. Of a time before the oldest cell only the last level takes it,
 * into its oldest: what others leave out is in it. */
static void add_late(struct series *s, size_t i, int64_t from_ms, int64_t to_ms, double amount)
{
    struct series_level *l = &s->level[i];
    int64_t cell_ms = series_cell_ms[i], kept_ms = l->first * cell_ms, at = from_ms;
    double per_ms = to_ms > from_ms ? amount / (double)(to_ms - from_ms) : 0;

    if (from_ms < kept_ms) {
        double old = to_ms > kept_ms ? per_ms * (double)(kept_ms - from_ms) : amount;

        if (i + 1 == SERIES_LEVELS && l->first < l->open)
            add_closed(s, i, l->first, old);
        else if (i + 1 == SERIES_LEVELS)
            add_open(l, old, 1);
        at = kept_ms;
    } else if (to_ms == from_ms) {
        add_closed(s, i, from_ms / cell_ms, amount);
    }
    while (at < to_ms) {
        int64_t end = (at / cell_ms + 1) * cell_ms;

        if (end > to_ms)
            end = to_ms;
        add_closed(s, i, at / cell_ms, per_ms * (double)(end - at));
        at = end;
    }
}

static void level_add(struct series *s, size_t i, int64_t from_ms, int64_t to_ms, double amount)
{
    struct series_level *l = &s->level[i];
    int64_t cell_ms = series_cell_ms[i], at = from_ms, length = to_ms - from_ms, open_ms;

    if (l->open == NO_CELL)
        advance(s, i, from_ms / cell_ms);
    if (length > cell_ms * (int64_t)CELLS[i]) /* longer than the ring: what falls into it */
        at = to_ms - cell_ms * (int64_t)CELLS[i];
    if (at > from_ms && at / cell_ms > l->open)
        advance(s, i, at / cell_ms);
    open_ms = l->open * cell_ms;
    if (at < open_ms) {
        int64_t end = to_ms < open_ms ? to_ms : open_ms;

        add_late(s, i, at, end, length > 0 ? amount * (double)(end - at) / (double)length : amount);
        if (to_ms <= open_ms)
            return;
        at = open_ms;
    }
    while (at < to_ms && to_ms / cell_ms > l->open) {
        int64_t end = (l->open + 1) * cell_ms;

        if (end > at) {
            add_open(l, amount * (double)(end - at) / (double)length, cell_ms);
            at = end;
        }
        advance(s, i, l->open + 1);
    }
    if (to_ms / cell_ms > l->open) /* an instant */
        advance(s, i, to_ms / cell_ms);
    add_open(l, length > 0 ? amount * (double)(to_ms - at) / (double)length : amount,
             to_ms - l->open * cell_ms);
}

void series_add(struct series *s, int64_t from_ms, int64_t to_ms, double amount)
{
    if (!isfinite(amount) || (amount < 0 && !s->wide) || to_ms < from_ms || from_ms < 0)
        return;
    for (size_t i = 0; i < SERIES_LEVELS; i++)
        level_add(s, i, from_ms, to_ms, amount);
}

static double level_cell(const struct series *s, size_t i, int64_t index)
{
    const struct series_level *l = &s->level[i];

    if (l->open == NO_CELL || index > l->open || index < l->first)
        return NAN;
    if (index == l->open)
        return l->end_ms > 0 ? l->sum : NAN;
    return get_cell(s, i, index);
}

/* Share of a cell that lies within the window; the open cell ends where its amounts
 * do. */
static double share_of(const struct series_level *l, size_t i, int64_t index, int64_t from_ms,
                       int64_t to_ms)
{
    double begin = (double)(index * series_cell_ms[i]);
    double length = (double)(index == l->open ? l->end_ms : series_cell_ms[i]);
    double low = fmax(begin, (double)from_ms), high = fmin(begin + length, (double)to_ms);

    return high <= low ? 0 : (high - low) / length;
}

int64_t series_begin(const struct series *s)
{
    int64_t begin = INT64_MAX;

    /* A finer level says it better, unless the beginning has left it. */
    for (size_t i = SERIES_LEVELS; i-- > 0;) {
        const struct series_level *l = &s->level[i];
        int64_t coarse_ms = i + 1 < SERIES_LEVELS ? series_cell_ms[i + 1] : 0;

        if (l->open == NO_CELL)
            continue;
        if (begin == INT64_MAX || l->first * series_cell_ms[i] < begin + coarse_ms)
            begin = l->first * series_cell_ms[i];
    }
    return begin;
}

double series_sum(const struct series *s, int64_t from_ms, int64_t to_ms)
{
    int64_t begin_ms = series_begin(s);
    double sum = 0;
    bool known = false;

    /* A coarse cell says as much of the time before the first amount as of that after it. */
    if (from_ms < begin_ms)
        from_ms = begin_ms;
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
            double value = level_cell(s, i, k);

            if (isnan(value))
                continue;
            /* Only the cells of the edges count by their share, and the open one. */
            if (k == first || k == l->open || (k + 1) * series_cell_ms[i] > to_ms)
                value *= share_of(l, i, k, begin, to_ms);
            sum += value;
            known = true;
        }
        to_ms = begin;
    }
    return known ? sum : NAN;
}

/* --- for the store ------------------------------------------------------------------------------
 */

static const char *format_of(const struct series *s)
{
    return s->wide ? "w1" : "s2";
}

static uint32_t cell_bits(const struct series *s, size_t i, int64_t index)
{
    uint64_t at = (uint64_t)index % CELLS[i];
    uint32_t bits;

    if (!s->wide)
        return ((const uint16_t *)s->level[i].cell)[at];
    memcpy(&bits, (const float *)s->level[i].cell + at, sizeof(bits));
    return bits;
}

/* By hand: a fleet's history is millions of cells. */
static void put_hex(struct strbuf *b, uint32_t bits, int digits)
{
    char text[8];

    for (int i = digits; i-- > 0; bits >>= 4)
        text[i] = "0123456789abcdef"[bits & 0xf];
    strbuf_add(b, text, (size_t)digits);
}

char *series_pack(const struct series *s, bool recent)
{
    static const int64_t RECENT[SERIES_LEVELS] = { 0, 180, 12 };
    struct strbuf b = STRBUF_INIT;

    for (size_t i = 1; i < SERIES_LEVELS; i++) {
        const struct series_level *l = &s->level[i];
        int64_t first = l->first;

        if (l->open == NO_CELL)
            continue;
        if (recent && first < l->open - RECENT[i])
            first = l->open - RECENT[i];
        strbuf_printf(&b, "%s %zu %" PRId64 " %" PRId64 " %.9g %" PRId64 " ", format_of(s), i,
                      first, l->open, l->sum, l->end_ms);
        for (int64_t k = first; k < l->open; k++)
            put_hex(&b, cell_bits(s, i, k), s->wide ? 8 : 4);
        strbuf_putc(&b, '\n');
    }
    return strbuf_take(&b);
}

static double parse_cell(const struct series *s, const char *digits)
{
    uint32_t bits = (uint32_t)strtoul(digits, NULL, 16);
    float value;

    if (!s->wide)
        return unpack_value((uint16_t)bits);
    memcpy(&value, &bits, sizeof(value));
    return isfinite(value) ? (double)value : NAN;
}

static bool plausible(const struct series *s, const struct series_level *l, size_t i)
{
    return l->first >= 0 && l->open >= l->first && l->open - l->first <= (int64_t)CELLS[i] &&
           l->open < INT64_MAX / 2 / series_cell_ms[i] && isfinite(l->sum) &&
           (l->sum >= 0 || s->wide) && l->end_ms >= 0 && l->end_ms <= series_cell_ms[i];
}

/* Lays the cells of `in` over those that are there. */
static void take_level(struct series *s, size_t i, const struct series_level *in, const char *cells)
{
    struct series_level *l = &s->level[i];
    size_t width = s->wide ? 8 : 4;

    if (l->open == NO_CELL || in->first > l->open)
        advance(s, i, in->first);
    else if (in->first < l->first)
        l->first = in->first;
    for (int64_t k = in->first; k < in->open; k++, cells += width) {
        char digits[9] = { 0 };

        memcpy(digits, cells, width);
        set_cell(s, i, k, parse_cell(s, digits));
    }
    l->open = in->open;
    l->sum = in->sum;
    l->end_ms = in->end_ms;
}

void series_unpack(struct series *s, const char *text)
{
    while (text && *text) {
        struct series_level l = { 0 };
        char format[3];
        size_t i, length;
        int used = 0;

        if (sscanf(text, "%2s %zu %" SCNd64 " %" SCNd64 " %lf %" SCNd64 " %n", format, &i, &l.first,
                   &l.open, &l.sum, &l.end_ms, &used) != 6 ||
            strcmp(format, format_of(s)) != 0 || i < 1 || i >= SERIES_LEVELS ||
            !plausible(s, &l, i))
            return;
        length = (size_t)(l.open - l.first) * (s->wide ? 8 : 4);
        if (strspn(text + used, "0123456789abcdef") < length)
            return;
        /* What is older than what is there would tear a hole. */
        if (s->level[i].open == NO_CELL || l.open >= s->level[i].open)
            take_level(s, i, &l, text + used);
        text = strchr(text + used + length, '\n');
        text = text ? text + 1 : NULL;
    }
}
