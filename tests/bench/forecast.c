/* bench/forecast: huddle's forecaster on recorded series, by the protocol of the field's libraries.
 *
 *     forecast [-o table|json] [--peers FILE] [--young] SERIES.csv|FOLDER ...
 *
 * A folder stands for its .csv files and its peers.tsv. A series is "t,value" lines. Horizons 1 to
 * 12; the first 80 % train (half of a one-day series without a season), up to 30 origins are spread
 * evenly over the rest, and the forecaster takes in every value up to its origin. MASE (Hyndman and
 * Koehler 2006) over all horizons and the pinball losses at 0.90 and 0.95 are scaled by the mean
 * absolute difference of the training set; coverage is the share of values at or under the
 * quantile. The gate of the arena is the naive forecast, which is printed beside. --young judges
 * the start instead: each series begins anew at five places behind ten silent steps and is judged
 * from its 12th to its 60th step. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/forecast/ensemble.h"
#include "proto/base/array.h"
#include "proto/base/err.h"
#include "tests/bench/forecast_arena.h"

#define PEERS_MAX 16

struct peer_row {
    char series[64], method[16];
    double mase, pin90, pin95;
};

struct bench {
    struct result *results;
    size_t n_results, cap_results;
    struct peer_row *peers;
    size_t n_peers, cap_peers;
    bool young;
};

/* ---
 * reading------------------------------------------------------------------------------------------
 */

static void peers_read(struct bench *b, const char *path)
{
    FILE *f = fopen(path, "re");
    char line[512];

    if (!f)
        return; /* without peers the table has none */
    while (fgets(line, sizeof(line), f)) {
        struct peer_row row = { 0 };

        if (sscanf(line, "%63s %*s %*s %15s %*s %*s %*s %lf %*s %lf %lf", row.series, row.method,
                   &row.mase, &row.pin90, &row.pin95) == 5)
            *ARRAY_ADD(b, peers) = row;
    }
    (void)fclose(f);
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void best_peer(const struct bench *b, struct result *r)
{
    r->best = (struct score){ .mase = INFINITY, .pin90 = INFINITY, .pin95 = INFINITY };
    ARRAY_FOREACH(p, b, peers) {
        if (strcmp(p->series, r->name) != 0)
            continue;
        r->best.mase = fmin(r->best.mase, p->mase);
        r->best.pin90 = fmin(r->best.pin90, p->pin90);
        r->best.pin95 = fmin(r->best.pin95, p->pin95);
    }
}

/* --- files and folders --------------------------------------------------------------------------
 */

static int bench_file(struct bench *b, const char *path, struct err *e)
{
    struct record s = { 0 };
    int r = record_read(path, &s, e);

    if (r == 0) {
        struct result *result = ARRAY_ADD(b, results);

        if (b->young)
            arena_run_young(&s, result);
        else
            arena_run(&s, result);
        best_peer(b, result);
    }
    free(s.value);
    return r;
}

static int is_csv(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return n > 4 && strcmp(d->d_name + n - 4, ".csv") == 0;
}

static int bench_folder(struct bench *b, const char *folder, struct err *e)
{
    struct dirent **names;
    int n = scandir(folder, &names, is_csv, alphasort), r = 0;
    char path[4096];

    if (n < 0)
        return err_errno(e, -errno, "%s", folder);
    snprintf(path, sizeof(path), "%s/peers.tsv", folder);
    peers_read(b, path);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        if (r == 0)
            r = bench_file(b, path, e);
        free(names[i]);
    }
    free(names);
    return r;
}

/* --- output -------------------------------------------------------------------------------------
 */

static void add(struct score *sum, const struct score *c, double weight)
{
    sum->mase += weight * c->mase;
    sum->pin90 += weight * c->pin90;
    sum->pin95 += weight * c->pin95;
    sum->cover90 += weight * c->cover90;
    sum->cover95 += weight * c->cover95;
}

/* Mean over the series whose name begins with `prefix`. */
static struct result mean_of(const struct bench *b, const char *prefix)
{
    struct result mean = { 0 };
    size_t n = 0;

    ARRAY_FOREACH(r, b, results)
        n += starts_with(r->name, prefix);
    snprintf(mean.name, sizeof(mean.name), "mean of %zu %s", n, *prefix ? prefix : "series");
    ARRAY_FOREACH(r, b, results) {
        if (!starts_with(r->name, prefix))
            continue;
        add(&mean.huddle, &r->huddle, 1.0 / (double)n);
        add(&mean.naive, &r->naive, 1.0 / (double)n);
        add(&mean.best, &r->best, 1.0 / (double)n);
        mean.us_per_step += r->us_per_step / (double)n;
        mean.worst_us = fmax(mean.worst_us, r->worst_us);
    }
    return mean;
}

static void print_row(const struct result *r)
{
    printf("%-32s %6.3f %6.3f %6.3f  %.3f %.3f | %6.3f %6.3f %6.3f | %6.3f %6.3f %6.3f | %5.1f "
           "%5.0f\n",
           r->name, r->huddle.mase, r->huddle.pin90, r->huddle.pin95, r->huddle.cover90,
           r->huddle.cover95, r->naive.mase, r->naive.pin90, r->naive.pin95, r->best.mase,
           r->best.pin90, r->best.pin95, r->us_per_step, r->worst_us);
}

static void print_table(const struct bench *b)
{
    struct result all = mean_of(b, ""), servegen = mean_of(b, "servegen");

    printf(
        "%-32s %-33s | %-20s | %-20s | %s\n%-32s %6s %6s %6s  %5s %5s | %6s %6s %6s | %6s %6s %6s"
        " | %5s %5s\n",
        "", "huddle", "naive", "best peer afterwards", "us", "series", "MASE", "pin90", "pin95",
        "c90", "c95", "MASE", "pin90", "pin95", "MASE", "pin90", "pin95", "step", "worst");
    ARRAY_FOREACH(r, b, results)
        print_row(r);
    print_row(&all);
    if (servegen.huddle.mase > 0)
        print_row(&servegen);
    printf("state of a series: %zu bytes\n", ensemble_bytes());
}

static json_t *score_json(const struct score *c)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "mase", c->mase, "pinball90", c->pin90,
                     "pinball95", c->pin95, "cover90", c->cover90, "cover95", c->cover95);
}

static json_t *result_json(const struct result *r)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:f, s:f}", "name", r->name, "huddle",
                     score_json(&r->huddle), "naive", score_json(&r->naive), "best_peer",
                     isfinite(r->best.mase)
                         ? json_pack("{s:f, s:f, s:f}", "mase", r->best.mase, "pinball90",
                                     r->best.pin90, "pinball95", r->best.pin95)
                         : json_null(),
                     "us_per_step", r->us_per_step, "worst_us", r->worst_us);
}

static void print_json(const struct bench *b)
{
    struct result all = mean_of(b, ""), servegen = mean_of(b, "servegen");
    json_t *series = json_array();
    json_t *root;

    ARRAY_FOREACH(r, b, results)
        json_array_append_new(series, result_json(r));
    root = json_pack("{s:o, s:o, s:o, s:i}", "series", series, "mean", result_json(&all),
                     "servegen", result_json(&servegen), "state_bytes", (int)ensemble_bytes());
    (void)json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    (void)putchar('\n');
    json_decref(root);
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "peers", required_argument, NULL, 'p' },
                                             { "young", no_argument, NULL, 'y' },
                                             { 0 } };
    struct bench b = { 0 };
    struct err e = ERR_INIT;
    bool json = false;
    int option, r = 0;

    while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        if (option == 'p')
            peers_read(&b, optarg);
        else if (option == 'y')
            b.young = true;
        else if (option == 'o' && strcmp(optarg, "json") == 0)
            json = true;
        else if (option != 'o' || strcmp(optarg, "table") != 0)
            optind = argc;
    }
    if (optind >= argc) {
        (void)fputs(
            "usage: forecast [-o table|json] [--peers FILE] [--young] SERIES.csv|FOLDER ...\n",
            stderr);
        return 2;
    }
    for (int i = optind; i < argc && r == 0; i++) {
        struct stat st;

        r = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode) ? bench_folder(&b, argv[i], &e)
                                                           : bench_file(&b, argv[i], &e);
    }
    if (r < 0)
        (void)fprintf(stderr, "forecast: %s\n", e.text);
    else if (json)
        print_json(&b);
    else
        print_table(&b);
    free(b.results);
    free(b.peers);
    return r < 0 ? 1 : 0;
}
