/* What the HTML pages have in common: one file each, no script, no font, no picture from elsewhere;
 * light or dark as the reader's machine is, and readable on a telephone. Pure. */
#ifndef HUDDLE_CLI_PAGE_H
#define HUDDLE_CLI_PAGE_H

#include <jansson.h>

#include "controller/cli/plot.h"
#include "proto/base/strbuf.h"

#define PAGE_LINES_MAX PLOT_COLOURS /* that an eye can tell apart */

struct page_lines { /* of one plot; owns what the lines borrow */
    struct plot_line line[PAGE_LINES_MAX];
    size_t n;
};

/* Up to and with the heading; `title` is the window's, too. */
void page_begin(struct strbuf *out, const char *title);

/* "Made ... by huddlectl". `made`: when; NULL: not said. */
void page_end(struct strbuf *out, const char *made);

/* A line of a series (null is a gap); nothing when the series is empty, or the plot full. `low`: of
 * a band below it, as long; NULL: none. `name` is borrowed. */
void page_line(struct page_lines *l, const char *name, const json_t *values, const json_t *low,
               bool filled);

/* The plot of its lines, when there are any and the step is a millisecond at least. Empties `l`. */
void page_plot(struct strbuf *out, const char *title, const char *unit, bool whole,
               int64_t start_ms, int64_t step_ms, struct page_lines *l);

#endif
