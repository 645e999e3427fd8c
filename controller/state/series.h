/* One quantity over weeks in a fixed amount of memory: cells of 5 s for half an hour, of 1 min for
 * 12 hours, of 15 min for four weeks. A cell holds a sum (joules, seconds awake): what arrives for
 * an interval is spread over the cells it touches, and the sum over a window is exact up to the
 * rounding of a cell (2^-11, half-sized floats) and the window's two edge cells. Cells that got
 * nothing are missing, not zero. About 7.5 KiB when full; nothing before the first value. */
#ifndef HUDDLE_SERIES_H
#define HUDDLE_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIES_LEVELS 3
extern const int64_t series_cell_ms[SERIES_LEVELS];

struct series_level {
    int64_t open;   /* index of the filling cell; INT64_MIN: none */
    int64_t first;  /* oldest kept */
    double sum;     /* of the open cell */
    int64_t end_ms; /* of what it got, from its begin; 0: nothing yet */
    void *cell;     /* closed cells at index % cells of the level: uint16_t, or float when wide */
};

struct series {
    bool wide;
    struct series_level level[SERIES_LEVELS];
};

void series_init(struct series *s);

/* With cells of 32 bits, 15 KiB when full: for the sums of a whole cluster, to which ten thousand
 * nodes add each a little, and some late. */
void series_init_wide(struct series *s);
void series_done(struct series *s);

/* `amount` (of a wide series also below 0) came about in [from_ms, to_ms] of wall time: not
 * necessarily after what came before. */
void series_add(struct series *s, int64_t from_ms, int64_t to_ms, double amount);

/* The amount in [from_ms, to_ms), from the finest cells that reach back far enough; NAN when
 * nothing is known there. Edge cells count by their share. */
double series_sum(const struct series *s, int64_t from_ms, int64_t to_ms);

/* Wall time of the first amount that is still kept, down to the cell; INT64_MAX: none. */
int64_t series_begin(const struct series *s);

/* The cells of a minute and of 15 min as text for the store. `recent`: only the last three hours of
 * them, a fiftieth of the text. */
char *series_pack(const struct series *s, bool recent); /* heap */

/* Back: the whole first, then what is recent, which replaces the cells that it has. Text that
 * cannot be read changes nothing. */
void series_unpack(struct series *s, const char *text);

#endif
