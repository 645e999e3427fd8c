/* Plots as SVG text that stands in an HTML page: lines over time, and bars. No script, no font, no
 * file besides. Colours come from the page's style sheet by class: grid, line c0..c5, fill c0..c5.
 * A value that is not known (NAN) is a gap, never 0. Pure. */
#ifndef HUDDLE_CLI_PLOT_H
#define HUDDLE_CLI_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/strbuf.h"

#define PLOT_COLOURS 6

struct plot_line {
    const char *name;
    const double *y;
    size_t n;
    bool filled;       /* the area below */
    const double *low; /* no line, but a band from here up to y; NULL: a line */
};

struct plot {
    const char *title, *unit;
    bool whole;                /* what is counted is whole: so are the marks of the axis */
    int64_t start_ms, step_ms; /* wall time of the first value, and between values */
    const struct plot_line *lines;
    size_t n_lines;
};

/* A heading, the plot, and a legend. Long lines are averaged down to what can be seen. */
void plot_lines(struct strbuf *out, const struct plot *p);

struct plot_bar {
    const char *name;
    double parts[2]; /* one on the other; the second may be NAN */
};

/* Horizontal bars, the longest first as given; `part_names` NULL: no legend. */
void plot_bars(struct strbuf *out, const char *title, const char *unit,
               const char *const part_names[2], const struct plot_bar *bars, size_t n);

/* A round step that divides 0..top into three to eight parts. */
double plot_step(double top);

/* The same for time: a step in ms, and how its labels read ("%H:%M" for below a day). */
int64_t plot_time_step(int64_t span_ms);

/* Appends text with < > & and " escaped, and nothing that XML forbids. */
void xml_text(struct strbuf *out, const char *text);

#endif
