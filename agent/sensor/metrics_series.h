/* The series (name and labels) of a page, to see one that is given twice. Pure. They are kept as
 * 64-bit hashes: bounded memory, whatever the labels; two that collide make their page refused. */
#ifndef HUDDLE_METRICS_SERIES_H
#define HUDDLE_METRICS_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "agent/sensor/metrics_line.h"

struct metrics_series { /* zero-initialise */
    uint64_t *table;    /* open addressing; 0 is an empty place */
    size_t n, cap;
};

void metrics_series_done(struct metrics_series *set);

/* 0; -EBADMSG when it is there already; -EFBIG for more than METRICS_SERIES_MAX. */
int metrics_series_add(struct metrics_series *set, const struct metrics_sample *s, struct err *e);

/* The same for the same labels in any order, never 0; the label `without` (may be NULL) is left
 * out. */
uint64_t metrics_series_hash(const struct metrics_sample *s, const char *without);

#endif
