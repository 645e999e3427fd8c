/* See history.h. */
#include "controller/simulate/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"

#define STEPS_MOST 4300000u /* two years */
#define CELL_MAX 64
#define HOLE 1.5

struct row {
    double at_s;
    size_t values; /* first of its values */
};

struct reading {
    const char *file;
    uint32_t line, n_models;
    struct row *rows;
    size_t n_rows, cap_rows;
    double *values; /* NAN: not known */
    size_t n_values, cap_values;
};

/* --- text ---------------------------------------------------------------------------------------
 */

/* The next cell of a line, blanks around it cut off; *at moves behind its comma, or to NULL. */
static int next_cell(const struct reading *h, const char **at, char cell[CELL_MAX], struct err *e)
{
    size_t n = strcspn(*at, ",\r\n"), from = strspn(*at, " \t\"");
    const char *begin = *at;

    *at = begin[n] == ',' ? begin + n + 1 : NULL;
    from = from < n ? from : n;
    while (n > from && strchr(" \t\"", begin[n - 1]))
        n--;
    if (n - from >= CELL_MAX)
        return err_set(e, -EINVAL, "%s:%u: a cell of more than %d bytes", h->file, h->line,
                       CELL_MAX - 1);
    memcpy(cell, begin + from, n - from);
    cell[n - from] = '\0';
    return 0;
}

static int read_names(struct reading *h, const char *line, struct history *out, struct err *e)
{
    char cell[CELL_MAX];
    int r = next_cell(h, &line, cell, e);

    if (r < 0)
        return r;
    if (strcmp(cell, "time") != 0 || !line)
        return err_set(e, -EINVAL,
                       "%s:%u: the first line must name the columns: time,MODEL,MODEL,...", h->file,
                       h->line);
    out->names = xcalloc(RACK_MODELS_MAX, CELL_MAX);
    while (line) {
        char *name = out->names + (size_t)h->n_models * CELL_MAX;

        if (h->n_models == RACK_MODELS_MAX)
            return err_set(e, -EINVAL, "%s:%u: more than %d models", h->file, h->line,
                           RACK_MODELS_MAX);
        r = next_cell(h, &line, name, e);
        if (r < 0)
            return r;
        if (!*name)
            return err_set(e, -EINVAL, "%s:%u: a column without a name", h->file, h->line);
        if (h->n_models > 0 && strcmp(name - CELL_MAX, name) >= 0)
            return err_set(e, -EINVAL,
                           "%s:%u: \"%s\" stands behind \"%s\": models are named once each, in "
                           "alphabetical order",
                           h->file, h->line, name, name - CELL_MAX);
        out->load.model[h->n_models++].name = name;
    }
    return 0;
}

static int read_time(const struct reading *h, const char *cell, double *ret_s, struct err *e)
{
    int64_t wall_ms;
    char *end;

    if (clock_parse(cell, &wall_ms) == 0) {
        *ret_s = (double)wall_ms / 1000;
        return 0;
    }
    *ret_s = strtod(cell, &end);
    if (!*cell || *end || !isfinite(*ret_s))
        return err_set(e, -EINVAL, "%s:%u: \"%s\" is no time (seconds, or 2026-11-01T00:00:00Z)",
                       h->file, h->line, cell);
    if (h->n_rows > 0 && *ret_s <= h->rows[h->n_rows - 1].at_s)
        return err_set(e, -EINVAL, "%s:%u: not later than the row before", h->file, h->line);
    return 0;
}

static int read_value(const struct reading *h, const char *cell, double *ret_value, struct err *e)
{
    char *end;

    *ret_value = NAN;
    if (!*cell)
        return 0;
    *ret_value = strtod(cell, &end);
    if (*end || *ret_value < 0 || isinf(*ret_value))
        return err_set(e, -EINVAL, "%s:%u: \"%s\" is no demand in req/s (empty: not known)",
                       h->file, h->line, cell);
    return 0;
}

static int read_row(struct reading *h, const char *line, struct err *e)
{
    char cell[CELL_MAX];
    double at_s = 0, value;
    uint32_t n = 0;
    int r = next_cell(h, &line, cell, e);

    if (r == 0)
        r = read_time(h, cell, &at_s, e);
    if (r < 0)
        return r;
    *ARRAY_ADD(h, rows) = (struct row){ at_s, h->n_values };
    for (; line && r == 0; n++) {
        r = next_cell(h, &line, cell, e);
        if (r == 0)
            r = read_value(h, cell, &value, e);
        if (r == 0)
            *ARRAY_ADD(h, values) = value;
    }
    if (r == 0 && n != h->n_models)
        r = err_set(e, -EINVAL, "%s:%u: %u values for %u models", h->file, h->line, n, h->n_models);
    return r;
}

static int read_text(struct reading *h, const char *text, struct history *out, struct err *e)
{
    int r = 0;

    for (; *text && r == 0; text += strcspn(text, "\n"), text += *text == '\n') {
        h->line++;
        if (text[strspn(text, " \t\r")] == '\n' || text[strspn(text, " \t\r")] == '\0')
            continue;
        r = h->n_models == 0 ? read_names(h, text, out, e) : read_row(h, text, e);
    }
    if (r == 0 && h->n_rows < 2)
        return err_set(e, -EINVAL, "%s: fewer than two rows of demand", h->file);
    return r;
}

/* --- layout -------------------------------------------------------------------------------------
 */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The median distance of rows. */
static double usual_step(const struct reading *h)
{
    double *d = xcalloc(h->n_rows, sizeof(*d)), median;

    for (size_t i = 1; i < h->n_rows; i++)
        d[i - 1] = h->rows[i].at_s - h->rows[i - 1].at_s;
    qsort(d, h->n_rows - 1, sizeof(*d), ascending);
    median = d[(h->n_rows - 1) / 2];
    free(d);
    return median;
}

/* Steps are told from the row in which they begin; of rows closer than a step the mean is taken. */
static void lay_out(const struct reading *h, double usual_s, struct history *out)
{
    size_t row = 0, n = out->load.n_steps;

    for (size_t t = 0; t < n; t++) {
        double from_s = h->rows[0].at_s + (double)t * HISTORY_STEP_S;
        size_t last;

        while (row + 1 < h->n_rows && h->rows[row + 1].at_s <= from_s)
            row++;
        last = row;
        while (last + 1 < h->n_rows && h->rows[last + 1].at_s < from_s + HISTORY_STEP_S &&
               usual_s < HISTORY_STEP_S)
            last++;
        out->blind[t] = from_s >= h->rows[row].at_s + HOLE * usual_s && usual_s > HISTORY_STEP_S;
        for (uint32_t m = 0; m < h->n_models; m++) {
            double sum = 0, *to = &out->rate[m * n + t];

            for (size_t k = row; k <= last; k++)
                sum += h->values[h->rows[k].values + m];
            out->blind[t] |= isnan(sum);
            *to = !isnan(sum) ? sum / (double)(last - row + 1) : t > 0 ? to[-1] : 0;
        }
    }
}

int history_parse(const char *file, const char *text, struct history *ret_h, struct err *e)
{
    struct reading h = { .file = file };
    struct history out = { .load = { .step_s = HISTORY_STEP_S } };
    double usual_s = 0, steps = 0;
    int r = read_text(&h, text, &out, e);

    if (r == 0) {
        usual_s = usual_step(&h);
        steps =
            floor((h.rows[h.n_rows - 1].at_s + usual_s - h.rows[0].at_s) / (4 * HISTORY_STEP_S));
        if (steps < 1 || 4 * steps > STEPS_MOST)
            r = err_set(e, -EINVAL, "%s: %s", file,
                        steps < 1 ? "less than a minute of demand" : "more than two years");
    }
    if (r == 0) {
        out.load.n_models = h.n_models;
        out.load.n_steps = 4 * (size_t)steps; /* whole minutes */
        out.load.rate = out.rate = xcalloc(h.n_models * out.load.n_steps, sizeof(*out.rate));
        out.load.blind = out.blind = xcalloc(out.load.n_steps, sizeof(*out.blind));
        lay_out(&h, usual_s, &out);
        *ret_h = out;
    } else {
        history_done(&out);
    }
    free(h.rows);
    free(h.values);
    return r;
}

void history_done(struct history *h)
{
    free(h->rate);
    free(h->blind);
    free(h->names);
}
