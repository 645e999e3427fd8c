/* Tables as HAProxy prints them: a line of column names, then rows. Two dialects: CSV with quotes
 * (`show stat`; a quoted cell may hold anything, line ends too) and words between spaces
 * (`show servers state`). Parsed in place: cells point into the text, which is cut up. Columns are
 * found by name, so that newer versions may add some. Pure. */
#ifndef HUDDLE_HAPROXY_TABLE_H
#define HUDDLE_HAPROXY_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define HAPROXY_COLUMNS_MAX 256

struct haproxy_table {
    char *next, *end; /* what is left of the text */
    char separator;   /* ',' or ' ' */
    const char *name[HAPROXY_COLUMNS_MAX];
    const char *cell[HAPROXY_COLUMNS_MAX];
    size_t n_names, n_cells;
};

/* Reads the names. `text` ends with a NUL at `end`. Returns 0, or -EBADMSG when the first line is
 * not one of names ("# first,second"), or has too many. */
int haproxy_table_open(struct haproxy_table *t, char *text, char *end, char separator);

/* The next row. 1, 0 at the empty line that closes the table, -EBADMSG when the text ends before it
 * (an answer that was cut off), for an unclosed quote, or too many cells. */
int haproxy_table_next(struct haproxy_table *t);

/* The place of a column, or -1. */
int haproxy_table_column(const struct haproxy_table *t, const char *name);

/* The cell of the row at that place; "" when there is none. */
const char *haproxy_table_cell(const struct haproxy_table *t, int column);

#endif
