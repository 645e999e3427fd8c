/* Logs of requests, one line each, the time first: arrivals are counted in steps of 15 s. Lines may
 * be out of order by as much as they like. See trace.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "controller/simulate/trace.h"
#include "proto/base/array.h"

#define STEP_S 15.0
#define STEPS_MOST 4300000.0 /* two years */

struct arrivals {
    double *at_s;
    size_t n_at_s, cap_at_s;
};

static int count(struct arrivals *a, struct trace *x, struct err *e)
{
    double from_s;
    size_t at = 0;

    qsort(a->at_s, a->n_at_s, sizeof(*a->at_s), array_by_double);
    from_s = floor(a->at_s[0] / STEP_S) * STEP_S;
    if ((a->at_s[a->n_at_s - 1] - from_s) / STEP_S > STEPS_MOST)
        return err_set(e, -EINVAL, "more than two years");
    for (double t = from_s; at < a->n_at_s; t += STEP_S) {
        size_t before = at;

        while (at < a->n_at_s && a->at_s[at] < t + STEP_S)
            at++;
        (void)trace_point(x, t, (double)(at - before) / STEP_S, e);
    }
    return 0;
}

int trace_read_requests(struct csv *c, const char *model, struct traces *t, struct err *e)
{
    struct arrivals a = { 0 };
    char cell[CSV_CELL_MAX];
    int r = 0;

    while (r == 0 && csv_line(c)) {
        double at_s = 0;

        r = csv_cell(c, cell, e);
        if (r == 0)
            r = csv_time(c, cell, &at_s, e);
        if (r == 0)
            *ARRAY_ADD(&a, at_s) = at_s;
    }
    if (r == 0 && a.n_at_s == 0)
        r = err_set(e, -EINVAL, "%s: no request in it", c->file);
    if (r == 0 && count(&a, trace_add(t, model), e) < 0)
        r = err_prefix(e, -EINVAL, "%s", c->file);
    free(a.at_s);
    return r;
}
