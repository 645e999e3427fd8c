/* What the energy of a run carries, step by step: grams of CO2 and money, by the controller's own
 * rates (energy/intensity.h): one number, the hours of a day, or a file's series. Pure. */
#ifndef HUDDLE_SIMULATE_GRID_H
#define HUDDLE_SIMULATE_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/err.h"
#include "proto/base/zone.h"
#include "proto/manifest.h"

struct intensity;

enum grid_rate { GRID_PRICE, GRID_CARBON };
#define GRID_RATES 2

struct grid {                           /* zero is one of which nothing is known */
    struct intensity *rate[GRID_RATES]; /* NULL: not given */
};

void grid_done(struct grid *g);

void grid_fixed(struct grid *g, enum grid_rate which, double value);

/* By the hour of the local day. Takes the zone. */
void grid_profile(struct grid *g, enum grid_rate which, const struct number_list *hours,
                  struct zone *zone);

/* From the text of a CSV file: see intensity_parse(). */
int grid_series(struct grid *g, enum grid_rate which, const char *file, const char *text, size_t n,
                struct err *e);

struct grid_span {  /* of a run */
    double start_s; /* wall time of its first step */
    double step_s;
    size_t n_steps;
};

/* The share of the time for which the rate is known, 0..1; 0 of one that was not given. */
double grid_known(const struct grid *g, enum grid_rate which, const struct grid_span *span);

/* The sum of each step's joules (as many as the span has steps) at the mean rate of the step: gCO2,
 * or money. Steps of which nothing is known add nothing; NAN where nothing is known of any. */
double grid_weigh(const struct grid *g, enum grid_rate which, const struct grid_span *span,
                  const double *joules);

#endif
