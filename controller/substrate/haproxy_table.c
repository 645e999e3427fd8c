/* Tables as HAProxy prints them: see haproxy_table.h. */
#include "controller/substrate/haproxy_table.h"

#include <errno.h>
#include <string.h>

/* Cuts a quoted cell that begins behind the quote at `p`: "" stands for one quote. Returns the
 * place behind the closing quote, or NULL. */
static char *take_quoted(char *p, const char *end)
{
    char *to = p;

    for (; p < end; p++) {
        if (*p == '"' && p[1] != '"') { /* p[1] is the NUL at the very end */
            char *behind = p + 1;

            *to = '\0';
            return behind;
        }
        if (*p == '"')
            p++;
        *to++ = *p;
    }
    return NULL;
}

/* One cell from t->next; *ret_last: it was the last one of its row. */
static char *take_cell(struct haproxy_table *t, bool *ret_last)
{
    char *cell = t->next, *p = cell;
    char ended_by;

    if (t->separator == ',' && *p == '"') {
        cell = p + 1;
        p = take_quoted(cell, t->end);
        if (!p)
            return NULL;
    }
    while (p < t->end && *p != t->separator && *p != '\n')
        p++;
    ended_by = p < t->end ? *p : '\n';
    *p = '\0'; /* at the end it is one already */
    t->next = p < t->end ? p + 1 : p;
    *ret_last = ended_by == '\n';
    return cell;
}

static int take_row(struct haproxy_table *t, const char **cells, size_t *ret_n)
{
    bool last = false;
    size_t n = 0;

    while (!last) {
        char *cell;

        if (n == HAPROXY_COLUMNS_MAX)
            return -EBADMSG;
        cell = take_cell(t, &last);
        if (!cell)
            return -EBADMSG;
        cells[n++] = cell;
    }
    *ret_n = n;
    return 0;
}

int haproxy_table_open(struct haproxy_table *t, char *text, char *end, char separator)
{
    *t = (struct haproxy_table){ .next = text, .end = end, .separator = separator };
    if (end - text < 2 || memcmp(text, "# ", 2) != 0)
        return -EBADMSG;
    t->next += 2;
    return take_row(t, t->name, &t->n_names);
}

int haproxy_table_next(struct haproxy_table *t)
{
    int r;

    t->n_cells = 0;
    if (t->next >= t->end)
        return -EBADMSG;
    if (*t->next == '\n') {
        t->next++;
        return 0;
    }
    r = take_row(t, t->cell, &t->n_cells);
    return r < 0 ? r : 1;
}

int haproxy_table_column(const struct haproxy_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_names; i++)
        if (strcmp(t->name[i], name) == 0)
            return (int)i;
    return -1;
}

const char *haproxy_table_cell(const struct haproxy_table *t, int column)
{
    return column >= 0 && (size_t)column < t->n_cells ? t->cell[column] : "";
}
