/* Clients of ServeGen (Alibaba; "ServeGen: Workload Characterization and Generation of Large
 * Language Model Serving in Production", 2025): windows of ten minutes as lines without a title,
 * "t,rate,cv,family,p1,p2". A window in which no client of a service sent anything was not
 * recorded. See trace.h. */
#include "controller/simulate/trace.h"

int trace_read_servegen(struct csv *c, const char *model, struct traces *t, struct err *e)
{
    struct trace *x = trace_add(t, model);
    char cell[CSV_CELL_MAX];
    int r = 0;

    x->zero_unknown = true;
    do {
        double at_s = 0, rate = 0;

        r = csv_cell(c, cell, e);
        if (r == 0)
            r = csv_time(c, cell, &at_s, e);
        if (r == 0)
            r = csv_cell(c, cell, e);
        if (r == 0)
            r = csv_number(c, cell, "rate in req/s", &rate, e);
        if (r == 0 && (r = trace_point(x, at_s, rate, e)) < 0)
            r = err_prefix(e, r, "%s:%u", c->file, c->line);
    } while (r == 0 && csv_line(c));
    return r;
}
