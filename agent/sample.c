/* One look at the node, as plain data: see sample.h. */
#include "agent/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define PROBLEMS_MAX 64

void sample_clear(struct sample *s)
{
    struct sample empty = { .zones = s->zones,
                            .cap_zones = s->cap_zones,
                            .cpus = s->cpus,
                            .cap_cpus = s->cap_cpus,
                            .gpus = s->gpus,
                            .cap_gpus = s->cap_gpus,
                            .groups = s->groups,
                            .cap_groups = s->cap_groups,
                            .pods = s->pods,
                            .cap_pods = s->cap_pods,
                            .problems = s->problems,
                            .cap_problems = s->cap_problems };

    *s = empty;
}

void sample_done(struct sample *s)
{
    free(s->zones);
    free(s->cpus);
    free(s->gpus);
    free(s->groups);
    free(s->pods);
    free(s->problems);
    memset(s, 0, sizeof(*s));
}

/* The items of one array, into memory that only grows. */
static void *copy_items(void *to, size_t *cap, const void *from, size_t n, size_t size)
{
    if (*cap < n) {
        to = xrealloc(to, n * size);
        *cap = n;
    }
    if (n > 0)
        memcpy(to, from, n * size);
    return to;
}

#define COPY(field)                                                                     \
    (next.field = copy_items(to->field, &to->cap_##field, from->field, from->n_##field, \
                             sizeof(*from->field)),                                     \
     next.cap_##field = to->cap_##field)

void sample_copy(struct sample *to, const struct sample *from)
{
    struct sample next = *from;

    COPY(zones);
    COPY(cpus);
    COPY(gpus);
    COPY(groups);
    COPY(pods);
    COPY(problems);
    *to = next;
}

void sample_problem(struct sample *s, const char *what, const char *fix)
{
    ARRAY_FOREACH(p, s, problems) {
        if (strncmp(p->what, what, sizeof(p->what) - 1) == 0)
            return;
    }
    if (s->n_problems == PROBLEMS_MAX)
        return;
    struct sample_problem *p = ARRAY_ADD(s, problems);
    (void)snprintf(p->what, sizeof(p->what), "%s", what);
    (void)snprintf(p->fix, sizeof(p->fix), "%s", fix);
}
