/* See forecast_tables.h. */
#include "tests/bench/forecast_tables.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/forecast/ensemble.h"
#include "proto/base/array.h"

static void add(struct score *sum, const struct score *c, double weight)
{
    sum->mase += weight * c->mase;
    sum->pin90 += weight * c->pin90;
    sum->pin95 += weight * c->pin95;
    sum->cover90 += weight * c->cover90;
    sum->cover95 += weight * c->cover95;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

struct result results_mean(const struct results *results, const char *prefix, size_t *ret_n)
{
    struct result mean = { 0 };
    size_t n = 0;

    ARRAY_FOREACH(r, results, rows)
        n += starts_with(r->name, prefix) ? 1 : 0;
    snprintf(mean.name, sizeof(mean.name), "mean of %zu %s", n, *prefix ? prefix : "series");
    ARRAY_FOREACH(r, results, rows) {
        if (!starts_with(r->name, prefix))
            continue;
        add(&mean.huddle, &r->huddle, 1.0 / (double)n);
        add(&mean.naive, &r->naive, 1.0 / (double)n);
        add(&mean.best, &r->best, 1.0 / (double)n);
        mean.us_per_step += r->us_per_step / (double)n;
        mean.worst_us = fmax(mean.worst_us, r->worst_us);
        mean.contests_s += r->contests_s / (double)n;
        mean.n_contests += r->n_contests;
        mean.n_large += r->n_large;
    }
    *ret_n = n;
    return mean;
}

/* --- targets ------------------------------------------------------------------------------------
 */

#define COVER_WITHIN 0.02
#define STEP_US 50.0
#define WORST_US 1000.0
#define FLEET_S 1.0
#define STATE_BYTES 65536u

static bool means_reached(const struct results *results, const struct wanted *w)
{
    size_t n;
    struct result mean = results_mean(results, w->prefix, &n);
    const struct score *c = &mean.huddle;

    return n == 0 ||
           (c->mase <= w->mase && c->pin90 <= w->pin90 && c->pin95 <= w->pin95 &&
            fabs(c->cover90 - 0.90) <= COVER_WITHIN && fabs(c->cover95 - 0.95) <= COVER_WITHIN);
}

bool results_reached(const struct results *results)
{
    size_t n;
    struct result mean = results_mean(results, "", &n);

    for (size_t i = 0; i < results->n_wanted; i++)
        if (!means_reached(results, &results->wanted[i]))
            return false;
    return results->n_wanted == 0 ||
           (results->pace.us <= STEP_US && results->pace.fleet_s <= FLEET_S &&
            mean.worst_us <= WORST_US && ensemble_bytes() <= STATE_BYTES);
}

static void print_targets(const struct results *results)
{
    for (size_t i = 0; i < results->n_wanted; i++) {
        const struct wanted *w = &results->wanted[i];

        printf("wanted of %s: MASE %.2f, pinball %.2f and %.2f, coverage within %.2f: %s\n",
               w->prefix[0] ? w->prefix : "all", w->mase, w->pin90, w->pin95, COVER_WITHIN,
               means_reached(results, w) ? "reached" : "MISSED");
    }
    if (results->pace.us > 0)
        printf("an update and a %d-step forecast: %.1f us (wanted %.0f); %u forecasters one step: "
               "%.2f s (wanted %.0f)\n",
               ARENA_HORIZON, results->pace.us, STEP_US, PACE_FLEET, results->pace.fleet_s,
               FLEET_S);
}

/* --- tables -------------------------------------------------------------------------------------
 */

static void print_three(const struct score *c)
{
    if (isnan(c->mase))
        printf(" | %6s %6s %6s", "-", "-", "-");
    else
        printf(" | %6.3f %6.3f %6.3f", c->mase, c->pin90, c->pin95);
}

static void print_row(const struct result *r)
{
    printf("%-32s", r->name);
    print_three(&r->huddle);
    printf("  %.3f %.3f", r->huddle.cover90, r->huddle.cover95);
    print_three(&r->naive);
    print_three(&r->best);
    printf(" | %5.1f %5.0f\n", r->us_per_step, r->worst_us);
}

static void print_network_row(const struct result *r, const struct result *small)
{
    printf("%-32s | %6.3f %6.3f | %3u %3u %6.2f", r->name, small->huddle.mase, r->huddle.mase,
           r->n_contests, r->n_large, r->contests_s);
    if (r->networks.steps)
        printf(" | %9.4g %9.4g %6.1f  %s", (double)r->networks.small, (double)r->networks.large,
               (double)r->networks.advantage, r->networks.large_wins ? "large" : "small");
    (void)putchar('\n');
}

static void print_networks(const struct results *results, const struct results *small)
{
    size_t n;
    struct result all = results_mean(results, "", &n), all_small = results_mean(small, "", &n);

    printf("\nthe two networks: MASE of the ensemble with the small one alone, and with the better "
           "one of the last contest\n%-32s | %6s %6s | %3s %3s %6s | %9s %9s %6s  %s\n",
           "series", "small", "better", "n", "won", "s", "small", "large", "sigma", "speaks");
    for (size_t i = 0; i < results->n_rows; i++)
        print_network_row(&results->rows[i], &small->rows[i]);
    print_network_row(&all, &all_small);
    printf(
        "n contests, won by the large one, CPU seconds; the last contest's mean absolute errors, "
        "the large one's advantage in standard errors\n");
}

void results_print(const struct results *results, const struct results *small)
{
    size_t n, n_servegen;
    struct result all = results_mean(results, "", &n);
    struct result servegen = results_mean(results, "servegen", &n_servegen);

    printf("%-32s | %-34s | %-20s | %-20s | %s\n%-32s | %6s %6s %6s  %5s %5s | %6s %6s %6s | %6s "
           "%6s %6s | %5s %5s\n",
           "", "huddle", "naive", "best peer afterwards", "us", "series", "MASE", "pin90", "pin95",
           "c90", "c95", "MASE", "pin90", "pin95", "MASE", "pin90", "pin95", "step", "worst");
    ARRAY_FOREACH(r, results, rows)
        print_row(r);
    print_row(&all);
    if (n_servegen > 0 && n_servegen < n)
        print_row(&servegen);
    printf("state of a series: %zu bytes, and %zu where the large network speaks\n",
           ensemble_bytes(), sizeof(struct dense));
    if (small)
        print_networks(results, small);
    print_targets(results);
    printf("repeat: make bench-forecast SERIES=\"FILE|FOLDER ...\"\n");
}

static double loss(double without, double all)
{
    return 100 * (without / all - 1);
}

void losses_print(const struct score *all, const struct loss_row *rows, size_t n, size_t n_series)
{
    printf("mean of %-4zu series            MASE  pin90  pin95 |    loss without, %%\n", n_series);
    printf("%-28s %6.3f %6.3f %6.3f\n", "all members", all->mase, all->pin90, all->pin95);
    for (size_t i = 0; i < n; i++)
        printf("without %-20s %6.3f %6.3f %6.3f | %+6.2f %+6.2f %+6.2f\n", rows[i].without,
               rows[i].mean.mase, rows[i].mean.pin90, rows[i].mean.pin95,
               loss(rows[i].mean.mase, all->mase), loss(rows[i].mean.pin90, all->pin90),
               loss(rows[i].mean.pin95, all->pin95));
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

static void dump(json_t *root)
{
    (void)json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    (void)putchar('\n');
    json_decref(root);
}

static json_t *score_json(const struct score *c)
{
    if (isnan(c->mase))
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "mase", c->mase, "pinball90", c->pin90,
                     "pinball95", c->pin95, "cover90", c->cover90, "cover95", c->cover95);
}

static json_t *networks_json(const struct result *r)
{
    if (r->networks.steps == 0)
        return json_null();
    return json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:s}", "contests", (int)r->n_contests,
                     "won_by_large", (int)r->n_large, "cpu_s", r->contests_s, "small_error",
                     (double)r->networks.small, "large_error", (double)r->networks.large,
                     "advantage", (double)r->networks.advantage, "speaks",
                     r->networks.large_wins ? "large" : "small");
}

static json_t *result_json(const struct result *r, const struct result *small)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:f, s:f}", "name", r->name, "huddle",
                     score_json(&r->huddle), "small_network_alone",
                     small ? score_json(&small->huddle) : json_null(), "naive",
                     score_json(&r->naive), "best_peer", score_json(&r->best), "networks",
                     networks_json(r), "us_per_step", r->us_per_step, "worst_us", r->worst_us);
}

static json_t *mean_json(const struct results *results, const struct results *small,
                         const char *prefix)
{
    size_t n;
    struct result mean = results_mean(results, prefix, &n);
    struct result mean_small = small ? results_mean(small, prefix, &n) : mean;

    return n ? result_json(&mean, small ? &mean_small : NULL) : json_null();
}

void results_print_json(const struct results *results, const struct results *small)
{
    json_t *series = json_array();

    for (size_t i = 0; i < results->n_rows; i++)
        json_array_append_new(series,
                              result_json(&results->rows[i], small ? &small->rows[i] : NULL));
    dump(json_pack("{s:s, s:o, s:o, s:o, s:i, s:i, s:f, s:f, s:b}", "repeat", "make bench-forecast",
                   "series", series, "mean", mean_json(results, small, ""), "servegen",
                   mean_json(results, small, "servegen"), "state_bytes", (int)ensemble_bytes(),
                   "large_network_bytes", (int)sizeof(struct dense), "us_per_update_and_forecast",
                   results->pace.us, "fleet_of_10000_s", results->pace.fleet_s, "missed",
                   !results_reached(results)));
}

void losses_print_json(const struct score *all, const struct loss_row *rows, size_t n)
{
    json_t *without = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(without, json_pack("{s:s, s:o}", "without", rows[i].without, "mean",
                                                 score_json(&rows[i].mean)));
    dump(json_pack("{s:o, s:o}", "all", score_json(all), "ablation", without));
}
