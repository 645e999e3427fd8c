/* bench/forecast: huddle's forecaster on recorded series, by the protocol of the field's libraries.
 *
 *     forecast [-o table|json] [--peers FILE] [--targets] [--young|--ablation] SERIES.csv|FOLDER
 * ...
 *
 * A folder stands for its .csv files and its peers.tsv. A series is "t,value" lines. Horizons 1 to
 * 12; the first 80 % train (half of a one-day series without a season), up to 30 origins are spread
 * evenly over the rest, and the forecaster takes in every value up to its origin. MASE (Hyndman and
 * Koehler 2006) over all horizons and the pinball losses at 0.90 and 0.95 are scaled by the mean
 * absolute difference of the training set; coverage is the share of values at or under the
 * quantile. The gate of the arena is the naive forecast, which is printed beside. --young judges
 * the start instead: each series begins anew at five places behind ten silent steps and is judged
 * from its 12th to its 60th step. --ablation tells what the mean loses without each member.
 * --targets: fails where the means or the cost miss what is wanted of the recorded series. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/forecast/members.h"
#include "proto/base/array.h"
#include "tests/bench/forecast_pace.h"
#include "tests/bench/forecast_set.h"
#include "tests/bench/forecast_tables.h"

enum mode { JUDGE, YOUNG, ABLATION };

static void run(const struct set *set, const struct arena *a, struct results *ret_results)
{
    ARRAY_FOREACH(record, set, records) {
        struct result *r = ARRAY_ADD(ret_results, rows);

        arena_run(a, record, r);
        r->best = set_best_peer(set, r->name);
    }
}

/* Wanted of the mean of all, and of the ServeGen series among them (YARDSTICKS Y2). */
static const struct wanted wanted[] = {
    { "", 1.40, 0.54, 0.40 },
    { "servegen", 2.00, 0.62, 0.42 },
};

static bool judge(const struct set *set, bool json, bool targets)
{
    struct results results = { 0 }, small = { 0 };
    bool reached;

    run(set, &(struct arena){ 0 }, &results);
    run(set, &(struct arena){ .no_contests = true }, &small);
    results.pace = pace_measure(set);
    results.wanted = wanted;
    results.n_wanted = targets ? ARRAY_LEN(wanted) : 0;
    if (json)
        results_print_json(&results, &small);
    else
        results_print(&results, &small);
    reached = results_reached(&results);
    free(results.rows);
    free(small.rows);
    return reached;
}

static void judge_young(const struct set *set, bool json)
{
    struct results results = { 0 };

    ARRAY_FOREACH(record, set, records) {
        struct result *r = ARRAY_ADD(&results, rows);

        arena_run_young(record, r);
        r->best = set_best_peer(&(struct set){ 0 }, r->name); /* they were not judged so */
    }
    if (json)
        results_print_json(&results, NULL);
    else
        results_print(&results, NULL);
    free(results.rows);
}

static struct score mean_of(const struct set *set, const struct arena *a)
{
    struct results results = { 0 };
    struct result mean;
    size_t n;

    run(set, a, &results);
    mean = results_mean(&results, "", &n);
    free(results.rows);
    return mean.huddle;
}

static void ablate(const struct set *set, bool json)
{
    struct loss_row rows[MEMBERS + 1];
    struct members names = { 0 };
    struct score all = mean_of(set, &(struct arena){ 0 });

    for (uint32_t i = 0; i < MEMBERS; i++)
        rows[i] = (struct loss_row){ .without = member_name(&names, (enum member)i),
                                     .mean = mean_of(set, &(struct arena){ .without = 1u << i }) };
    rows[MEMBERS] =
        (struct loss_row){ .without = "large network",
                           .mean = mean_of(set, &(struct arena){ .no_contests = true }) };
    if (json)
        losses_print_json(&all, rows, MEMBERS + 1);
    else
        losses_print(&all, rows, MEMBERS + 1, set->n_records);
}

static int usage(void)
{
    (void)fputs("usage: forecast [-o table|json] [--peers FILE] [--targets] [--young|--ablation] "
                "SERIES.csv|FOLDER ...\n",
                stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "peers", required_argument, NULL, 'p' },
                                             { "young", no_argument, NULL, 'y' },
                                             { "ablation", no_argument, NULL, 'a' },
                                             { "targets", no_argument, NULL, 't' },
                                             { 0 } };
    struct set set = { 0 };
    struct err e = ERR_INIT;
    enum mode mode = JUDGE;
    bool json = false, targets = false, reached = true;
    int option, r = 0;

    while ((option = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
        if (option == 'p')
            set_add_peers(&set, optarg);
        else if (option == 'y' || option == 'a')
            mode = option == 'y' ? YOUNG : ABLATION;
        else if (option == 't')
            targets = true;
        else if (option == 'o' && strcmp(optarg, "json") == 0)
            json = true;
        else if (option != 'o' || strcmp(optarg, "table") != 0)
            return usage();
    }
    if (optind >= argc)
        return usage();
    for (int i = optind; i < argc && r == 0; i++)
        r = set_add(&set, argv[i], &e);
    if (r < 0)
        (void)fprintf(stderr, "forecast: %s\n", e.text);
    else if (mode == JUDGE)
        reached = judge(&set, json, targets);
    else if (mode == YOUNG)
        judge_young(&set, json);
    else
        ablate(&set, json);
    set_done(&set);
    return r < 0 || !reached ? 1 : 0;
}
