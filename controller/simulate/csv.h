/* Comma-separated text, line by line and cell by cell, as recorded histories have it. Pure. */
#ifndef HUDDLE_SIMULATE_CSV_H
#define HUDDLE_SIMULATE_CSV_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"

#define CSV_CELL_MAX 256

struct csv {          /* a cursor; all is borrowed */
    const char *file; /* for messages */
    const char *text; /* behind the line in hand */
    const char *at;   /* the next cell of the line in hand; NULL: there is none */
    uint32_t line;    /* number of the line in hand, from 1 */
};

/* A byte-order mark before the text is none of it. */
struct csv csv_begin(const char *file, const char *text);

/* Goes to the next line that is not blank; false: there is none. */
bool csv_line(struct csv *c);

/* The next cell of the line, without the blanks and quotes around it. -EINVAL: there is none, or it
 * is too long. */
int csv_cell(struct csv *c, char cell[CSV_CELL_MAX], struct err *e);

/* Seconds, or RFC 3339, or the same with a blank in place of T and without a zone. */
int csv_time(const struct csv *c, const char *cell, double *ret_s, struct err *e);

/* Not negative; an empty cell or "NaN" is NAN: not known. `what` is for messages: "demand". */
int csv_number(const struct csv *c, const char *cell, const char *what, double *ret, struct err *e);

#endif
