/* top: who draws how much now, and has used how much. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/cli/columns.h"
#include "controller/cli/human.h"
#include "controller/cli/listing.h"
#include "controller/cli/look.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define REFRESH_S 2
#define NAME_COLUMN                               \
    {                                             \
        "NAME", "metadata.name", show_text, false \
    }
#define END                     \
    {                           \
        NULL, NULL, NULL, false \
    }

static double sum(double a, double b)
{
    return isfinite(a) && isfinite(b) ? a + b : isfinite(a) ? a : b;
}

static double node_joules(const json_t *o)
{
    return sum(look_number(o, "status.energy.measuredJ"),
               look_number(o, "status.energy.estimatedJ"));
}

static double replica_joules(const json_t *o)
{
    return sum(look_number(o, "status.energyIdleJ"), look_number(o, "status.energyDynamicJ"));
}

/* A replica has no meter: what it used since its start, over that time. */
static double replica_watts(const json_t *o, int64_t now_ms)
{
    int64_t begin_ms = look_time(o, "metadata.creationTimestamp");

    return begin_ms && now_ms - begin_ms >= 1000
               ? replica_joules(o) * 1000 / (double)(now_ms - begin_ms)
               : NAN;
}

static void show_node_joules(struct table *t, const json_t *o, int64_t now_ms)
{
    char text[HUMAN_MAX];

    (void)now_ms;
    table_cell(t, human_joules(node_joules(o), text), PAINT_NONE);
}

static void show_total_joules(struct table *t, const json_t *o, int64_t now_ms)
{
    char text[HUMAN_MAX];

    (void)now_ms;
    table_cell(t, human_joules(replica_joules(o), text), PAINT_NONE);
}

static void show_average(struct table *t, const json_t *o, int64_t now_ms)
{
    char text[HUMAN_MAX];

    table_cell(t, human_watts(replica_watts(o, now_ms), text), PAINT_NONE);
}

static const struct column NODE[] = {
    NAME_COLUMN,
    { "STATE", "", show_node_flags, false },
    { "REPLICAS", "status.replicas", show_count, false },
    { "UTIL", "status.utilization", show_share, false },
    { "MEMORY", "status.memoryUsedBytes", show_bytes, false },
    { "WATTS", "status.watts", show_watts, false },
    { "METER", "status.wattsProvenance", show_text, false },
    { "JOULES", "", show_node_joules, false },
    { "OF NO REPLICA", "status.energy.unattributedJ", show_joules, true },
    { "CPU", "status.capacity.cpuMilli", show_cpu, true },
    END,
};

static const struct column MODEL[] = {
    NAME_COLUMN,
    { "READY", "", show_ready, false },
    { "DEMAND", "status.demand", show_number, false },
    { "LATENCY", "status.latencyMs", show_ms, false },
    { "WATTS", "status.watts", show_watts, false },
    { "JOULES", "", show_total_joules, false },
    { "WORK", "status.energyDynamicJ", show_joules, false },
    { "IDLE", "status.energyIdleJ", show_joules, false },
    { "REQUESTS", "status.requests", show_number, true },
    { "ERRORS", "status.errors", show_number, true },
    END,
};

static const struct column REPLICA[] = {
    NAME_COLUMN,
    { "MODEL", "spec.model", show_text, false },
    { "NODE", "spec.node", show_text, false },
    { "LOAD", "status.load", show_number, false },
    { "IN-FLIGHT", "status.inFlight", show_number, false },
    { "MEMORY", "status.memoryBytes", show_bytes, false },
    { "AVG WATTS", "", show_average, false },
    { "JOULES", "", show_total_joules, false },
    { "WORK", "status.energyDynamicJ", show_joules, true },
    { "IDLE", "status.energyIdleJ", show_joules, true },
    END,
};

/* The kinds that draw power, with columns of their own. */
static int kind_for(const char *word, struct kind *ret, struct err *e)
{
    static const struct {
        const char *kind;
        const struct column *columns;
    } TOPS[] = { { "Node", NODE }, { "ServedModel", MODEL }, { "Replica", REPLICA } };
    const struct kind *r = kind_find(word, e);

    for (size_t i = 0; r && i < ARRAY_LEN(TOPS); i++) {
        if (strcmp(r->name, TOPS[i].kind) == 0) {
            *ret = *r;
            ret->columns = TOPS[i].columns;
            return 0;
        }
    }
    return r ? err_set(e, -EINVAL, "%s draw no power; there are nodes, models and replicas",
                       r->plural)
             : -EINVAL;
}

/* --- order -------------------------------------------------------------------------------------
 */

struct ranked {
    const json_t *object;
    double watts;
};

static int by_watts(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    double p = isfinite(x->watts) ? x->watts : -1, q = isfinite(y->watts) ? y->watts : -1;

    if (p != q)
        return p < q ? 1 : -1;
    return strcmp(look_name(x->object), look_name(y->object));
}

static size_t rank(const json_t *list, const char *selector, int64_t now_ms, struct ranked **ret)
{
    const json_t *items = look(list, "items");
    struct ranked *ranked = xcalloc(json_array_size(items) + 1, sizeof(*ranked));
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *object = json_array_get(items, i);
        double watts = look_number(object, "status.watts");

        if (!labels_match(selector, object))
            continue;
        ranked[n++] =
            (struct ranked){ object, isfinite(watts) ? watts : replica_watts(object, now_ms) };
    }
    qsort(ranked, n, sizeof(*ranked), by_watts);
    *ret = ranked;
    return n;
}

/* --- one look ----------------------------------------------------------------------------------
 */

static void add_sum(struct writer *w, const struct ranked *ranked, size_t n)
{
    double watts = NAN;
    size_t unknown = 0;
    char text[HUMAN_MAX];

    for (size_t i = 0; i < n; i++) {
        unknown += isfinite(ranked[i].watts) ? 0 : 1;
        watts = sum(watts, ranked[i].watts);
    }
    strbuf_printf(&w->out, "\n%s together", human_watts(watts, text));
    if (unknown)
        strbuf_printf(&w->out, "; %zu of %zu not known", unknown, n);
    strbuf_putc(&w->out, '\n');
}

static int look_once(struct cli *c, const struct kind *r, bool redraw, struct err *e)
{
    AUTO(writer) struct writer w;
    AUTO(mem) struct ranked *ranked = NULL;
    json_t *list = NULL;
    size_t n;

    if (listing_get(&c->session, r, NULL, &list, e) < 0)
        return -1;
    c->now_ms = clock_wall_ms();
    (void)writer_init(&w, options_get(&c->options, OPT_OUTPUT), NULL);
    w.colour = c->colour;
    w.no_headers = options_on(&c->options, OPT_NO_HEADERS);
    w.now_ms = c->now_ms;
    n = rank(list, options_get(&c->options, OPT_SELECTOR), c->now_ms, &ranked);
    for (size_t i = 0; i < n; i++)
        writer_item(&w, r, ranked[i].object);
    writer_end(&w);
    if (w.ops->human && n > 0 && !w.no_headers)
        add_sum(&w, ranked, n);
    if (redraw)
        (void)fputs("\033[H\033[2J", stdout);
    cli_print(&w.out);
    json_decref(list);
    return fflush(stdout) != 0 ? -1 : 0;
}

int verb_top(struct cli *c)
{
    bool watch = options_on(&c->options, OPT_WATCH);
    struct kind kind;
    struct err e = ERR_INIT;
    struct writer probe;

    if (kind_for(c->options.operands[0], &kind, &e) < 0 ||
        labels_check(options_get(&c->options, OPT_SELECTOR), &e) < 0 ||
        writer_init(&probe, options_get(&c->options, OPT_OUTPUT), &e) < 0)
        return cli_usage(c, "%s", e.text);
    if (cli_connect(c))
        return EXIT_FAILED;
    if (look_once(c, &kind, watch && isatty(STDOUT_FILENO), &e) < 0)
        return cli_fail(&e);
    while (watch) {
        (void)nanosleep(&(struct timespec){ .tv_sec = REFRESH_S }, NULL);
        if (!isatty(STDOUT_FILENO))
            (void)putchar('\n');
        if (look_once(c, &kind, isatty(STDOUT_FILENO), &e) < 0)
            return cli_fail(&e);
    }
    return EXIT_DONE;
}
