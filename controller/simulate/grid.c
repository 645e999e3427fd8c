/* See grid.h. */
#include "controller/simulate/grid.h"

#include <math.h>

#include "controller/energy/intensity.h"

#define JOULES_PER_KWH 3.6e6
#define MS_PER_S 1000.0

static void put(struct grid *g, enum grid_rate which, struct intensity *rate)
{
    intensity_unref(g->rate[which]);
    g->rate[which] = rate;
}

void grid_done(struct grid *g)
{
    for (int i = 0; i < GRID_RATES; i++)
        put(g, (enum grid_rate)i, NULL);
}

void grid_fixed(struct grid *g, enum grid_rate which, double value)
{
    put(g, which, intensity_fixed(value));
}

void grid_profile(struct grid *g, enum grid_rate which, const struct number_list *hours,
                  struct zone *zone)
{
    put(g, which, intensity_profile(hours->item, zone));
}

int grid_series(struct grid *g, enum grid_rate which, const char *file, const char *text, size_t n,
                struct err *e)
{
    struct intensity *rate;
    double least = which == GRID_PRICE ? INTENSITY_PRICE_LEAST : INTENSITY_CARBON_LEAST;
    int r = intensity_parse(file, text, n, least, &rate, e);

    if (r == 0)
        put(g, which, rate);
    return r;
}

static int64_t step_ms(const struct grid_span *span, size_t step)
{
    return (int64_t)floor(MS_PER_S * (span->start_s + span->step_s * (double)step));
}

double grid_known(const struct grid *g, enum grid_rate which, const struct grid_span *span)
{
    return intensity_over(g->rate[which], step_ms(span, 0), step_ms(span, span->n_steps)).known;
}

double grid_weigh(const struct grid *g, enum grid_rate which, const struct grid_span *span,
                  const double *joules)
{
    double sum = 0;
    bool known = false;

    for (size_t t = 0; g->rate[which] && t < span->n_steps; t++) {
        struct intensity_mean mean =
            intensity_over(g->rate[which], step_ms(span, t), step_ms(span, t + 1));

        if (isnan(mean.value))
            continue;
        known = true;
        sum += mean.value * mean.known * joules[t] / JOULES_PER_KWH;
    }
    return known ? sum : (double)NAN;
}
