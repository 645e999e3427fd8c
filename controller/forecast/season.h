/* The season of a series, found and not configured: the lag at which the series is most like
 * itself. For every lag L the squares (x_t - x_(t-L))^2 of the square roots are summed as values
 * arrive; one minus their mean over twice the variance is the autocorrelation (Cleveland and
 * Devlin's variogram view of it), discounted where few pairs were seen. A lag counts when it is a
 * peak, high enough, and above a valley before it (a slow series is like itself at every short
 * lag). Old pairs fade, so that a season that changes is found anew. Where the step divides the day
 * the day is tried first: the clock is known. Plain data of fixed size; zero-initialised is empty.
 */
#ifndef HUDDLE_SEASON_H
#define HUDDLE_SEASON_H

#include "controller/forecast/series.h"

#define SEASON_MAX 1440u
#define SEASON_MIN 6u

struct season {
    float squares[SEASON_MAX + 1];
    double sum, sum_squares; /* of the roots, for the variance */
    float n, thinned;        /* pairs of lag L: n - thinned * L */
    uint32_t day;            /* steps of a day; 0: the step does not divide it */
    uint32_t length;         /* in steps; 0: none found */
};

/* `step_ms` 0: not known. */
void season_init(struct season *z, int64_t step_ms);

/* Takes in the newest value of the series (bridged, when it is missing). */
void season_add(struct season *z, const struct series *s);

/* Looks for the season anew; true when it changed. */
bool season_find(struct season *z);

#endif
