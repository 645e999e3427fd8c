/* bench/openb: GPUs as devices with shares, pods that arrive one by one and never move.
 *
 *     openb [-o table|json] [-n SEEDS] [-s FIRST_SEED] [--all-nodes] NODES.csv PODS.csv ...
 *
 * The protocol of FGD (USENIX ATC 2023): pods in shuffled order, drawn until they ask for 130 % of
 * all GPUs; the mean over seeds. A kind of pod is a model; each arrival is one replica more, placed
 * by packing_place(), which knows of the arrivals so far and nothing else: its mix is learned again
 * every 20 arrivals up to 400, then every 200. Printed: share of GPU capacity allocated after all
 * arrivals and at 90 %, and waste at every tenth (GPUs of active nodes over those allocated, less
 * one), beside a bound that no placement of the same pods can be below. "With moves" is the same
 * with the planner's improvement at each tenth (openb_moves.h). Best fit and FGD run beside on the
 * same arrivals and are the gate: it fails unless both are within .3 of what FGD's authors
 * published. Nothing is overfilled: each seed is counted again. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/packing.h"
#include "proto/base/array.h"
#include "tests/bench/cost.h"
#include "tests/bench/number.h"
#include "tests/bench/openb_fgd.h"
#include "tests/bench/openb_moves.h"
#include "tests/bench/openb_peers.h"
#include "tests/bench/openb_trace.h"

#define SHARE 1.3
#define TENTHS 13

struct course { /* of one policy; means over seeds once divided */
    double allocated[TENTHS + 1], waste[TENTHS + 1]; /* share of capacity at k tenths of arrivals */
    double bound[TENTHS + 1];                        /* of the waste, of what was allocated */
    double moves[TENTHS + 1];
    double arrivals, final, us;
};

struct arena {
    const struct trace *trace;
    struct snapshot snapshot;
    struct plan_model *models;
    struct snap_model *snap_models;
    struct served_model *specs;
    char (*names)[24];
    struct power_pool pool;
    struct power_policy policy;
    struct snap_pool snap_pool;
    struct snap_policy snap_policy;
};

static void set_models(struct served_model *spec, char *list)
{
    AUTO(mem) char *copy = xstrdup(list);
    char *rest = copy;

    for (char *name; list[0] && (name = strsep(&rest, "|"));) {
        spec->resources.gpu_models.item =
            xrealloc(spec->resources.gpu_models.item,
                     (spec->resources.gpu_models.n + 1) * sizeof(*spec->resources.gpu_models.item));
        spec->resources.gpu_models.item[spec->resources.gpu_models.n++] = xstrdup(name);
    }
}

static void arena_init(struct arena *a, const struct trace *t)
{
    *a = (struct arena){ .trace = t,
                         .models = xcalloc(t->n_pods + 1, sizeof(*a->models)),
                         .snap_models = xcalloc(t->n_pods + 1, sizeof(*a->snap_models)),
                         .specs = xcalloc(t->n_pods + 1, sizeof(*a->specs)),
                         .names = xcalloc(t->n_pods + 1, sizeof(*a->names)),
                         .pool = { .max_awake = -1 },
                         .policy = { .strategy = STRATEGY_DEMAND,
                                     .quantile = 0.95,
                                     .budget = { .moves = -1, .sleeps = -1, .wakes = -1 } } };
    a->snap_policy =
        (struct snap_policy){ .name = "policy", .spec = &a->policy, .window_open = true };
    a->snap_pool = (struct snap_pool){ "pool", &a->pool, 0, 0 };
    for (size_t k = 0; k < t->n_pods; k++) {
        a->specs[k] = (struct served_model){
            .resources = { .cpu_milli = t->pods[k].cpu_milli,
                           .memory_bytes = t->pods[k].memory_bytes,
                           .gpu_milli = t->pods[k].gpu_milli },
            .placement = { .max_per_node = -1, .min_nodes = 1 },
        };
        set_models(&a->specs[k], t->pods[k].models);
        (void)snprintf(a->names[k], sizeof(*a->names), "m%06zu", k);
        a->snap_models[k] = (struct snap_model){ .name = a->names[k], .spec = &a->specs[k] };
    }
    a->snapshot = (struct snapshot){ .step_ms = 1000,
                                     .nodes = t->nodes,
                                     .models = a->snap_models,
                                     .pools = &a->snap_pool,
                                     .policies = &a->snap_policy,
                                     .n_nodes = (uint32_t)t->n_nodes,
                                     .n_models = (uint32_t)t->n_pods,
                                     .n_pools = 1,
                                     .n_policies = 1,
                                     .references = 1 };
}

static void arena_done(struct arena *a)
{
    for (uint32_t k = 0; k < a->snapshot.n_models; k++) {
        for (size_t i = 0; i < a->specs[k].resources.gpu_models.n; i++)
            free(a->specs[k].resources.gpu_models.item[i]);
        free(a->specs[k].resources.gpu_models.item);
    }
    free(a->models);
    free(a->snap_models);
    free(a->specs);
    free(a->names);
}

/* --- one run ------------------------------------------------------------------------------------
 */

enum policy { POLICY_HUDDLE, POLICY_MOVES, POLICY_BEST_FIT, POLICY_FGD, POLICIES };
static const char *const policy_names[POLICIES] = { "huddle", "with moves", "BestFit", "FGD" };

struct run {
    const struct arena *a;
    struct packing packing; /* huddle's */
    struct room *rooms;     /* a peer's */
    struct fgd *fgd;        /* FGD's */
    struct room_gpu *gpus;
    bool *active;
    struct moved *moved; /* huddle with moves */
    size_t pods, passed; /* arrived; and at the last pass */
    double allocated, asked, active_gpus;
};

static void run_init(struct run *r, const struct arena *a, enum policy policy)
{
    const struct trace *t = a->trace;
    size_t devices = (size_t)t->gpu_milli / 1000, at = 0;

    *r = (struct run){ .a = a, .active = xcalloc(t->n_nodes + 1, sizeof(*r->active)) };
    for (size_t k = 0; k < t->n_pods; k++)
        a->models[k].target = 0;
    if (policy == POLICY_HUDDLE || policy == POLICY_MOVES) {
        packing_init(&r->packing, &a->snapshot, a->models, UINT64_MAX);
        if (policy == POLICY_MOVES)
            r->moved = moved_new(&a->snapshot);
        return;
    }
    r->rooms = xcalloc(t->n_nodes + 1, sizeof(*r->rooms));
    r->gpus = xcalloc(devices + 1, sizeof(*r->gpus));
    for (size_t i = 0; i < t->n_nodes; i++) {
        room_init(&r->rooms[i], &t->nodes[i], r->gpus + at);
        at += t->nodes[i].n_gpus;
    }
    r->fgd = policy == POLICY_FGD ? fgd_new(t, a->specs) : NULL;
}

static void run_done(struct run *r)
{
    if (!r->rooms)
        packing_done(&r->packing);
    moved_free(r->moved);
    fgd_free(r->fgd);
    free(r->rooms);
    free(r->gpus);
    free(r->active);
}

static uint32_t arrive(struct run *r, uint32_t kind, size_t so_far)
{
    struct packing *p = &r->packing;
    uint32_t node;
    uint64_t mask;

    if (r->rooms) {
        node = r->fgd ? fgd_pick(r->fgd, r->rooms, kind, &mask)
                      : best_fit(r->a->trace, r->rooms, &r->a->specs[kind], &mask);
        if (node != NO_INDEX)
            room_take(&r->rooms[node], &r->a->trace->nodes[node], &r->a->specs[kind], mask);
        if (node != NO_INDEX && r->fgd)
            fgd_changed(r->fgd, node);
        return node;
    }
    r->a->models[kind].target++;
    if (so_far % (so_far <= 400 ? 20 : 200) == 0)
        packing_learn(p);
    return packing_place(p, kind) ? p->fresh[p->n_fresh - 1].node : NO_INDEX;
}

/* The planner's own pass over what stands, moving at most a twentieth of what arrived since. */
static uint32_t improve(struct run *r)
{
    uint32_t moves = moved_improve(r->moved, &r->packing, (int64_t)(r->pods - r->passed) / 20);

    r->passed = r->pods;
    r->active_gpus = 0;
    for (size_t n = 0; n < r->a->trace->n_nodes; n++) {
        r->active[n] = r->packing.held[n] > 0;
        r->active_gpus += r->active[n] ? 1000.0 * r->a->trace->nodes[n].n_gpus : 0;
    }
    return moves;
}

static void note(struct run *r, struct course *c, int tenth)
{
    double capacity = (double)r->a->trace->gpu_milli;

    if (r->moved)
        c->moves[tenth] += improve(r);
    if (!r->rooms)
        c->bound[tenth] += 1000 * openb_bound(&r->packing) / r->allocated - 1;
    c->allocated[tenth] += r->allocated / capacity;
    c->waste[tenth] += r->allocated > 0 ? r->active_gpus / r->allocated - 1 : 0;
}

/* What stands on each node, counted again from the seats. */
static bool overfilled(const struct run *r)
{
    const struct trace *t = r->a->trace;
    const struct packing *p = &r->packing;
    AUTO(mem) int64_t *cpu = xcalloc(t->n_nodes + 1, sizeof(*cpu));
    AUTO(mem) int64_t *memory = xcalloc(t->n_nodes + 1, sizeof(*memory));
    AUTO(mem) int64_t *gpu = xcalloc(64 * t->n_nodes + 1, sizeof(*gpu));

    for (size_t i = 0; i < p->s->n_replicas + p->n_fresh; i++) {
        const struct seat *seat = packing_seat(p, i);
        const struct pod *pod = &t->pods[seat->model];
        uint32_t devices = (uint32_t)__builtin_popcountll(seat->mask);

        cpu[seat->node] += pod->cpu_milli;
        memory[seat->node] += pod->memory_bytes;
        if ((int64_t)devices != (pod->gpu_milli + 999) / 1000)
            return true;
        for (uint32_t g = 0; g < 64; g++)
            if (seat->mask >> g & 1)
                gpu[64 * (size_t)seat->node + g] += pod->gpu_milli / (int64_t)devices;
    }
    for (size_t n = 0; n < t->n_nodes; n++) {
        if (cpu[n] > t->nodes[n].cpu_milli || memory[n] > t->nodes[n].memory_bytes)
            return true;
        for (uint32_t g = 0; g < 64; g++)
            if (gpu[64 * n + g] > (g < t->nodes[n].n_gpus ? 1000 : 0))
                return true;
    }
    return false;
}

static int run_seed(const struct arena *a, uint64_t seed, enum policy policy, struct course *c,
                    struct err *e)
{
    const struct trace *t = a->trace;
    uint32_t *kinds;
    size_t n = trace_arrivals(t, seed, SHARE, &kinds);
    double begin = cost_cpu_s();
    struct run r;
    int tenth = 1, result = 0;

    run_init(&r, a, policy);
    for (size_t i = 0; i < n; i++) {
        const struct pod *pod = &t->pods[kinds[i]];
        uint32_t node = arrive(&r, kinds[i], i);

        r.pods++;
        r.asked += (double)pod->gpu_milli;
        if (node != NO_INDEX) {
            r.allocated += (double)pod->gpu_milli;
            r.active_gpus += r.active[node] ? 0 : 1000.0 * t->nodes[node].n_gpus;
            r.active[node] = true;
        }
        for (; tenth <= TENTHS && r.asked >= 0.1 * tenth * (double)t->gpu_milli; tenth++)
            note(&r, c, tenth);
    }
    c->arrivals += (double)n;
    c->final += r.allocated / (double)t->gpu_milli;
    c->us += 1e6 * (cost_cpu_s() - begin) / (double)n;
    if (!r.rooms && overfilled(&r))
        result = err_set(e, -EPROTO, "a node is overfull at seed %llu", (unsigned long long)seed);
    run_done(&r);
    free(kinds);
    return result;
}

static void divide(struct course *c, double n)
{
    for (int k = 0; k <= TENTHS; k++) {
        c->allocated[k] /= n;
        c->waste[k] /= n;
        c->bound[k] /= n;
        c->moves[k] /= n;
    }
    c->arrivals /= n;
    c->final /= n;
    c->us /= n;
}

/* --- output -------------------------------------------------------------------------------------
 */

static void print_cell(double value)
{
    if (isnan(value))
        (void)printf(" %7s", "-");
    else
        (void)printf(" %7.2f", value);
}

static void print_tenths(const char *name, const double *values, double factor)
{
    (void)printf("\n  %-16s", name);
    for (int k = 1; k <= 9; k++)
        (void)printf(" %6.2f", factor * values[k]);
}

static bool as_published(const struct course *c, const struct published *p)
{
    return fabs(100 * c[POLICY_BEST_FIT].final - p->best_fit) <= 0.3 &&
           fabs(100 * c[POLICY_FGD].final - p->fgd) <= 0.3;
}

static void print_table(const char *pods, const struct trace *t, const struct course *c,
                        const struct published *p)
{
    double cells[] = { p->best_fit, p->dot_product, p->packing, p->random, p->fgd };

    (void)printf(
        "\n%s: %zu pods of %zu kinds, %zu nodes (%u without devices left out), %.0f GPUs\n", pods,
        t->n_list, t->n_pods, t->n_nodes, t->left_out, (double)t->gpu_milli / 1000);
    (void)printf("%-14s", "allocated, %");
    for (int i = 0; i < POLICIES; i++)
        (void)printf(" %10s", policy_names[i]);
    (void)printf(" | %7s %7s %7s %7s %7s\n", "BestFit", "DotProd", "Packing", "Random", "FGD");
    (void)printf("%-14s", "after 130 %");
    for (int i = 0; i < POLICIES; i++)
        (void)printf(" %10.2f", 100 * c[i].final);
    (void)fputs(" |", stdout);
    for (size_t i = 0; i < ARRAY_LEN(cells); i++)
        print_cell(cells[i]);
    (void)printf("  (right of the bar: published)\n%-14s", "at 90 %");
    for (int i = 0; i < POLICIES; i++)
        (void)printf(" %10.2f", 100 * c[i].allocated[9]);
    (void)printf("\n%-18s", "waste, % at");
    for (int k = 1; k <= 9; k++)
        (void)printf(" %4d %%", 10 * k);
    for (int i = 0; i < POLICIES; i++)
        print_tenths(policy_names[i], c[i].waste, 100);
    print_tenths("bound", c[POLICY_HUDDLE].bound, 100);
    print_tenths("moves", c[POLICY_MOVES].moves, 1);
    (void)printf("\nCPU per arrival, us:");
    for (int i = 0; i < POLICIES; i++)
        (void)printf(" %s %.0f%s", policy_names[i], c[i].us, i + 1 < POLICIES ? "," : "\n");
    if (!isnan(p->best_fit))
        (void)printf("gate: BestFit and FGD within .3 of published: %s\n",
                     as_published(c, p) ? "passed" : "FAILED");
}

static json_t *course_json(const struct course *c)
{
    json_t *allocated = json_array(), *waste = json_array(), *bound = json_array(),
           *moves = json_array();

    for (int k = 1; k <= TENTHS; k++) {
        json_array_append_new(allocated, json_real(100 * c->allocated[k]));
        json_array_append_new(waste, json_real(100 * c->waste[k]));
        json_array_append_new(bound, json_real(100 * c->bound[k]));
        json_array_append_new(moves, json_real(c->moves[k]));
    }
    return json_pack("{s:f, s:f, s:o, s:o, s:o, s:o, s:f}", "arrivals", c->arrivals,
                     "allocatedPercent", 100 * c->final, "allocatedPercentByTenth", allocated,
                     "wastePercentByTenth", waste, "wasteBoundPercentByTenth", bound,
                     "movesByTenth", moves, "cpuMicrosecondsPerArrival", c->us);
}

static json_t *number_or_null(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *list_json(const char *pods, const struct course *c, const struct published *p)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:{s:o, s:o}}", "pods", pods, "huddle",
                     course_json(&c[POLICY_HUDDLE]), "huddleWithMoves",
                     course_json(&c[POLICY_MOVES]), "bestFit", course_json(&c[POLICY_BEST_FIT]),
                     "fgd", course_json(&c[POLICY_FGD]), "published", "bestFit",
                     number_or_null(p->best_fit), "fgd", number_or_null(p->fgd));
}

/* --- arguments ----------------------------------------------------------------------------------
 */

struct options {
    bool json, all_nodes;
    uint64_t seeds, first;
};

/* *ret_passed becomes false where the gate fails. */
static int run_list(const struct options *o, const char *nodes, const char *pods, json_t *out,
                    bool *ret_passed, struct err *e)
{
    struct published p = published_of(pods);
    struct course courses[POLICIES] = { 0 };
    struct trace t;
    struct arena a;
    int r = trace_read(&t, nodes, pods, o->all_nodes, e);

    if (r < 0)
        return r;
    arena_init(&a, &t);
    for (int i = 0; i < POLICIES; i++) {
        for (uint64_t k = 0; k < o->seeds && r == 0; k++)
            r = run_seed(&a, o->first + k, (enum policy)i, &courses[i], e);
        divide(&courses[i], (double)o->seeds);
    }
    if (r == 0 && out)
        json_array_append_new(out, list_json(pods, courses, &p));
    else if (r == 0)
        print_table(pods, &t, courses, &p);
    if (r == 0 && !isnan(p.best_fit) && !as_published(courses, &p))
        *ret_passed = false;
    (void)fflush(stdout);
    arena_done(&a);
    trace_done(&t);
    return r;
}

static int usage(void)
{
    (void)fputs("usage: openb [-o table|json] [-n SEEDS] [-s FIRST_SEED] [--all-nodes] NODES.csv "
                "PODS.csv ...\n",
                stderr);
    return 2;
}

static bool read_option(struct options *o, int option, const char *value)
{
    switch (option) {
    case 'a':
        o->all_nodes = true;
        return true;
    case 'n':
        return number_whole(value, 1, UINT32_MAX, &o->seeds);
    case 's':
        return number_whole(value, 0, UINT32_MAX, &o->first);
    case 'o':
        o->json = strcmp(value, "json") == 0;
        return o->json || strcmp(value, "table") == 0;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = { { "all-nodes", no_argument, NULL, 'a' }, { 0 } };
    struct options o = { .seeds = 10, .first = 1 };
    struct err e = ERR_INIT;
    json_t *out = NULL;
    bool passed = true;
    int c, r = 0;

    while ((c = getopt_long(argc, argv, "o:n:s:", long_options, NULL)) != -1)
        if (!read_option(&o, c, optarg))
            return usage();
    if (optind + 1 >= argc)
        return usage();
    if (o.json)
        out = json_array();
    for (int i = optind + 1; i < argc && r == 0; i++)
        r = run_list(&o, argv[optind], argv[i], out, &passed, &e);
    if (r < 0)
        (void)fprintf(stderr, "openb: %s\n", e.text);
    else if (out)
        (void)json_dumpf(out, stdout, JSON_INDENT(1));
    else
        (void)puts("\nrepeat: make bench-openb OPENB=\"NODES.csv PODS.csv ...\"");
    json_decref(out);
    return r < 0 || !passed ? 1 : 0;
}
