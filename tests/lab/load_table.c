/* Reading the table and drawing arrivals: see load_table.h. */
#include "tests/lab/load_table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

static void header_read(struct load_table *t, char *line)
{
    char *rest = NULL;

    (void)strtok_r(line, ",\n", &rest);
    for (char *name = strtok_r(NULL, ",\n", &rest); name; name = strtok_r(NULL, ",\n", &rest)) {
        t->names = xrealloc(t->names, (t->n_names + 1) * sizeof(*t->names));
        t->names[t->n_names++] = xstrdup(name);
    }
}

static int row_read(struct load_table *t, const char *line, struct err *e)
{
    size_t width = 1 + t->n_names;
    double *row;

    t->rows = xrealloc(t->rows, (t->n_rows + 1) * width * sizeof(*t->rows));
    row = t->rows + t->n_rows * width;
    for (size_t i = 0; i < width; i++) {
        char *end;

        row[i] = strtod(line, &end);
        if (end == line || *end != (i + 1 < width ? ',' : '\n') || !isfinite(row[i]) || row[i] < 0)
            return err_set(e, -EBADMSG, "expected %zu numbers, not negative", width);
        line = end + 1;
    }
    if (t->n_rows > 0 && row[0] <= row[-(ptrdiff_t)width])
        return err_set(e, -EBADMSG, "expected a later time than in the row before");
    t->n_rows++;
    return 0;
}

int load_table_read(const char *path, struct load_table *ret_table, struct err *e)
{
    struct load_table t = { 0 };
    FILE *f = fopen(path, "re");
    char line[4096];
    int r = 0;

    if (!f)
        return err_errno(e, -errno, "%s", path);
    for (int number = 1; r == 0 && fgets(line, sizeof(line), f); number++) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (t.n_names == 0)
            header_read(&t, line);
        else
            r = row_read(&t, line, e);
        if (r < 0)
            (void)err_prefix(e, r, "%s:%d", path, number);
    }
    (void)fclose(f);
    if (r == 0 && (t.n_names == 0 || t.n_rows < 2))
        r = err_set(e, -EBADMSG, "%s: expected a header and two rows at least", path);
    if (r < 0) {
        load_table_done(&t);
        return r;
    }
    *ret_table = t;
    return 0;
}

void load_table_done(struct load_table *t)
{
    for (size_t i = 0; i < t->n_names; i++)
        free(t->names[i]);
    free(t->names);
    free(t->rows);
}

double load_table_end_s(const struct load_table *t)
{
    return t->rows[(t->n_rows - 1) * (1 + t->n_names)];
}

double load_table_rate(const struct load_table *t, size_t column, double at_s)
{
    size_t width = 1 + t->n_names;

    for (size_t i = 1; i < t->n_rows; i++) {
        const double *low = t->rows + (i - 1) * width, *high = low + width;

        if (at_s <= high[0]) {
            double part = fmax(0, (at_s - low[0]) / (high[0] - low[0]));

            return low[1 + column] + (high[1 + column] - low[1 + column]) * part;
        }
    }
    return 0;
}

int load_table_column(const struct load_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_names; i++)
        if (strcmp(t->names[i], name) == 0)
            return (int)i;
    return -1;
}

void arrivals_init(struct arrivals *a, const struct load_table *t, size_t column, unsigned seed)
{
    *a = (struct arrivals){ .table = t, .column = column };
    a->random = random_stream(seed, column, 0, 0);
    for (size_t i = 0; i < t->n_rows; i++)
        a->highest = fmax(a->highest, t->rows[i * (1 + t->n_names) + 1 + column]);
    arrivals_next(a);
}

void arrivals_next(struct arrivals *a)
{
    double end = load_table_end_s(a->table);

    do {
        a->next_s += a->highest > 0 ? -log(random_unit(&a->random)) / a->highest : HUGE_VAL;
        if (a->next_s >= end)
            a->next_s = HUGE_VAL;
    } while (a->next_s < end && random_unit(&a->random) * a->highest >=
                                    load_table_rate(a->table, a->column, a->next_s));
}
