/* See recording.h. */
#include "controller/simulate/recording.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/energy/node_curve.h"
#include "proto/base/array.h"

#define SPREAD_LEAST 0.2

enum column { AT, CPUS, BUSY, IDLE, MEASURED, ESTIMATED, GAPS, COLUMNS };

static const char *const NAMES[COLUMNS] = { "time_ms",  "cpus",        "busy_s", "idle_s",
                                            "energy_j", "estimated_j", "gaps" };

struct line {
    double value[COLUMNS]; /* NAN: not known */
};

/* --- lines --------------------------------------------------------------------------------------
 */

static int read_names(struct csv *c, enum column *ret_of, size_t *ret_n, struct err *e)
{
    char cell[CSV_CELL_MAX];
    bool found[COLUMNS] = { false };

    for (*ret_n = 0; c->at && *ret_n < 32; (*ret_n)++) {
        int k = 0, r = csv_cell(c, cell, e);

        if (r < 0)
            return r;
        while (k < COLUMNS && strcmp(cell, NAMES[k]) != 0)
            k++;
        ret_of[*ret_n] = (enum column)k;
        if (k < COLUMNS)
            found[k] = true;
    }
    for (int k = 0; k < COLUMNS; k++)
        if (!found[k])
            return err_set(e, -EINVAL, "%s:%u: no column %s, as huddle-agent --record writes it",
                           c->file, c->line, NAMES[k]);
    return 0;
}

static int read_line(struct csv *c, const enum column *of, size_t n, struct line *ret,
                     struct err *e)
{
    char cell[CSV_CELL_MAX];
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        r = csv_cell(c, cell, e);
        if (r == 0 && of[i] != COLUMNS)
            r = csv_number(c, cell, NAMES[of[i]], &ret->value[of[i]], e);
    }
    return r;
}

static double grown(const struct line *was, const struct line *is, enum column k)
{
    double by = is->value[k] - was->value[k];

    return by >= 0 ? by : NAN;
}

static void add_row(struct recording *r, const struct line *was, const struct line *is)
{
    double seconds = grown(was, is, AT) / 1000, cpus = is->value[CPUS];
    double spent = grown(was, is, BUSY) + grown(was, is, IDLE);
    double joules = grown(was, is, MEASURED) + grown(was, is, ESTIMATED);

    if (!(seconds > 0) || !(cpus > 0) || !(spent > 0))
        return;
    *ARRAY_ADD(r, rows) = (struct recording_row){
        .at_s = was->value[AT] / 1000,
        .seconds = seconds,
        .cpus = cpus,
        .busy = cpus * grown(was, is, BUSY) / spent,
        .watts = grown(was, is, GAPS) > 0 ? NAN : joules / seconds,
    };
}

int recording_read(struct csv *c, struct recording *ret, struct err *e)
{
    struct line was = { { 0 } };
    enum column of[32];
    size_t n, lines = 0;
    int r = read_names(c, of, &n, e);

    *ret = (struct recording){ 0 };
    while (r == 0 && csv_line(c)) {
        struct line is = { { 0 } };

        r = read_line(c, of, n, &is, e);
        if (r == 0 && lines++ > 0)
            add_row(ret, &was, &is);
        was = is;
    }
    if (r == 0 && ret->n_rows < 2)
        r = err_set(e, -EINVAL, "%s: fewer than two intervals of which the agent knew the CPUs",
                    c->file);
    if (r < 0)
        recording_done(ret);
    return r;
}

void recording_done(struct recording *r)
{
    free(r->rows);
    *r = (struct recording){ 0 };
}

/* --- the curve ----------------------------------------------------------------------------------
 */

/* A straight line through all of it by least squares: the prior, and what is supposed where the
 * node never was. */
static bool fit_line(const struct recording *r, double *ret_idle_w, double *ret_full_w)
{
    double n = 0, su = 0, sw = 0, suu = 0, suw = 0, least = 1, most = 0, slope;

    for (size_t i = 0; i < r->n_rows; i++) {
        const struct recording_row *x = &r->rows[i];
        double u = x->busy / x->cpus;

        if (!(x->watts > 0))
            continue;
        n += x->seconds;
        su += x->seconds * u;
        sw += x->seconds * x->watts;
        suu += x->seconds * u * u;
        suw += x->seconds * u * x->watts;
        least = fmin(least, u);
        most = fmax(most, u);
    }
    if (most - least < SPREAD_LEAST)
        return false;
    slope = fmax(0, (n * suw - su * sw) / (n * suu - su * su));
    *ret_idle_w = fmax(1, (sw - slope * su) / n);
    *ret_full_w = *ret_idle_w + slope;
    return true;
}

int recording_curve(const struct recording *r, double ret_watts[11], struct err *e)
{
    struct node_curve c;
    double idle_w, full_w;

    if (!fit_line(r, &idle_w, &full_w))
        return err_set(e, -EINVAL,
                       "its known watts span less than %.0f %% of the CPUs' load: record while the "
                       "node goes from idle to busy, or give watts as numbers",
                       100 * SPREAD_LEAST);
    c = node_curve_linear(idle_w, full_w);
    for (size_t i = 0; i < r->n_rows; i++)
        node_curve_learn(&c, r->rows[i].busy / r->rows[i].cpus, r->rows[i].watts,
                         r->rows[i].seconds, PROVENANCE_MEASURED);
    memcpy(ret_watts, c.watts, sizeof(c.watts));
    return 0;
}
