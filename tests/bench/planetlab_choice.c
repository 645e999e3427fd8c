/* Every setting runs on every day once; the choices are then made from the table. */
#include "tests/bench/planetlab_choice.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "tests/bench/planetlab_arena.h"
#include "tests/bench/planetlab_huddle.h"

static const double move_factors[] = { 0.5, 1, 2 };
static const double overload_factors[] = { 0.5, 0.7, 1, 1.4, 2 };
static const double idle_factors[] = { 0.7, 0.85, 1, 1.2 };
#define SETTINGS (ARRAY_LEN(move_factors) * ARRAY_LEN(overload_factors) * ARRAY_LEN(idle_factors))

struct figures {
    double ratio, later, slatah, esv; /* ratio: energy over the bound */
};
static const struct figures limits = { INFINITY, 1250, 0.5, 0.0065 };

struct setting {
    double move, overload, idle;
};

static struct setting setting_at(size_t k)
{
    size_t n = ARRAY_LEN(overload_factors) * ARRAY_LEN(idle_factors);

    return (struct setting){
        move_factors[k / n],
        overload_factors[k / ARRAY_LEN(idle_factors) % ARRAY_LEN(overload_factors)],
        idle_factors[k % ARRAY_LEN(idle_factors)]
    };
}

static bool is_default(size_t k)
{
    struct setting x = setting_at(k);

    return x.move == 1 && x.overload == 1 && x.idle == 1;
}

static int try_one(const char *folder, bool keep_idle, size_t setting, struct figures *ret,
                   struct err *e)
{
    struct setting x = setting_at(setting);
    struct tenancy_prices prices = tenancy_prices_default;
    AUTO(mem) struct pl_arena *a = xcalloc(1, sizeof(*a));
    struct pl_huddle state = { .prices = &prices };
    struct pl_policy p = pl_huddle_policy(&state);
    int r = pl_arena_init(a, folder, keep_idle, e);

    if (r < 0)
        return r;
    prices.move_j *= x.move;
    prices.overload_j *= x.overload;
    prices.idle_steps *= x.idle;
    r = pl_arena_run(a, &p, e);
    *ret = (struct figures){ a->result.kwh / a->result.bound_kwh, a->result.later, a->result.slatah,
                             a->result.esv };
    pl_huddle_done(&state);
    pl_arena_done(a);
    return r;
}

/* The mean over the days but one. */
static struct figures mean_of(const struct figures *of_day, size_t n, size_t but)
{
    struct figures sum = { 0 };
    double days = 0;

    for (size_t d = 0; d < n; d++) {
        if (d == but)
            continue;
        sum.ratio += of_day[d].ratio;
        sum.later += of_day[d].later;
        sum.slatah += of_day[d].slatah;
        sum.esv += of_day[d].esv;
        days++;
    }
    return (struct figures){ sum.ratio / days, sum.later / days, sum.slatah / days,
                             sum.esv / days };
}

/* Energy; a setting that breaks a limit is worse than any that keeps all. */
static double cost_of(const struct figures *x)
{
    double beyond =
        fmax(fmax(x->later / limits.later, x->slatah / limits.slatah), x->esv / limits.esv);

    return beyond > 1 ? 1000 * beyond : x->ratio;
}

static size_t choose(const struct figures *table, size_t n, size_t but)
{
    double least = INFINITY;
    size_t best = 0;

    for (size_t k = 0; k < SETTINGS; k++) {
        struct figures mean = mean_of(table + k * n, n, but);

        if (cost_of(&mean) >= least)
            continue;
        least = cost_of(&mean);
        best = k;
    }
    return best;
}

static void print_line(const char *day, const char *what, const struct figures *x)
{
    (void)printf("%-10s %-34s %6.3f %7.0f %8.4f %8.5f\n", day, what, x->ratio, x->later, x->slatah,
                 x->esv);
}

static void print_choices(char *const *folders, const struct figures *table, size_t n)
{
    AUTO(mem) struct figures *unseen = xcalloc(n + 1, sizeof(*unseen));
    AUTO(mem) struct figures *usual = xcalloc(n + 1, sizeof(*usual));
    struct figures mean;

    (void)printf("%-10s %-34s %6s %7s %8s %8s\n", "day", "prices (default = 1)", "x bnd", "later",
                 "SLATAH%", "ESV");
    for (size_t d = 0; d < n; d++) {
        const char *slash = strrchr(folders[d], '/');
        size_t chosen = choose(table, n, d);
        struct setting x = setting_at(chosen);
        char what[64];

        for (size_t k = 0; k < SETTINGS; k++)
            if (is_default(k))
                usual[d] = table[k * n + d];
        unseen[d] = table[chosen * n + d];
        (void)snprintf(what, sizeof(what), "by other days: %.1f, %.1f, %.2f", x.move, x.overload,
                       x.idle);
        print_line(slash ? slash + 1 : folders[d], what, &unseen[d]);
        print_line("", "default", &usual[d]);
    }
    mean = mean_of(unseen, n, n);
    print_line("mean", "by other days", &mean);
    mean = mean_of(usual, n, n);
    print_line("mean", "default", &mean);
    (void)puts("prices: of a move, of an overload, for how long an emptied host stays empty\n"
               "repeat: make bench-planetlab PLANETLAB_ARGS=--choose DAYS=\"FOLDER ...\"");
}

int planetlab_choice(char *const *folders, size_t n, bool keep_idle, struct err *e)
{
    AUTO(mem) struct figures *table = xcalloc(SETTINGS * n + 1, sizeof(*table));

    if (n < 2)
        return err_set(e, -EINVAL, "--choose needs two days at least: one to judge by the others");
    for (size_t k = 0; k < SETTINGS; k++)
        for (size_t d = 0; d < n; d++) {
            int r = try_one(folders[d], keep_idle, k, &table[k * n + d], e);

            if (r < 0)
                return r;
        }
    print_choices(folders, table, n);
    return 0;
}
