/* A table for people: see table.h. */
#include "controller/cli/table.h"

#include <stdarg.h>
#include <stdlib.h>

#include "controller/cli/text.h"
#include "proto/base/array.h"

#define GAP 3

void table_begin(struct table *t, size_t columns)
{
    table_done(t);
    t->columns = columns < TABLE_COLUMNS_MAX ? columns : TABLE_COLUMNS_MAX;
}

void table_indent(struct table *t, size_t blanks)
{
    t->indent = blanks;
}

void table_cell(struct table *t, const char *text, enum paint paint)
{
    struct strbuf safe = STRBUF_INIT;
    size_t column = t->n_cells % t->columns, width;

    text_safe(&safe, text);
    width = text_width(strbuf_text(&safe));
    if (width > t->width[column])
        t->width[column] = width;
    *ARRAY_ADD(t, cells) = (struct table_cell){ strbuf_take(&safe), paint };
}

void table_cellf(struct table *t, const char *format, ...)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    va_list ap;

    va_start(ap, format);
    strbuf_vprintf(&text, format, ap);
    va_end(ap);
    table_cell(t, strbuf_text(&text), PAINT_NONE);
}

void paint_text(struct strbuf *out, const char *text, enum paint paint, bool colour)
{
    static const char *const CODES[] = { "", "32", "33", "31", "36", "1" };

    if (colour && paint != PAINT_NONE)
        strbuf_printf(out, "\033[%sm%s\033[0m", CODES[paint], text);
    else
        strbuf_puts(out, text);
}

/* No blanks at the end of a line. */
static bool rest_is_empty(const struct table *t, size_t i)
{
    while (++i % t->columns && i < t->n_cells)
        if (*t->cells[i].text)
            return false;
    return true;
}

void table_print(struct table *t, struct strbuf *out, bool colour)
{
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t column = i % t->columns, width = text_width(t->cells[i].text);

        if (column == 0)
            strbuf_printf(out, "%*s", (int)t->indent, "");
        paint_text(out, t->cells[i].text, t->cells[i].paint, colour);
        if (!rest_is_empty(t, i))
            strbuf_printf(out, "%*s", (int)(t->width[column] - width + GAP), "");
        if (column + 1 == t->columns)
            strbuf_putc(out, '\n');
        free(t->cells[i].text);
    }
    t->n_cells = 0;
}

void table_done(struct table *t)
{
    ARRAY_FOREACH(cell, t, cells) {
        free(cell->text);
    }
    free(t->cells);
    *t = (struct table){ 0 };
}
