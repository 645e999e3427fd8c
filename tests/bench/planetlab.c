/* bench/planetlab: consolidation of machines whose demand fluctuates, in the field's arena.
 *
 *     planetlab [-o table|json] [--keep-idle] [--references] [--svg FILE] FOLDER ...
 *     planetlab --choose [--keep-idle] FOLDER ...
 *
 * --choose judges the prices on days on which they were not chosen (planetlab_choice.h).
 * --keep-idle is the variant in which machines that ask for nothing live on. huddle is its planner
 * of tenants whose use fluctuates (tenancy.h), with its default prices.
 *
 * A folder is a day: a file a machine, 288 lines of CPU percent. The arena is planetlab_arena.h.
 * Beside huddle stand the policies of CloudSim: as measured there (cloudsim-results.tsv beside the
 * folder), or run here where nothing is known or with --references, which is also the gate: kWh to
 * six decimals and migrations must be those of the file. --svg draws energy against violations. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "tests/bench/chart.h"
#include "tests/bench/planetlab_arena.h"
#include "tests/bench/planetlab_choice.h"
#include "tests/bench/planetlab_huddle.h"

struct row {
    char day[64], policy[32];
    struct pl_result result;
    const char *origin; /* "here", "CloudSim" */
    int gate;           /* 1: as in the file, -1: not, 0: nothing to compare with */
};

struct bench {
    bool json, keep_idle, references, choose;
    struct row *rows;
    size_t n_rows, cap_rows;
};

static const struct {
    const char *name, *in_file;
    double parameter;
} references[] = {
    { "dvfs", "dvfs", 0 },         { "thr", "thr_mmt_0.8", 0.8 }, { "iqr", "iqr_mmt_1.5", 1.5 },
    { "mad", "mad_mmt_2.5", 2.5 }, { "lr", "lr_mmt_1.2", 1.2 },
};

/* --- what CloudSim reached ----------------------------------------------------------------------
 */

static const char *day_of(const char *folder)
{
    const char *slash = strrchr(folder, '/');

    return slash ? slash + 1 : folder;
}

/* Columns: version day policy order hosts vms sim_end_s energy_kWh migrations SLATAH_pct PDM_pct
 * SLAV_pct ESV. */
static bool look_up(const char *folder, const char *policy, struct pl_result *ret)
{
    const char *day = day_of(folder);
    char path[1024], line[1024], its_day[64], its_policy[64], order[32];
    bool found = false;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%.*scloudsim-results.tsv", (int)(day - folder), folder);
    f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof(line), f)) {
        struct pl_result r = { 0 };
        double slav;

        if (sscanf(line, "3.0.3 %63s %63s %31s %*s %*s %*s %lf %u %lf %lf %lf %lf", its_day,
                   its_policy, order, &r.kwh, &r.migrations, &r.slatah, &r.pdm, &slav, &r.esv) != 9)
            continue;
        found = strcmp(its_day, day) == 0 && strcmp(its_policy, policy) == 0 &&
                strcmp(order, "sorted") == 0;
        if (found)
            *ret = r;
    }
    if (f)
        (void)fclose(f);
    return found;
}

/* --- runs ---------------------------------------------------------------------------------------
 */

static int run_policy(struct bench *b, const char *folder, const char *name,
                      const struct pl_policy *p, struct row **ret_row, struct err *e)
{
    AUTO(mem) struct pl_arena *a = xcalloc(1, sizeof(*a));
    int r = pl_arena_init(a, folder, b->keep_idle, e);
    struct row *row;

    if (r < 0)
        return r;
    r = pl_arena_run(a, p, e);
    if (r == 0) {
        row = ARRAY_ADD(b, rows);
        *row = (struct row){ .result = a->result, .origin = "here" };
        (void)snprintf(row->day, sizeof(row->day), "%.63s", day_of(folder));
        (void)snprintf(row->policy, sizeof(row->policy), "%s", name);
        *ret_row = row;
    }
    pl_arena_done(a);
    return r;
}

static int run_reference(struct bench *b, const char *folder, size_t k, struct err *e)
{
    struct pl_reference state = { .name = references[k].name,
                                  .parameter = references[k].parameter };
    struct pl_policy p = pl_reference_policy(&state);
    struct pl_result known;
    bool is_known = !b->keep_idle && look_up(folder, references[k].in_file, &known);
    struct row *row = NULL;
    int r = 0;

    if (is_known && !b->references) {
        row = ARRAY_ADD(b, rows);
        *row = (struct row){ .result = known, .origin = "CloudSim" };
        (void)snprintf(row->day, sizeof(row->day), "%.63s", day_of(folder));
        (void)snprintf(row->policy, sizeof(row->policy), "%s", references[k].in_file);
        return 0;
    }
    r = run_policy(b, folder, references[k].in_file, &p, &row, e);
    pl_reference_done(&state);
    if (r == 0 && is_known)
        row->gate =
            fabs(row->result.kwh - known.kwh) < 1e-6 && row->result.migrations == known.migrations
                ? 1
                : -1;
    return r;
}

static int run_huddle(struct bench *b, const char *folder, struct err *e)
{
    struct pl_huddle state = { 0 };
    struct pl_policy p = pl_huddle_policy(&state);
    struct row *row;
    int r = run_policy(b, folder, "huddle", &p, &row, e);

    pl_huddle_done(&state);
    return r;
}

static int run_day(struct bench *b, const char *folder, struct err *e)
{
    double bound = 0;
    size_t first = b->n_rows;
    AUTO(mem) struct pl_arena *a = xcalloc(1, sizeof(*a));
    int r = pl_arena_init(a, folder, b->keep_idle, e);

    if (r < 0)
        return r;
    bound = a->result.bound_kwh;
    pl_arena_done(a);
    for (size_t k = 0; k < ARRAY_LEN(references) && r == 0; k++)
        r = run_reference(b, folder, k, e);
    r = r < 0 ? r : run_huddle(b, folder, e);
    for (size_t i = first; i < b->n_rows; i++)
        b->rows[i].result.bound_kwh = bound;
    return r;
}

/* --- output -------------------------------------------------------------------------------------
 */

static void print_row(const struct row *r)
{
    const struct pl_result *x = &r->result;

    (void)printf("%-10s %-14s %9.3f %6.3f %7u ", r->day, r->policy, x->kwh, x->kwh / x->bound_kwh,
                 x->migrations);
    if (strcmp(r->origin, "here") == 0)
        (void)printf("%7u", x->later);
    else
        (void)printf("%7s", "-");
    (void)printf(" %7.4f %7.5f %8.5f", x->slatah, x->pdm, x->esv);
    if (x->worst_ms > 0)
        (void)printf(" %7.2f %7.1f", x->mean_ms, x->worst_ms);
    else
        (void)printf(" %7s %7s", "-", "-");
    (void)printf("  %s%s\n", r->origin,
                 r->gate > 0   ? ", as CloudSim"
                 : r->gate < 0 ? ", NOT as CloudSim"
                               : "");
}

/* Means over the days, per policy. */
static void print_means(const struct bench *b)
{
    for (size_t i = 0; i < b->n_rows; i++) {
        struct row mean = { .day = "mean", .origin = b->rows[i].origin };
        uint64_t migrations = 0, later = 0;
        double n = 0, ratio = 0;
        bool first = true;

        for (size_t k = 0; k < b->n_rows; k++) {
            const struct pl_result *x = &b->rows[k].result;

            if (strcmp(b->rows[k].policy, b->rows[i].policy) != 0)
                continue;
            first = first && k >= i;
            n++;
            mean.result.kwh += x->kwh;
            ratio += x->kwh / x->bound_kwh;
            migrations += x->migrations;
            later += x->later;
            mean.result.slatah += x->slatah;
            mean.result.pdm += x->pdm;
            mean.result.esv += x->esv;
            mean.result.mean_ms += x->mean_ms;
            mean.result.worst_ms = fmax(mean.result.worst_ms, x->worst_ms);
        }
        if (!first)
            continue;
        (void)snprintf(mean.policy, sizeof(mean.policy), "%s", b->rows[i].policy);
        mean.result.kwh /= n;
        mean.result.bound_kwh = mean.result.kwh / (ratio / n);
        mean.result.migrations = (uint32_t)((double)migrations / n + 0.5);
        mean.result.later = (uint32_t)((double)later / n + 0.5);
        mean.result.slatah /= n;
        mean.result.pdm /= n;
        mean.result.esv /= n;
        mean.result.mean_ms /= n;
        print_row(&mean);
    }
}

static void print_table(const struct bench *b)
{
    (void)printf("%-10s %-14s %9s %6s %7s %7s %7s %7s %8s %7s %7s\n", "day", "policy", "kWh",
                 "x bnd", "moves", "later", "SLATAH%", "PDM%", "ESV", "ms", "worst");
    ARRAY_FOREACH(r, b, rows)
        print_row(r);
    print_means(b);
    (void)puts("repeat: make bench-planetlab DAYS=\"FOLDER ...\"");
}

static void print_json(const struct bench *b)
{
    json_t *out = json_array();

    ARRAY_FOREACH(r, b, rows) {
        const struct pl_result *x = &r->result;

        json_array_append_new(
            out,
            json_pack("{s:s, s:s, s:s, s:f, s:f, s:i, s:o, s:f, s:f, s:f, s:f, s:f, s:o}", "day",
                      r->day, "policy", r->policy, "origin", r->origin, "kWh", x->kwh, "boundKWh",
                      x->bound_kwh, "migrations", (int)x->migrations, "migrationsAfterFirstStep",
                      strcmp(r->origin, "here") == 0 ? json_integer(x->later) : json_null(),
                      "slatahPercent", x->slatah, "pdmPercent", x->pdm, "esv", x->esv,
                      "meanMilliseconds", x->mean_ms, "worstMilliseconds", x->worst_ms,
                      "asCloudSim", r->gate ? json_boolean(r->gate > 0) : json_null()));
    }
    (void)json_dumpf(out, stdout, JSON_INDENT(1));
    (void)putchar('\n');
    json_decref(out);
}

/* A point a day, a series a policy. */
static int draw(const struct bench *b, const char *path, struct err *e)
{
    AUTO(mem) struct chart_point *points = xcalloc(b->n_rows + 1, sizeof(*points));
    AUTO(mem) struct chart_series *series = xcalloc(b->n_rows + 1, sizeof(*series));
    static const struct chart_mark marks[] = { { "bound", 1, true },
                                               { "wanted", 1.2, true },
                                               { "wanted", 0.5, false } };
    struct chart c = { .title = "PlanetLab under CloudSim's rules: energy against violations, a "
                                "point a day",
                       .x = { "kWh over the bound (no policy can be below 1)", true, 1, 10 },
                       .y = { "SLATAH, %", false, 0, 1 },
                       .series = series,
                       .marks = marks,
                       .n_marks = ARRAY_LEN(marks) };
    size_t n = 0;

    for (size_t i = 0; i < b->n_rows; i++) {
        struct chart_series *s = &series[c.n_series];
        bool known = false;

        for (size_t k = 0; k < i; k++)
            known = known || strcmp(b->rows[k].policy, b->rows[i].policy) == 0;
        if (known)
            continue;
        *s = (struct chart_series){ .name = b->rows[i].policy,
                                    .points = &points[n],
                                    .big = strcmp(b->rows[i].policy, "huddle") == 0 };
        for (size_t k = i; k < b->n_rows; k++)
            if (strcmp(b->rows[k].policy, s->name) == 0) {
                const struct pl_result *x = &b->rows[k].result;

                points[n++] = (struct chart_point){ x->kwh / x->bound_kwh, x->slatah };
                s->n++;
            }
        c.n_series++;
    }
    return chart_write(&c, path, e);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = { { "keep-idle", no_argument, NULL, 'k' },
                                                  { "references", no_argument, NULL, 'r' },
                                                  { "choose", no_argument, NULL, 'c' },
                                                  { "svg", required_argument, NULL, 's' },
                                                  { 0 } };
    struct bench b = { 0 };
    struct err e = ERR_INIT;
    const char *svg = NULL;
    bool usage = false;
    int c, r = 0;

    while ((c = getopt_long(argc, argv, "o:", long_options, NULL)) != -1) {
        b.keep_idle = b.keep_idle || c == 'k';
        b.references = b.references || c == 'r';
        b.choose = b.choose || c == 'c';
        if (c == 's')
            svg = optarg;
        if (c == 'o' && strcmp(optarg, "json") == 0)
            b.json = true;
        else if (c == '?' || (c == 'o' && strcmp(optarg, "table") != 0))
            usage = true;
    }
    if (usage || optind >= argc || (b.choose && (b.json || b.references || svg))) {
        (void)fputs("usage: planetlab [-o table|json] [--keep-idle] [--references] [--svg FILE] "
                    "FOLDER ...\n"
                    "       planetlab --choose [--keep-idle] FOLDER ...\n",
                    stderr);
        return 2;
    }
    for (int i = optind; i < argc && r == 0; i++) {
        size_t length = strlen(argv[i]);

        while (length > 1 && argv[i][length - 1] == '/')
            argv[i][--length] = 0;
        r = b.choose ? 0 : run_day(&b, argv[i], &e);
    }
    if (r == 0 && b.choose)
        r = planetlab_choice(argv + optind, (size_t)(argc - optind), b.keep_idle, &e);
    if (r == 0 && svg)
        r = draw(&b, svg, &e);
    if (r < 0)
        (void)fprintf(stderr, "planetlab: %s\n", e.text);
    else if (b.json)
        print_json(&b);
    else if (!b.choose)
        print_table(&b);
    for (size_t i = 0; i < b.n_rows; i++)
        r = b.rows[i].gate < 0 ? -1 : r;
    free(b.rows);
    return r < 0 ? 1 : 0;
}
