/* bench/scale: what a plan for a large cluster costs, through the planner that the controller runs.
 *
 *     scale [-o table|json] [-s STEPS] [--seed SEED] [--svg FILE] [--last] NODES REPLICAS
 *
 * From 100 nodes on, with replicas in proportion, up to NODES (`--last`: that size alone), a
 * made-up cluster (scale_world.h) with three hours of demand behind it is planned for:
 *
 *   spread  the first plan for a cluster as found: every node awake, all replicas spread thinly
 *   cold    the first plan where nothing runs and every node sleeps
 *   next    the plan after the first one was carried out and one node in a hundred failed and the
 *           demand for two replicas in a hundred changed: the slowest of five such rounds
 *
 * CPU seconds of the one thread; how they grow is the slope of a line fitted to their logarithms.
 * STEPS is the planner's search budget; by default that of the controller. Fails when a target is
 * missed at 10,000 nodes or fewer: 2 s, .2 s, 400 MB resident (Y6). */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/brain.h"
#include "tests/bench/cost.h"
#include "tests/bench/number.h"
#include "tests/bench/scale_plot.h"
#include "tests/bench/scale_world.h"

#define TARGET_FIRST_S 2.0
#define TARGET_NEXT_S 0.2
#define TARGET_MB 400.0
#define HISTORY 180
#define ROUNDS 5

struct options {
    bool json, last;
    const char *svg;
    uint64_t steps, seed;
    uint32_t nodes, replicas;
};

static struct plan *plan_once(struct brain *b, struct scale_world *w, uint64_t steps, bool nodes,
                              double *ret_s)
{
    struct snapshot *s = scale_world_snapshot(w, nodes);
    struct plan *p = NULL;
    struct err e = ERR_INIT;
    double begin = cost_cpu_s();

    if (brain_plan(b, s, steps, &p, &e) < 0) {
        (void)fprintf(stderr, "scale: %s\n", e.text);
        exit(1);
    }
    *ret_s = cost_cpu_s() - begin;
    snapshot_unref(s);
    return p;
}

static void look_back(struct brain *b, struct scale_world *w)
{
    double unused;

    for (int i = 0; i < HISTORY; i++)
        plan_free(plan_once(b, w, 0, false, &unused));
}

static struct scale_first first_of(const struct plan *p, double s)
{
    return (struct scale_first){ .s = s,
                                 .awake = p->awake_target,
                                 .bound = p->bound_nodes,
                                 .moves = p->moves,
                                 .proven = strstr(p->summary, "not proven") == NULL };
}

static void run_spread(const struct options *o, struct scale_row *row)
{
    struct brain *b = brain_new(o->seed);
    struct scale_world w;
    bool proven = true;
    struct plan *p;
    double s;

    scale_world_init(&w, row->nodes, row->replicas, true, o->seed);
    look_back(b, &w);
    p = plan_once(b, &w, o->steps, true, &s);
    row->spread = first_of(p, s);
    for (int round = 0; round < ROUNDS; round++) {
        scale_world_carry_out(&w, p);
        plan_free(p);
        scale_world_change(&w);
        p = plan_once(b, &w, o->steps, true, &s);
        proven = proven && first_of(p, s).proven;
        if (s > row->next.s)
            row->next = first_of(p, s);
    }
    row->next.proven = proven; /* of every round, not of the slowest alone */
    plan_free(p);
    scale_world_done(&w);
    brain_free(b);
}

static void run_cold(const struct options *o, struct scale_row *row)
{
    struct brain *b = brain_new(o->seed);
    struct scale_world w;
    struct plan *p;
    double s;

    scale_world_init(&w, row->nodes, row->replicas, false, o->seed);
    look_back(b, &w);
    p = plan_once(b, &w, o->steps, true, &s);
    row->cold = first_of(p, s);
    plan_free(p);
    scale_world_done(&w);
    brain_free(b);
}

static size_t list_sizes(const struct options *o, struct scale_row *rows)
{
    static const uint32_t sizes[] = { 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000 };
    size_t n = 0;

    for (size_t i = 0; !o->last && i < sizeof(sizes) / sizeof(sizes[0]); i++)
        if (sizes[i] < o->nodes)
            rows[n++].nodes = sizes[i];
    rows[n++].nodes = o->nodes;
    for (size_t i = 0; i < n; i++)
        rows[i].replicas = (uint32_t)((uint64_t)o->replicas * rows[i].nodes / o->nodes);
    return n;
}

static int usage(void)
{
    (void)fputs("usage: scale [-o table|json] [-s STEPS] [--seed SEED] [--svg FILE] [--last] "
                "NODES, 10..100000 REPLICAS, 10..2000000\n",
                stderr);
    return 2;
}

static bool read_option(struct options *o, int option, const char *value)
{
    switch (option) {
    case 's':
        return number_whole(value, 0, UINT64_MAX, &o->steps);
    case 'r':
        return number_whole(value, 0, UINT64_MAX, &o->seed);
    case 'g':
        o->svg = value;
        return true;
    case 'l':
        o->last = true;
        return true;
    case 'o':
        o->json = strcmp(value, "json") == 0;
        return o->json || strcmp(value, "table") == 0;
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct options *o)
{
    static const struct option options[] = { { "seed", required_argument, NULL, 'r' },
                                             { "svg", required_argument, NULL, 'g' },
                                             { "last", no_argument, NULL, 'l' },
                                             { 0 } };
    uint64_t nodes = 0, replicas = 0;
    int c;

    *o = (struct options){ .steps = BRAIN_STEPS, .seed = 1 };
    while ((c = getopt_long(argc, argv, "o:s:", options, NULL)) != -1)
        if (!read_option(o, c, optarg))
            return false;
    if (argc != optind + 2 || !number_whole(argv[optind], 10, 100000, &nodes) ||
        !number_whole(argv[optind + 1], 10, 2000000, &replicas))
        return false;
    o->nodes = (uint32_t)nodes;
    o->replicas = (uint32_t)replicas;
    return true;
}

int main(int argc, char **argv)
{
    struct scale_row rows[16] = { 0 };
    struct scale_report report = { .rows = rows };
    struct options o;
    struct err e = ERR_INIT;
    double now_mb;

    if (!parse(argc, argv, &o))
        return usage();
    report.n_rows = list_sizes(&o, rows);
    for (size_t i = 0; i < report.n_rows; i++) {
        run_spread(&o, &rows[i]);
        run_cold(&o, &rows[i]);
        cost_resident(&now_mb, &rows[i].peak_mb);
    }
    scale_judge(&report, &(struct scale_targets){ TARGET_FIRST_S, TARGET_NEXT_S, TARGET_MB });
    if (o.json)
        scale_print_json(&report);
    else
        scale_print(&report);
    if (o.svg && scale_draw(&report, o.svg, &e) < 0) {
        (void)fprintf(stderr, "scale: %s\n", e.text);
        return 1;
    }
    return report.missed ? 1 : 0;
}
