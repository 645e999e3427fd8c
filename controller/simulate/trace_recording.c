/* The demand in a recording of the agent: how many CPUs of the node were busy. See trace.h. */
#include <errno.h>

#include "controller/simulate/recording.h"
#include "controller/simulate/trace.h"

int trace_read_recording(struct csv *c, const char *model, struct traces *t, struct err *e)
{
    struct recording x;
    struct trace *to;
    int r = recording_read(c, &x, e);

    if (r < 0)
        return r;
    to = trace_add(t, model);
    to->unit = TRACE_CPUS;
    for (size_t i = 0; i < x.n_rows && r == 0; i++)
        if (trace_point(to, x.rows[i].at_s, x.rows[i].busy, e) < 0)
            r = err_prefix(e, -EINVAL, "%s", c->file);
    recording_done(&x);
    return r;
}
