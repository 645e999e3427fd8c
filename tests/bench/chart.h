/* A chart as an SVG file that stands by itself: series of points, joined by lines or not, over
 * linear or logarithmic axes, with a legend. */
#ifndef HUDDLE_BENCH_CHART_H
#define HUDDLE_BENCH_CHART_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/err.h"

#define CHART_COLOURS 8

struct chart_point {
    double x, y; /* NAN: not drawn */
};

struct chart_series {
    const char *name;
    const struct chart_point *points;
    size_t n;
    bool joined;
    bool big; /* the points */
};

struct chart_mark { /* a line across the whole chart */
    const char *name;
    double at;
    bool upright; /* at x = at; else at y = at */
};

struct chart_axis {
    const char *name;
    bool logarithmic; /* else from 0 on */
    double from, to;  /* what is shown at the least; to <= from: by the points alone */
};

struct chart {
    const char *title;
    struct chart_axis x, y;
    const struct chart_series *series;
    size_t n_series;
    const struct chart_mark *marks;
    size_t n_marks;
};

/* -errno when the file cannot be written. Folders above it are made. */
int chart_write(const struct chart *c, const char *path, struct err *e);

#endif
