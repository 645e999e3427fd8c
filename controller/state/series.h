/* One quantity over weeks in a fixed amount of memory: cells of 5 s for half an hour, of 1 min for
 * 12 hours, of 15 min for four weeks. A cell holds a sum (joules, seconds awake): what arrives for
 * an interval is spread over the cells it touches, and the sum over a window is exact up to the
 * rounding of a cell (2^-12, half-sized floats) and the window's two edge cells. Cells that got
 * nothing are missing, not zero. About 11 KiB when full; nothing before the first value. */
#ifndef HUDDLE_SERIES_H
#define HUDDLE_SERIES_H

#include <stddef.h>
#include <stdint.h>

#define SERIES_LEVELS 3
extern const int64_t series_cell_ms[SERIES_LEVELS];

struct series_level {
    int64_t open;  /* index of the filling cell; INT64_MIN: none */
    int64_t first; /* oldest kept */
    double sum, covered_ms;
    uint16_t *cell; /* closed cells at index % cells of the level */
};

struct series {
    struct series_level level[SERIES_LEVELS];
};

void series_init(struct series *s);
void series_done(struct series *s);

/* `amount` came about in [from_ms, to_ms] of wall time. */
void series_add(struct series *s, int64_t from_ms, int64_t to_ms, double amount);

/* The amount in [from_ms, to_ms), from the finest cells that reach back far enough; NAN when
 * nothing is known there. Edge cells count by their share. */
double series_sum(const struct series *s, int64_t from_ms, int64_t to_ms);

/* The coarse cells as text for the store, and back. */
char *series_pack(const struct series *s); /* heap */
void series_unpack(struct series *s, const char *text);

#endif
