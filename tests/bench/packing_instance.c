/* See packing_instance.h. */
#include "tests/bench/packing_instance.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

/* --- reading ------------------------------------------------------------------------------------
 */

static int next(FILE *f, const char *path, int64_t *ret, struct err *e)
{
    if (fscanf(f, "%" SCNd64, ret) != 1 || *ret < 0)
        return err_set(e, -EINVAL, "%s: a number of 0 or more is expected at byte %ld", path,
                       ftell(f));
    return 0;
}

static int add_kind(struct instance *i, const char *path, const int64_t *size, int64_t count,
                    struct err *e)
{
    bool some = false;

    for (uint32_t d = 0; d < i->n_dimensions; d++) {
        if (size[d] > i->capacity[d])
            return err_set(e, -EINVAL, "%s: a piece of %lld in a bin of %lld", path,
                           (long long)size[d], (long long)i->capacity[d]);
        some = some || size[d] > 0;
    }
    if (!some || count == 0)
        return 0;
    i->n_pieces += (uint32_t)count;
    ARRAY_FOREACH(k, i, kinds)
        if (memcmp(k->size, size, sizeof(k->size)) == 0) {
            k->count += (uint32_t)count;
            return 0;
        }
    memcpy(ARRAY_ADD(i, kinds)->size, size, sizeof(i->kinds->size));
    i->kinds[i->n_kinds - 1].count = (uint32_t)count;
    return 0;
}

static int read_line_form(FILE *f, const char *path, struct instance *i, struct err *e)
{
    int64_t n;
    int r = next(f, path, &n, e);

    i->n_dimensions = 1;
    r = r < 0 ? r : next(f, path, &i->capacity[0], e);
    for (int64_t k = 0; k < n && r == 0; k++) {
        int64_t size[BINS_DIMENSIONS] = { 0 };

        r = next(f, path, &size[0], e);
        r = r < 0 ? r : add_kind(i, path, size, 1, e);
    }
    return r;
}

static int read_vectors(FILE *f, const char *path, struct instance *i, struct err *e)
{
    int64_t n_dimensions, n_kinds = 0;
    int r = next(f, path, &n_dimensions, e);

    if (r == 0 && (n_dimensions < 1 || n_dimensions > BINS_DIMENSIONS))
        return err_set(e, -EINVAL, "%s: %lld dimensions; 1 to %u can be had", path,
                       (long long)n_dimensions, BINS_DIMENSIONS);
    i->n_dimensions = (uint32_t)n_dimensions;
    for (uint32_t d = 0; d < i->n_dimensions && r == 0; d++)
        r = next(f, path, &i->capacity[d], e);
    r = r < 0 ? r : next(f, path, &n_kinds, e);
    for (int64_t k = 0; k < n_kinds && r == 0; k++) {
        int64_t size[BINS_DIMENSIONS] = { 0 }, count;

        for (uint32_t d = 0; d < i->n_dimensions && r == 0; d++)
            r = next(f, path, &size[d], e);
        r = r < 0 ? r : next(f, path, &count, e);
        r = r < 0 ? r : add_kind(i, path, size, count, e);
    }
    return r;
}

int instance_read(const char *path, struct instance *ret, struct err *e)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t stem = strcspn(name, ".");
    struct instance i = { 0 };
    FILE *f = fopen(path, "re");
    int r;

    if (!f)
        return err_set(e, -errno, "%s: %s", path, strerror(errno));
    (void)snprintf(i.name, sizeof(i.name), "%.*s", (int)(stem < 63 ? stem : 63), name);
    r = strstr(name, ".vbp") ? read_vectors(f, path, &i, e) : read_line_form(f, path, &i, e);
    (void)fclose(f);
    if (r == 0 && i.n_kinds == 0)
        r = err_set(e, -EINVAL, "%s: no pieces", path);
    if (r < 0)
        instance_done(&i);
    else
        *ret = i;
    return r;
}

void instance_done(struct instance *i)
{
    free(i->kinds);
    i->kinds = NULL;
}

/* --- the peer -----------------------------------------------------------------------------------
 */

struct ranked {
    const struct bins_kind *kind;
    double size;
};

static int larger_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->kind < y->kind ? -1 : x->kind > y->kind;
}

static bool put_in(int64_t *left, const struct bins_kind *k)
{
    for (uint32_t d = 0; d < BINS_DIMENSIONS; d++)
        if (k->size[d] > left[d])
            return false;
    for (uint32_t d = 0; d < BINS_DIMENSIONS; d++)
        left[d] -= k->size[d];
    return true;
}

uint32_t instance_first_fit(const struct instance *i)
{
    AUTO(mem) struct ranked *order = xcalloc(i->n_kinds + 1, sizeof(*order));
    AUTO(mem) int64_t *left = xcalloc((size_t)i->n_pieces * BINS_DIMENSIONS + 1, sizeof(*left));
    uint32_t n_bins = 0;

    for (size_t k = 0; k < i->n_kinds; k++) {
        order[k].kind = &i->kinds[k];
        for (uint32_t d = 0; d < i->n_dimensions; d++)
            order[k].size += (double)i->kinds[k].size[d] / (double)i->capacity[d];
    }
    qsort(order, i->n_kinds, sizeof(*order), larger_first);
    for (size_t k = 0; k < i->n_kinds; k++)
        for (uint32_t piece = 0; piece < order[k].kind->count; piece++) {
            uint32_t n = 0;

            while (n < n_bins && !put_in(left + (size_t)n * BINS_DIMENSIONS, order[k].kind))
                n++;
            if (n < n_bins)
                continue;
            memcpy(left + (size_t)n_bins * BINS_DIMENSIONS, i->capacity, sizeof(i->capacity));
            (void)put_in(left + (size_t)n_bins++ * BINS_DIMENSIONS, order[k].kind);
        }
    return n_bins;
}

/* --- the cluster --------------------------------------------------------------------------------
 */

#define SHARES 1000

enum { CPU, MEMORY, DEVICE_MEMORY, DEVICE_SHARES };

/* kind[d]: what dimension d becomes. */
static int assign(const struct instance *i, int *kind, struct err *e)
{
    uint32_t shares = BINS_DIMENSIONS;
    int next_kind = CPU;

    for (uint32_t d = 0; i->n_dimensions == BINS_DIMENSIONS && d < BINS_DIMENSIONS; d++)
        if (i->capacity[d] > 0 && SHARES % i->capacity[d] == 0)
            shares = d;
    if (i->n_dimensions == BINS_DIMENSIONS && shares == BINS_DIMENSIONS)
        return err_set(e, -EINVAL,
                       "%s: of four dimensions, one must have a capacity that divides %d", i->name,
                       SHARES);
    for (uint32_t d = 0; d < i->n_dimensions; d++)
        kind[d] = d == shares ? DEVICE_SHARES : next_kind++;
    return 0;
}

static void set_spec(struct served_model *spec, const struct instance *i, const int *kind,
                     const struct bins_kind *k)
{
    *spec = (struct served_model){ .placement = { .max_per_node = -1, .min_nodes = 1 },
                                   .resources = { .gpu_memory_bytes = 0 } };
    for (uint32_t d = 0; d < i->n_dimensions; d++)
        switch (kind[d]) {
        case CPU:
            spec->resources.cpu_milli = k->size[d];
            break;
        case MEMORY:
            spec->resources.memory_bytes = k->size[d];
            break;
        case DEVICE_MEMORY:
            spec->resources.gpu_memory_bytes = k->size[d];
            break;
        default:
            spec->resources.gpu_milli = k->size[d] * (SHARES / i->capacity[d]);
        }
    if (spec->resources.gpu_memory_bytes > 0 && spec->resources.gpu_milli == 0)
        spec->resources.gpu_milli = 1; /* it uses the device */
}

static void set_node(struct snap_node *n, const struct instance_cluster *c,
                     const struct instance *i, const int *kind)
{
    *n = (struct snap_node){ .state = NODE_ASLEEP,
                             .wakeable = true,
                             .why_not_asleep = "",
                             .curve = node_curve_linear(100, 200),
                             .watts = NAN,
                             .utilization = NAN };
    for (uint32_t d = 0; d < i->n_dimensions; d++) {
        if (kind[d] == CPU)
            n->cpu_milli = i->capacity[d];
        if (kind[d] == MEMORY)
            n->memory_bytes = i->capacity[d];
        if (kind[d] >= DEVICE_MEMORY) {
            n->gpus = &c->device;
            n->n_gpus = 1;
        }
    }
}

int instance_cluster_init(struct instance_cluster *c, const struct instance *i, uint32_t n_nodes,
                          struct err *e)
{
    int kind[BINS_DIMENSIONS];
    int r = assign(i, kind, e);

    if (r < 0)
        return r;
    *c = (struct instance_cluster){
        .nodes = xcalloc(n_nodes + 1, sizeof(*c->nodes)),
        .models = xcalloc(i->n_kinds + 1, sizeof(*c->models)),
        .snap_models = xcalloc(i->n_kinds + 1, sizeof(*c->snap_models)),
        .specs = xcalloc(i->n_kinds + 1, sizeof(*c->specs)),
        .names = xcalloc(n_nodes + i->n_kinds + 1, sizeof(*c->names)),
        .policy = { .strategy = STRATEGY_DEMAND,
                    .quantile = 0.95,
                    .budget = { .moves = -1, .sleeps = -1, .wakes = -1 } },
        .device = { .model = "" },
        .pool = { .max_awake = -1 },
    };
    c->snap_policy =
        (struct snap_policy){ .name = "policy", .spec = &c->policy, .window_open = true };
    c->snap_pool = (struct snap_pool){ "pool", &c->pool, 0, 0 };
    for (uint32_t d = 0; d < i->n_dimensions; d++)
        if (kind[d] == DEVICE_MEMORY)
            c->device.memory_bytes = (uint64_t)i->capacity[d];
    for (uint32_t n = 0; n < n_nodes; n++) {
        set_node(&c->nodes[n], c, i, kind);
        (void)snprintf(c->names[n], sizeof(*c->names), "n%06u", n);
        c->nodes[n].name = c->names[n];
    }
    for (uint32_t m = 0; m < i->n_kinds; m++) {
        char *name = c->names[n_nodes + m];

        (void)snprintf(name, sizeof(*c->names), "m%06u", m);
        set_spec(&c->specs[m], i, kind, &i->kinds[m]);
        c->snap_models[m] = (struct snap_model){ .name = name, .spec = &c->specs[m] };
        c->models[m].target = i->kinds[m].count;
    }
    c->snapshot = (struct snapshot){ .step_ms = 1000,
                                     .nodes = c->nodes,
                                     .models = c->snap_models,
                                     .pools = &c->snap_pool,
                                     .policies = &c->snap_policy,
                                     .n_nodes = n_nodes,
                                     .n_models = (uint32_t)i->n_kinds,
                                     .n_pools = 1,
                                     .n_policies = 1,
                                     .references = 1 };
    return 0;
}

void instance_cluster_done(struct instance_cluster *c)
{
    free(c->nodes);
    free(c->models);
    free(c->snap_models);
    free(c->specs);
    free(c->names);
}
