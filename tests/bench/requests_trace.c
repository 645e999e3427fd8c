/* See requests_trace.h. */
#include "tests/bench/requests_trace.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/simulate/csv.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/file.h"

#define BYTES_MOST ((size_t)256 << 20)

static int by_time(const void *a, const void *b)
{
    const struct request *x = a, *y = b;

    return (x->at_s > y->at_s) - (x->at_s < y->at_s);
}

static void name_of(const char *path, char name[REQUESTS_NAME_MAX])
{
    const char *slash = strrchr(path, '/'), *from = slash ? slash + 1 : path;
    const char *last = strrchr(from, '_');
    size_t n = strcspn(last ? last + 1 : from, ".");

    (void)snprintf(name, REQUESTS_NAME_MAX, "%.*s", (int)n, last ? last + 1 : from);
}

static int read_tokens(struct csv *c, const char *what, double *ret, struct err *e)
{
    char cell[CSV_CELL_MAX];
    int r = csv_cell(c, cell, e);

    if (r == 0)
        r = csv_number(c, cell, what, ret, e);
    if (r == 0 && isnan(*ret))
        r = err_set(e, -EINVAL, "%s:%u: %s are missing", c->file, c->line, what);
    return r;
}

static int read_request(struct csv *c, struct service *s, struct err *e)
{
    struct request x = { 0 };
    char cell[CSV_CELL_MAX];
    int r = csv_cell(c, cell, e);

    if (r == 0)
        r = csv_time(c, cell, &x.at_s, e);
    if (r == 0)
        r = read_tokens(c, "context tokens", &x.context, e);
    if (r == 0)
        r = read_tokens(c, "generated tokens", &x.generated, e);
    if (r == 0)
        *ARRAY_ADD(s, requests) = x;
    return r;
}

int service_read(const char *path, struct service *ret_s, struct err *e)
{
    AUTO(mem) char *text = NULL;
    struct service s = { 0 };
    struct csv c;
    size_t n;
    int r = file_read(path, BYTES_MOST, &text, &n, e);

    if (r < 0)
        return r;
    c = csv_begin(path, text);
    (void)csv_line(&c); /* headings */
    while (r == 0 && csv_line(&c))
        r = read_request(&c, &s, e);
    if (r == 0 && s.n_requests == 0)
        r = err_set(e, -EINVAL, "%s: holds no \"time,context tokens,generated tokens\" lines",
                    path);
    if (r < 0 || !s.requests) {
        service_done(&s);
        return r;
    }
    qsort(s.requests, s.n_requests, sizeof(*s.requests), by_time);
    name_of(path, s.name);
    *ret_s = s;
    return 0;
}

void service_done(struct service *s)
{
    free(s->requests);
}
