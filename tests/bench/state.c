/* make bench-state: how much memory the controller's core keeps for a full-sized cluster.
 *
 * 10,000 nodes send real reports of 100,000 replicas of 200 models, which the core adopts; then
 * every history is filled to its end: each node's, each model's and the cluster's series, four
 * weeks of demand by the minute, and as many power marks as a node keeps. What is counted is what
 * malloc says is in use, part by part, so that a figure is the same on every machine of a kind. The
 * target is the state with one picture of it for the planner. What the whole process takes is said
 * too: the bench's own, with a batch of effects that touches all. */
#include <getopt.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/core.h"
#include "proto/base/array.h"
#include "tests/bench/cost.h"
#include "tests/bench/fleet.h"
#include "tests/bench/number.h"

#define TARGET_MB 400.0
#define MODEL_REPLICAS_MOST 4096
#define MB 1e6
#define START_WALL_MS INT64_C(1760000000000)
#define WEEKS_MS (INT64_C(28) * 86400000)

struct bench {
    json_t *parts; /* instead of printing; or NULL */
    struct fleet fleet;
    struct controller *core;
    struct effects fx;
    int64_t now_ms, wall_ms;
    size_t part_begins; /* bytes in use */
    double total_mb;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "bench-state: %s\n", what);
    exit(1);
}

static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

/* Prints what came since the last call. */
static void part(struct bench *b, const char *what, size_t n)
{
    size_t now = in_use();
    double bytes = (double)now - (double)b->part_begins;

    if (b->parts)
        json_array_append_new(b->parts, json_pack("{s:s, s:f, s:I}", "part", what, "MB", bytes / MB,
                                                  "items", (json_int_t)n));
    else
        (void)printf("%-34s %8.1f MB %9.0f bytes each of %zu\n", what, bytes / MB,
                     bytes / (double)n, n);
    b->total_mb += bytes / MB;
    b->part_begins = now;
}

/* --- what the core is told ----------------------------------------------------------------------
 */

static void step(struct bench *b, struct controller_event *event)
{
    event->wall_ms = b->wall_ms;
    controller_step(b->core, event, b->now_ms, &b->fx);
    effects_done(&b->fx);
}

static void tick(struct bench *b)
{
    struct controller_event event = { .kind = CE_TICK };

    b->now_ms += 5000;
    b->wall_ms += 5000;
    step(b, &event);
}

static void put(struct bench *b, const char *text)
{
    struct controller_event event = { .kind = CE_PUT };
    struct manifest *m = NULL;
    struct err e = ERR_INIT;
    json_t *doc = json_loads(text, 0, NULL);

    if (!doc || manifest_from_json(doc, "bench", &m, &e) < 0)
        die(e.text[0] ? e.text : "a manifest is not JSON");
    event.put.object = m;
    event.put.who = "bench";
    step(b, &event);
    manifest_free(m);
    json_decref(doc);
}

static void declare(struct bench *b)
{
    const struct fleet *f = &b->fleet;
    char text[640], name[FLEET_NAME_MAX];

    put(b, "{\"apiVersion\":\"huddle.energy/v1alpha1\",\"kind\":\"PowerPolicy\","
           "\"metadata\":{\"name\":\"default\"},\"spec\":{\"interval\":\"1m\"}}");
    put(b, "{\"apiVersion\":\"huddle.energy/v1alpha1\",\"kind\":\"PowerPool\","
           "\"metadata\":{\"name\":\"rack\"},\"spec\":{}}");
    for (size_t node = 0; node < f->n_nodes; node += f->model_nodes) {
        fleet_model(f, node, name);
        (void)snprintf(text, sizeof(text),
                       "{\"apiVersion\":\"huddle.energy/v1alpha1\",\"kind\":\"ServedModel\","
                       "\"metadata\":{\"name\":\"%s\",\"labels\":{\"team\":\"bench\"}},"
                       "\"spec\":{\"replicas\":{\"min\":%zu,\"max\":4096},"
                       "\"capacity\":{\"requestsPerSecond\":100},"
                       "\"demand\":{\"source\":\"metrics\",\"path\":\"/metrics\"},"
                       "\"process\":{\"command\":[\"/bin/true\"]}}}",
                       name, f->model_nodes * f->n_replicas);
        put(b, text);
    }
}

static void report(struct bench *b, size_t node)
{
    struct strbuf bytes = STRBUF_INIT;
    struct controller_event event = { .kind = CE_REPORT };
    struct wire_report *w = NULL;
    struct err e = ERR_INIT;

    fleet_report(&b->fleet, node, &bytes);
    if (wire_report_decode((const uint8_t *)strbuf_text(&bytes), bytes.length, &w, &e) < 0)
        die(e.text);
    event.report = w;
    step(b, &event);
    wire_report_free(w);
    strbuf_done(&bytes);
}

/* Twice: the first report says where the counters stand. */
static void live(struct bench *b)
{
    for (int round = 0; round < 2; round++) {
        for (size_t node = 0; node < b->fleet.n_nodes; node++)
            report(b, node);
        tick(b);
    }
}

/* --- weeks --------------------------------------------------------------------------------------
 */

static void fill(struct series *s, int64_t until_ms)
{
    for (int64_t at = until_ms - WEEKS_MS; at < until_ms; at += 900000)
        series_add(s, at, at + 900000, 100);
    for (int64_t at = until_ms; at < until_ms + 1800000; at += 5000)
        series_add(s, at, at + 5000, 1);
}

static void fill_node(struct bench *b, struct node *n)
{
    fill(&n->joules, b->wall_ms);
    for (int i = 0; i < POWER_MARKS_MOST; i++)
        marks_add(&n->power_marks, POWER_MARKS_MOST, i % 2 ? MARK_UP : MARK_ASLEEP,
                  b->wall_ms - WEEKS_MS + i * 1000);
}

static void fill_model(struct bench *b, struct model *m)
{
    static const float values[DEMAND_CHUNK];
    int64_t step_ms = m->demand.step_ms, steps = b->wall_ms / step_ms;

    fill(&m->idle_j, b->wall_ms);
    fill(&m->dynamic_j, b->wall_ms);
    fill(&m->request_count, b->wall_ms);
    fill(&m->error_count, b->wall_ms);
    demand_done(&m->demand); /* as after a start */
    demand_init(&m->demand, step_ms);
    for (int64_t at = steps - DEMAND_STEPS; at < steps; at += DEMAND_CHUNK)
        demand_restore(&m->demand, at, values, DEMAND_CHUNK);
    if (m->demand.open - m->demand.first < DEMAND_STEPS - DEMAND_CHUNK)
        die("the demand series is not full");
}

static void fill_cluster(struct bench *b)
{
    struct cluster *k = b->core->cluster;
    struct series *all[] = {
        &k->energy.measured_j, &k->energy.estimated_j, &k->energy.always_j, &k->energy.error_j,
        &k->energy.used_cost,  &k->energy.always_cost, &k->awake,           &k->request_count
    };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        fill(all[i], b->wall_ms);
    for (int64_t i = 0; i < MOVE_MARKS_MOST; i++)
        marks_add(&k->move_marks, MOVE_MARKS_MOST, 0, b->wall_ms - WEEKS_MS + i * 1000);
}

/* ------------------------------------------------------------------------------------------------
 */

static void print_json(const struct bench *b, double now_mb, double peak_mb)
{
    const struct cluster *k = b->core->cluster;
    json_t *root = json_pack(
        "{s:s, s:I, s:I, s:I, s:O, s:f, s:f, s:f, s:f, s:b}", "repeat", "make bench-state", "nodes",
        (json_int_t)k->nodes.n_items, "replicas", (json_int_t)k->replicas.n_items, "models",
        (json_int_t)k->models.n_items, "parts", b->parts, "MB", b->total_mb, "residentMB", now_mb,
        "residentPeakMB", peak_mb, "targetMB", TARGET_MB, "missed", b->total_mb > TARGET_MB);

    (void)json_dumpf(root, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    (void)putchar('\n');
    json_decref(root);
}

static int measure(struct bench *b)
{
    const struct controller_options options = { .cluster_id = "bench", .seed = 1, .instance = 1 };
    struct cluster *k;
    struct snapshot *picture;
    struct err e = ERR_INIT;
    double now_mb, peak_mb;

    b->part_begins = in_use();
    if (controller_new(&options, b->now_ms, b->wall_ms, NULL, NULL, &b->fx, &b->core, &e) < 0)
        die(e.text);
    k = b->core->cluster;
    declare(b);
    part(b, "models as declared", k->models.n_items);
    live(b);
    if (k->nodes.n_items != b->fleet.n_nodes ||
        k->replicas.n_items < b->fleet.n_nodes * b->fleet.n_replicas)
        die("nodes or replicas are missing");
    part(b, "nodes and replicas as reported", k->replicas.n_items);
    for (size_t i = 0; i < k->nodes.n_items; i++)
        fill_node(b, cluster_node(k, i));
    part(b, "four weeks of each node", k->nodes.n_items);
    for (size_t i = 0; i < k->models.n_items; i++)
        fill_model(b, cluster_model(k, i));
    part(b, "four weeks of each model", k->models.n_items);
    fill_cluster(b);
    part(b, "four weeks of the cluster", 1);
    picture = controller_snapshot(b->core, b->now_ms, b->wall_ms);
    part(b, "a picture for the planner", 1);
    snapshot_unref(picture);
    cost_resident(&now_mb, &peak_mb);
    if (b->parts)
        print_json(b, now_mb, peak_mb);
    else
        (void)printf(
            "%zu nodes, %zu replicas, %zu models: %.0f MB in use; the whole process %.0f MB, at "
            "its peak %.0f MB; target: %.0f MB in use: %s\nrepeat: make bench-state\n",
            k->nodes.n_items, k->replicas.n_items, k->models.n_items, b->total_mb, now_mb, peak_mb,
            TARGET_MB, b->total_mb <= TARGET_MB ? "reached" : "MISSED");
    return b->total_mb <= TARGET_MB ? 0 : 1;
}

struct options {
    bool json;
    uint64_t nodes, replicas, model_nodes;
};

static bool read_option(struct options *o, int option, const char *value)
{
    switch (option) {
    case 'n':
        return number_whole(value, 1, 99999, &o->nodes);
    case 'r':
        return number_whole(value, 1, FLEET_REPLICAS_MOST, &o->replicas);
    case 'm':
        return number_whole(value, 1, MODEL_REPLICAS_MOST, &o->model_nodes);
    case 'o':
        o->json = strcmp(value, "json") == 0;
        return o->json || strcmp(value, "table") == 0;
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct options *o)
{
    int c;

    *o = (struct options){ .nodes = 10000, .replicas = 10, .model_nodes = 50 };
    while ((c = getopt(argc, argv, "n:r:m:o:")) != -1)
        if (!read_option(o, c, optarg))
            return false;
    return optind == argc && o->model_nodes * o->replicas <= MODEL_REPLICAS_MOST;
}

int main(int argc, char **argv)
{
    struct bench b = { .now_ms = 1000000, .wall_ms = START_WALL_MS };
    struct options o;
    int r;

    if (!parse(argc, argv, &o)) {
        (void)fputs("usage: state [-o table|json] [-n NODES] [-r REPLICAS of each, up to 16] [-m "
                    "NODES of one model, "
                    "with up to 4096 replicas]\n",
                    stderr);
        return 2;
    }
    b.parts = o.json ? json_array() : NULL;
    fleet_init(&b.fleet, o.nodes, o.replicas, o.model_nodes);
    r = measure(&b);
    controller_free(b.core);
    effects_done(&b.fx);
    fleet_done(&b.fleet);
    json_decref(b.parts);
    return r;
}
