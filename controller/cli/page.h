/* What the HTML pages have in common: one file each, no script, no font, no picture from elsewhere;
 * light or dark as the reader's machine is, and readable on a telephone. Pure. */
#ifndef HUDDLE_CLI_PAGE_H
#define HUDDLE_CLI_PAGE_H

#include <jansson.h>

#include "proto/base/strbuf.h"

/* Up to and with the heading; `title` is the window's, too. */
void page_begin(struct strbuf *out, const char *title);

/* "Made ... by huddlectl". `made`: when; NULL: not said. */
void page_end(struct strbuf *out, const char *made);

/* The values of a series; null is NAN. The caller frees. */
double *page_values(const json_t *array);

#endif
