/* See csv.h. */
#include "controller/simulate/csv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"

#define BYTE_ORDER_MARK "\xEF\xBB\xBF" /* spreadsheets write it before all else */
#define SECONDS_MOST 253402300799.0    /* further on, steps of 15 s would be lost in rounding */

struct csv csv_begin(const char *file, const char *text)
{
    size_t mark = strlen(BYTE_ORDER_MARK);

    if (strncmp(text, BYTE_ORDER_MARK, mark) == 0)
        text += mark;
    return (struct csv){ .file = file, .text = text };
}

bool csv_line(struct csv *c)
{
    while (*c->text) {
        const char *line = c->text;

        c->line++;
        c->text += strcspn(line, "\n");
        c->text += *c->text == '\n';
        if (!strchr("\n", line[strspn(line, " \t\r")])) { /* the end of the text is found, too */
            c->at = line;
            return true;
        }
    }
    c->at = NULL;
    return false;
}

int csv_cell(struct csv *c, char cell[CSV_CELL_MAX], struct err *e)
{
    const char *begin = c->at;
    size_t n, from;

    if (!begin)
        return err_set(e, -EINVAL, "%s:%u: fewer cells than the first line names", c->file,
                       c->line);
    n = strcspn(begin, ",\r\n");
    from = strspn(begin, " \t\"");
    c->at = begin[n] == ',' ? begin + n + 1 : NULL;
    from = from < n ? from : n;
    while (n > from && strchr(" \t\"", begin[n - 1]))
        n--;
    if (n - from >= CSV_CELL_MAX)
        return err_set(e, -EINVAL, "%s:%u: a cell of more than %d bytes", c->file, c->line,
                       CSV_CELL_MAX - 1);
    memcpy(cell, begin + from, n - from);
    cell[n - from] = '\0';
    return 0;
}

/* "2023-11-16 18:17:03.9799600" */
static bool read_plain(const char *cell, double *ret_s)
{
    char text[32];
    int64_t wall_ms;
    double part = 0;
    size_t n = strlen(cell);

    if (n < 19 || cell[10] != ' ')
        return false;
    (void)snprintf(text, sizeof(text), "%.10sT%.8sZ", cell, cell + 11);
    if (clock_parse(text, &wall_ms) != 0)
        return false;
    if (cell[19] == '.' && strspn(cell + 20, "0123456789") == n - 20)
        part = strtod(cell + 19, NULL);
    else if (cell[19])
        return false;
    *ret_s = (double)wall_ms / 1000 + part;
    return true;
}

int csv_time(const struct csv *c, const char *cell, double *ret_s, struct err *e)
{
    int64_t wall_ms;
    char *end;

    if (clock_parse(cell, &wall_ms) == 0) {
        *ret_s = (double)wall_ms / 1000;
        return 0;
    }
    if (!read_plain(cell, ret_s)) {
        *ret_s = strtod(cell, &end);
        if (!*cell || *end || !isfinite(*ret_s))
            return err_set(e, -EINVAL,
                           "%s:%u: \"%.60s\" is no time (seconds, or 2026-11-01T00:00:00Z)",
                           c->file, c->line, cell);
    }
    if (fabs(*ret_s) > SECONDS_MOST)
        return err_set(e, -EINVAL,
                       "%s:%u: %.60s s are beyond the year 9999: times are told in seconds, not in "
                       "milliseconds or nanoseconds",
                       c->file, c->line, cell);
    return 0;
}

int csv_number(const struct csv *c, const char *cell, const char *what, double *ret, struct err *e)
{
    char *end;

    *ret = NAN;
    if (!*cell)
        return 0;
    *ret = strtod(cell, &end);
    if (*end || *ret < 0 || isinf(*ret))
        return err_set(e, -EINVAL, "%s:%u: \"%.60s\" is no %s (empty: not known)", c->file, c->line,
                       cell, what);
    return 0;
}
