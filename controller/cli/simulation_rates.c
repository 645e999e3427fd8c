/* See simulation_rates.h. */
#include "controller/cli/simulation_rates.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "controller/cli/simulation.h"
#include "controller/cli/zones.h"
#include "proto/base/cleanup.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"

#define BYTES_MOST (16u << 20) /* as the controller reads */
#define VALUE_MOST 1e6

struct naming { /* of one rate, for messages */
    enum grid_rate which;
    const char *flag, *field, *number;
};

static const struct naming NAMES[GRID_RATES] = {
    { GRID_PRICE, "--price", "price", "a price" },
    { GRID_CARBON, "--carbon", "carbon", "grams" },
};

int simulation_rate_read(const char *text, struct simulation_rate *ret, struct err *e)
{
    char *end;
    double v = strtod(text, &end);

    *ret = (struct simulation_rate){ .value = v };
    if (end == text || *end)
        *ret = (struct simulation_rate){ .file = text, .value = NAN };
    else if (!(v >= 0 && v <= VALUE_MOST))
        return err_set(e, -EINVAL, "\"%.40s\" is not from 0 to %g; a file's name? Write ./%.40s",
                       text, VALUE_MOST, text);
    return 0;
}

static int read_series(const struct naming *n, const char *file, struct grid *g, struct err *e)
{
    AUTO(mem) char *text = NULL;
    size_t length;
    int r = file_read(file, BYTES_MOST, &text, &length, e);

    if (r < 0)
        return err_prefix(e, r, "expected %s of a kWh, or a file of time,value", n->number);
    return grid_series(g, n->which, file, text, length, e);
}

static int read_asked(const struct naming *n, const struct simulation_rate *asked, struct grid *g,
                      struct err *e)
{
    int r = 0;

    if (!asked->file)
        grid_fixed(g, n->which, asked->value);
    else
        r = read_series(n, asked->file, g, e);
    return r < 0 ? err_prefix(e, r, "%s", n->flag) : r;
}

static int read_profile(const struct naming *n, const struct energy_rate *spec, bool dated,
                        struct grid *g, struct err *e)
{
    struct zone *zone = NULL;
    int r = zones_find(dated ? spec->zone : "UTC", &zone, e);

    if (r < 0)
        return err_prefix(e, r, "%s.zone", n->field);
    grid_profile(g, n->which, &spec->profile, zone);
    return 0;
}

static int read_declared(const struct naming *n, const struct energy_rate *spec, bool dated,
                         struct grid *g, struct err *e)
{
    int r;

    switch (spec->source) {
    case RATE_FIXED:
        if (n->which == GRID_CARBON || spec->value > 0) /* a price of 0 is none */
            grid_fixed(g, n->which, spec->value);
        break;
    case RATE_PROFILE:
        return read_profile(n, spec, dated, g, e);
    case RATE_FILE:
        r = read_series(n, spec->path, g, e);
        return r < 0 ? err_prefix(e, r, "the PowerPolicy's %s (%s says another one)", n->field,
                                  n->flag)
                     : r;
    case RATE_NONE:
        break;
    }
    return 0;
}

static int check_known(const struct naming *n, const struct history *h, const struct grid *g,
                       struct err *e)
{
    struct grid_span span = { h->start_s, h->load.step_s, h->load.n_steps };
    char from[CLOCK_TEXT_MAX], to[CLOCK_TEXT_MAX];

    if (!g->rate[n->which] || grid_known(g, n->which, &span) > 0)
        return 0;
    clock_format((int64_t)(1000 * span.start_s), from);
    clock_format((int64_t)(1000 * (span.start_s + span.step_s * (double)span.n_steps)), to);
    return err_set(e, -EINVAL,
                   "%s: the file says nothing of the history's time, %s to %s%s; %s says another "
                   "one, or one number",
                   n->field, from, to,
                   span.start_s < SIMULATION_DATES_S ? " (its times are no dates)" : "", n->flag);
}

int simulation_rates_find(const struct simulation_rate asked[GRID_RATES],
                          const struct power_policy *policy, const struct history *history,
                          struct grid *ret, struct err *e)
{
    bool dated = history->start_s >= SIMULATION_DATES_S;
    const struct energy_rate *spec;
    struct grid g = { 0 };
    int r = 0;

    for (int i = 0; r == 0 && i < GRID_RATES; i++) {
        const struct naming *n = &NAMES[i];

        spec = n->which == GRID_PRICE ? &policy->price : &policy->carbon;
        if (asked[i].file || !isnan(asked[i].value))
            r = read_asked(n, &asked[i], &g, e);
        else
            r = read_declared(n, spec, dated, &g, e);
        if (r == 0)
            r = check_known(n, history, &g, e);
    }
    if (r < 0)
        grid_done(&g);
    else
        *ret = g;
    return r;
}
