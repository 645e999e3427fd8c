/* See openb_trace.h. */
#include "tests/bench/openb_trace.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/random.h"

#define FIELDS 16
#define WHOLE 1000
#define MIB (INT64_C(1) << 20)

struct table {
    FILE *f;
    const char *path;
    char header[1024], line[1024];
    char *names[FIELDS], *values[FIELDS];
    size_t n_names, n_values;
};

static size_t split(char *line, char **fields)
{
    size_t n = 0;

    line[strcspn(line, "\r\n")] = 0;
    for (char *field; n < FIELDS && (field = strsep(&line, ",")); n++)
        fields[n] = field;
    return n;
}

static int table_open(struct table *t, const char *path, struct err *e)
{
    *t = (struct table){ .f = fopen(path, "re"), .path = path };
    if (!t->f)
        return err_set(e, -errno, "%s: %s", path, strerror(errno));
    if (!fgets(t->header, sizeof(t->header), t->f)) {
        (void)fclose(t->f);
        return err_set(e, -EINVAL, "%s: empty", path);
    }
    t->n_names = split(t->header, t->names);
    return 0;
}

static bool table_next(struct table *t)
{
    if (!fgets(t->line, sizeof(t->line), t->f))
        return false;
    t->n_values = split(t->line, t->values);
    return t->n_values > 1;
}

static const char *text(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->n_names && i < t->n_values; i++)
        if (strcmp(t->names[i], name) == 0)
            return t->values[i];
    return "";
}

static int64_t number(const struct table *t, const char *name)
{
    return strtoll(text(t, name), NULL, 10);
}

static char *keep_name(struct trace *t, const char *name)
{
    for (size_t i = 0; i < t->n_names; i++)
        if (strcmp(t->names[i], name) == 0)
            return t->names[i];
    return *ARRAY_ADD(t, names) = xstrdup(name);
}

static int read_nodes(struct trace *t, const char *path, bool all_nodes, struct err *e)
{
    struct table table;
    int r = table_open(&table, path, e);

    while (r == 0 && table_next(&table)) {
        int64_t n_gpus = number(&table, "gpu");
        struct snap_node *n;
        struct snap_gpu *gpus;

        if (n_gpus > 64 || number(&table, "cpu_milli") <= 0) {
            r = err_set(e, -EINVAL, "%s: a node needs cpu_milli, and gpu up to 64", path);
            break;
        }
        if (n_gpus == 0 && !all_nodes) {
            t->left_out++;
            continue;
        }
        gpus = xcalloc((size_t)n_gpus + 1, sizeof(*gpus));
        for (int64_t g = 0; g < n_gpus; g++)
            gpus[g].model = keep_name(t, text(&table, "model"));
        n = ARRAY_ADD(t, nodes);
        *n = (struct snap_node){ .name = keep_name(t, text(&table, "sn")),
                                 .state = NODE_AWAKE,
                                 .schedulable = true,
                                 .why_not_asleep = "",
                                 .cpu_milli = number(&table, "cpu_milli"),
                                 .memory_bytes = number(&table, "memory_mib") * MIB,
                                 .gpus = gpus,
                                 .n_gpus = (uint32_t)n_gpus,
                                 .watts = NAN,
                                 .utilization = NAN };
        t->gpu_milli += WHOLE * n_gpus;
    }
    (void)(table.f && fclose(table.f));
    return r;
}

static void add_pod(struct trace *t, const struct pod *pod)
{
    size_t k = 0;

    while (k < t->n_pods &&
           (t->pods[k].cpu_milli != pod->cpu_milli ||
            t->pods[k].memory_bytes != pod->memory_bytes ||
            t->pods[k].gpu_milli != pod->gpu_milli || strcmp(t->pods[k].models, pod->models) != 0))
        k++;
    if (k == t->n_pods)
        *ARRAY_ADD(t, pods) = *pod;
    t->pods[k].count++;
    *ARRAY_ADD(t, list) = (uint32_t)k;
}

static int read_pods(struct trace *t, const char *path, struct err *e)
{
    struct table table;
    int r = table_open(&table, path, e);

    while (r == 0 && table_next(&table)) {
        int64_t n = number(&table, "num_gpu");

        add_pod(t, &(struct pod){ .cpu_milli = number(&table, "cpu_milli"),
                                  .memory_bytes = number(&table, "memory_mib") * MIB,
                                  .gpu_milli = n == 1 ? number(&table, "gpu_milli") : n * WHOLE,
                                  .models = keep_name(t, text(&table, "gpu_spec")) });
    }
    (void)(table.f && fclose(table.f));
    return r;
}

int trace_read(struct trace *t, const char *nodes, const char *pods, bool all_nodes, struct err *e)
{
    int r;

    *t = (struct trace){ 0 };
    r = read_nodes(t, nodes, all_nodes, e);
    r = r < 0 ? r : read_pods(t, pods, e);
    if (r == 0 && (t->gpu_milli == 0 || t->n_list == 0))
        r = err_set(e, -EINVAL, "%s, %s: no devices or no pods", nodes, pods);
    if (r < 0)
        trace_done(t);
    return r;
}

void trace_done(struct trace *t)
{
    ARRAY_FOREACH(n, t, nodes)
        free((void *)(uintptr_t)n->gpus);
    ARRAY_FOREACH(name, t, names)
        free(*name);
    free(t->nodes);
    free(t->pods);
    free(t->list);
    free(t->names);
    *t = (struct trace){ 0 };
}

size_t trace_arrivals(const struct trace *t, uint64_t seed, double share, uint32_t **ret_kinds)
{
    struct random r = random_stream(seed, 0x6f70656e, 0, 0);
    double limit = share * (double)t->gpu_milli, sum = 0;
    size_t n = t->n_list, cap = 2 * t->n_list + 16;
    uint32_t *out = xcalloc(cap, sizeof(*out));

    memcpy(out, t->list, n * sizeof(*out));
    for (size_t i = 0; i < n; i++)
        sum += (double)t->pods[out[i]].gpu_milli;
    for (size_t i = n; i > 1; i--) {
        size_t j = random_below(&r, i);
        uint32_t swap = out[i - 1];

        out[i - 1] = out[j];
        out[j] = swap;
    }
    while (sum > limit && n > 0)
        sum -= (double)t->pods[out[--n]].gpu_milli; /* shuffled: any one */
    while (sum < limit) {
        uint32_t kind = t->list[random_below(&r, t->n_list)];

        if (n == cap) {
            cap *= 2;
            out = xrealloc(out, cap * sizeof(*out));
        }
        out[n++] = kind;
        sum += (double)t->pods[kind].gpu_milli;
    }
    *ret_kinds = out;
    return n;
}
