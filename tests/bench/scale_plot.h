/* Results of bench/scale: the table, the curve as text and as SVG, how it grows, and JSON. */
#ifndef HUDDLE_BENCH_SCALE_PLOT_H
#define HUDDLE_BENCH_SCALE_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"

#define SCALE_PLANS 3

struct scale_first { /* one plan */
    double s;        /* CPU seconds */
    uint32_t awake, bound, moves;
    bool proven; /* nothing had to be taken out of it */
};

struct scale_row {
    uint32_t nodes, replicas;
    struct scale_first spread, cold, next;
    double peak_mb; /* resident, of the whole process up to here */
};

struct scale_targets {
    double first_s, next_s, mb;
};

struct scale_report {
    struct scale_row *rows; /* ascending in nodes */
    size_t n_rows;
    struct scale_targets targets;
    double slope[SCALE_PLANS]; /* growth exponents of spread, cold, next; NAN: one size alone */
    bool missed;
};

/* Fits the exponents and judges the largest size (beyond 10,000 nodes there is no target). */
void scale_judge(struct scale_report *r, const struct scale_targets *t);

void scale_print(const struct scale_report *r);
void scale_print_json(const struct scale_report *r);

/* Writes an SVG picture; -errno when the file cannot be written. */
int scale_draw(const struct scale_report *r, const char *path, struct err *e);

#endif
