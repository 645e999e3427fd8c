/* See trace.h. */
#include "controller/simulate/trace.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

/* --- traces -------------------------------------------------------------------------------------
 */

/* As a Kubernetes name: lower case, letters, digits, '-' and '.'. */
static void name_model(char out[TRACE_NAME_MAX], const char *name)
{
    size_t n = 0;

    for (; *name && n + 1 < TRACE_NAME_MAX; name++) {
        char ch = (char)tolower((unsigned char)*name);
        bool good = isalnum((unsigned char)ch) || ch == '.';

        if (good || (n > 0 && out[n - 1] != '-'))
            out[n++] = good ? ch : '-';
    }
    while (n > 0 && !isalnum((unsigned char)out[n - 1]))
        n--;
    out[n] = '\0';
}

struct trace *trace_add(struct traces *t, const char *model)
{
    struct trace *x = ARRAY_ADD(t, traces);

    name_model(x->model, model);
    return x;
}

int trace_point(struct trace *t, double at_s, double value, struct err *e)
{
    if (t->n_points > 0 && at_s <= t->points[t->n_points - 1].at_s)
        return err_set(e, -EINVAL, "not later than the row before");
    *ARRAY_ADD(t, points) = (struct trace_point){ at_s, value };
    return 0;
}

void traces_done(struct traces *t)
{
    ARRAY_FOREACH(x, t, traces)
        free(x->points);
    free(t->traces);
    *t = (struct traces){ 0 };
}

/* --- what a file is -----------------------------------------------------------------------------
 */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* "data/m-small.csv" is of "m-small". */
static const char *name_of(const char *file, char out[TRACE_NAME_MAX])
{
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
    const char *dot = strrchr(base, '.');

    (void)snprintf(out, TRACE_NAME_MAX, "%.*s", (int)(dot && dot > base ? dot - base : 63), base);
    return out;
}

static int read_any(const char *file, const char *text, const char *model, const char *label,
                    struct traces *t, struct err *e)
{
    struct csv c = csv_begin(file, text);
    const char *named = model;
    char own[TRACE_NAME_MAX];

    if (c.text[strspn(c.text, " \t\r\n")] == '{')
        return trace_read_matrix(file, c.text, model, label, 0, t, e);
    if (!csv_line(&c))
        return err_set(e, -EINVAL, "%s: nothing in it", file);
    if (!named)
        named = name_of(file, own);
    if (begins(c.at, "time_ms,"))
        return trace_read_recording(&c, named, t, e);
    if (begins(c.at, "TIMESTAMP,") || begins(c.at, "gmt_create,"))
        return trace_read_requests(&c, named, t, e);
    if (isdigit((unsigned char)*c.at))
        return trace_read_servegen(&c, named, t, e);
    if (begins(c.at, "t,value"))
        return trace_read_table(&c, named, t, e);
    if (!begins(c.at + (*c.at == '"'), "time"))
        return err_set(
            e, -EINVAL,
            "%s:%u: the first line must name the columns: time,MODEL,MODEL,... (huddlectl "
            "simulate --help names the other files that are read)",
            file, c.line);
    if (model)
        return err_set(e, -EINVAL, "%s:%u: its columns name the models: leave \"%.60s=\" out", file,
                       c.line, model);
    return trace_read_table(&c, NULL, t, e);
}

int trace_read(const char *file, const char *text, const char *model, const char *label,
               struct traces *t, struct err *e)
{
    size_t first = t->n_traces;
    int r = read_any(file, text, model, label, t, e);

    for (size_t i = first; r == 0 && i < t->n_traces; i++)
        if (!t->traces[i].model[0])
            r = err_set(
                e, -EINVAL,
                "%s: a model's name there has no letter and no digit (ASCII): rename it, or "
                "say MODEL=%s where the file is of one model",
                file, file);
    return r;
}
