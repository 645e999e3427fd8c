/* See forecast.c for the protocol. */
#include "tests/bench/forecast_arena.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/forecast/ensemble.h"
#include "proto/base/array.h"
#include "tests/bench/cost.h"

#define ORIGINS 30
#define YOUNG_STARTS 5
#define YOUNG_SILENT 10
#define YOUNG_FIRST 12
#define YOUNG_LAST 60

/* --- reading ------------------------------------------------------------------------------------
 */

int record_read(const char *path, struct record *ret_record, struct err *e)
{
    FILE *f = fopen(path, "re");
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    char line[256];
    double t, x, first = NAN, second = NAN;

    if (!f)
        return err_errno(e, -errno, "%s", path);
    snprintf(ret_record->name, sizeof(ret_record->name), "%.*s", (int)strcspn(base, "."), base);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lf,%lf", &t, &x) != 2)
            continue;
        if (isnan(first))
            first = t;
        else if (isnan(second))
            second = t;
        *ARRAY_ADD(ret_record, value) = x;
    }
    (void)fclose(f);
    ret_record->step_ms = isnan(second) ? 0 : (int64_t)llround((second - first) * 1000);
    if (ret_record->n_value < 4 * ARENA_HORIZON || ret_record->step_ms <= 0)
        return err_set(e, -EINVAL, "%s: expected at least %d lines \"t,value\"", path,
                       4 * ARENA_HORIZON);
    return 0;
}

/* --- the protocol -------------------------------------------------------------------------------
 */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The protocol trains on half of the one-day series of these families. */
static size_t training(const struct record *s)
{
    bool one_day = (double)s->n_value * (double)s->step_ms <= 86400e3 * 1.01;
    bool half = one_day && (starts_with(s->name, "genai") || starts_with(s->name, "servegen"));

    return (size_t)((half ? 0.5 : 0.8) * (double)s->n_value);
}

static double scale_of(const struct record *s, size_t n)
{
    double sum = 0;

    for (size_t i = 1; i < n; i++)
        sum += fabs(s->value[i] - s->value[i - 1]);
    return sum / (double)(n - 1);
}

static double pinball(double truth, double quantile, double level)
{
    return truth >= quantile ? level * (truth - quantile) : (1 - level) * (quantile - truth);
}

static void judge(struct score *c, double truth, double point, double q90, double q95)
{
    c->mase += fabs(truth - point);
    c->pin90 += pinball(truth, q90, 0.90);
    c->pin95 += pinball(truth, q95, 0.95);
    c->cover90 += truth <= q90;
    c->cover95 += truth <= q95;
    c->n++;
}

static void finish(struct score *c, double scale)
{
    double n = (double)c->n;

    c->mase /= n * scale;
    c->pin90 /= n * scale;
    c->pin95 /= n * scale;
    c->cover90 /= n;
    c->cover95 /= n;
}

/* R's naive: the last value; normal quantiles of the differences' root mean square times sqrt(h).
 */
static void judge_naive(struct score *c, const struct record *s, size_t k, size_t h)
{
    double last = s->value[k - 1], sum = 0, sd;

    for (size_t i = 1; i < k; i++)
        sum += (s->value[i] - s->value[i - 1]) * (s->value[i] - s->value[i - 1]);
    sd = sqrt(sum / (double)(k - 1)) * sqrt((double)h);
    judge(c, s->value[k + h - 1], last, fmax(0, last + 1.2815515655446004 * sd),
          fmax(0, last + 1.6448536269514722 * sd));
}

static void judge_origin(struct result *r, const struct record *s, const struct ensemble *m,
                         size_t k)
{
    struct forecast f;
    double last = s->value[k - 1];

    ensemble_forecast(m, ARENA_HORIZON, &f);
    for (uint32_t h = 1; h <= ARENA_HORIZON; h++) {
        bool known = f.n_steps >= h;
        double point = known ? forecast_at(&f, 0.5, h - 1) : last;
        double q90 = known ? forecast_at(&f, 0.90, h - 1) : last;
        double q95 = known ? forecast_at(&f, 0.95, h - 1) : last;

        judge(&r->huddle, s->value[k + h - 1], point, q90, q95);
        judge_naive(&r->naive, s, k, h);
    }
}

/* As the controller does it between plans, but at once. */
static void compete(const struct arena *a, struct ensemble *m, struct result *r)
{
    AUTO(contest) struct contest *c = a->no_contests ? NULL : ensemble_contest(m);
    double begin = cost_cpu_s();

    if (!c)
        return;
    while (!contest_run(c, 1000))
        ;
    ensemble_settle(m, c);
    r->networks = contest_result(c);
    r->n_contests++;
    r->n_large += r->networks.large_wins;
    r->contests_s += cost_cpu_s() - begin;
}

void arena_run(const struct arena *a, const struct record *s, struct result *r)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new_without(s->step_ms, a->without);
    size_t train = training(s), n = s->n_value, done = 0, origin = SIZE_MAX;
    double begin = cost_cpu_s();
    double scale = scale_of(s, train);

    snprintf(r->name, sizeof(r->name), "%s", s->name);
    for (size_t i = 0; i < ORIGINS; i++) {
        size_t k = (size_t)rint((double)train +
                                (double)i * (double)(n - ARENA_HORIZON - train) / (ORIGINS - 1));

        if (k == origin)
            continue;
        origin = k;
        for (; done < k; done++) {
            double before = cost_cpu_s();

            ensemble_add(m, (int64_t)done, s->value[done]);
            r->worst_us = fmax(r->worst_us, 1e6 * (cost_cpu_s() - before));
            compete(a, m, r);
        }
        judge_origin(r, s, m, k);
    }
    r->us_per_step = 1e6 * (cost_cpu_s() - begin - r->contests_s) / (double)done;
    finish(&r->huddle, scale);
    finish(&r->naive, scale);
}

static void run_from(const struct record *s, size_t start, struct result *r)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new(s->step_ms);
    struct record part = { .value = s->value + start,
                           .n_value = s->n_value - start,
                           .step_ms = s->step_ms };

    for (int64_t t = 0; t < YOUNG_SILENT; t++)
        ensemble_add(m, t, 0);
    for (size_t k = 1; k <= YOUNG_LAST && k + ARENA_HORIZON <= part.n_value; k++) {
        ensemble_add(m, YOUNG_SILENT + (int64_t)k - 1, part.value[k - 1]);
        if (k >= YOUNG_FIRST)
            judge_origin(r, &part, m, k);
    }
}

void arena_run_young(const struct record *s, struct result *r)
{
    double scale = scale_of(s, s->n_value);
    size_t needed = YOUNG_LAST + ARENA_HORIZON,
           last = s->n_value > needed ? s->n_value - needed : 0;

    snprintf(r->name, sizeof(r->name), "%s", s->name);
    for (size_t i = 0; i < YOUNG_STARTS; i++)
        run_from(s, i * last / (YOUNG_STARTS - 1), r);
    finish(&r->huddle, scale);
    finish(&r->naive, scale);
}
