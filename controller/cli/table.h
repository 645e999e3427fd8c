/* A table for people: columns as wide as their widest cell, measured in terminal columns (UTF-8).
 * Rows are kept until table_print(); widths are kept beyond it, so that rows which come later (a
 * watch) stay below their titles. Cells are made safe for terminals here. */
#ifndef HUDDLE_CLI_TABLE_H
#define HUDDLE_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/strbuf.h"

#define TABLE_COLUMNS_MAX 24

enum paint { PAINT_NONE, PAINT_GOOD, PAINT_BUSY, PAINT_BAD, PAINT_CALM, PAINT_HEAD };

struct table_cell {
    char *text;
    enum paint paint;
};

struct table {
    size_t columns, indent;
    size_t width[TABLE_COLUMNS_MAX];
    struct table_cell *cells; /* columns * rows */
    size_t n_cells, cap_cells;
};

/* The cells of a row are added one by one; a row is full when `columns` were. */
void table_begin(struct table *t, size_t columns); /* forgets rows and widths */
void table_indent(struct table *t, size_t blanks); /* before each row; after table_begin() */
void table_cell(struct table *t, const char *text, enum paint paint);
void table_cellf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends the rows and forgets them. The last column is not padded. */
void table_print(struct table *t, struct strbuf *out, bool colour);
void table_done(struct table *t);

/* Appends `text` in a colour, when there is colour. */
void paint_text(struct strbuf *out, const char *text, enum paint paint, bool colour);

#endif
