/* Tables of demand, "time,MODEL,MODEL,...", and series of one model, "t,value". See trace.h. */
#include <errno.h>
#include <string.h>

#include "controller/simulate/trace.h"

/* The columns behind the first, as traces. */
static int read_names(struct csv *c, const char *model, struct traces *t, struct err *e)
{
    size_t first = t->n_traces;
    char cell[CSV_CELL_MAX];
    int r = csv_cell(c, cell, e);

    if (r == 0 && (!c->at || (!model && strcmp(cell, "time") != 0)))
        r = err_set(e, -EINVAL, "%s:%u: the first line must name the columns: time,MODEL,MODEL,...",
                    c->file, c->line);
    while (r == 0 && c->at) {
        struct trace *x;

        r = csv_cell(c, cell, e);
        if (r < 0)
            return r;
        if (!*cell)
            return err_set(e, -EINVAL, "%s:%u: a column without a name", c->file, c->line);
        x = trace_add(t, model ? model : cell);
        for (size_t i = first; i + 1 < t->n_traces && !model; i++)
            if (strcmp(t->traces[i].model, x->model) == 0)
                return err_set(e, -EINVAL, "%s:%u: two columns are named \"%s\"", c->file, c->line,
                               x->model);
    }
    return r;
}

static int read_row(struct csv *c, struct trace *columns, size_t n, struct err *e)
{
    char cell[CSV_CELL_MAX];
    double at_s = 0, value = 0;
    int r = csv_cell(c, cell, e);

    if (r == 0)
        r = csv_time(c, cell, &at_s, e);
    for (size_t i = 0; i < n && r == 0; i++) {
        r = csv_cell(c, cell, e);
        if (r == 0)
            r = csv_number(c, cell, "demand in req/s", &value, e);
        if (r == 0 && trace_point(&columns[i], at_s, value, e) < 0)
            r = err_prefix(e, -EINVAL, "%s:%u", c->file, c->line);
    }
    if (r == 0 && c->at)
        r = err_set(e, -EINVAL, "%s:%u: more values than the first line has names", c->file,
                    c->line);
    return r;
}

int trace_read_table(struct csv *c, const char *model, struct traces *t, struct err *e)
{
    size_t first = t->n_traces;
    int r = read_names(c, model, t, e);

    while (r == 0 && csv_line(c))
        r = read_row(c, &t->traces[first], t->n_traces - first, e);
    return r;
}
