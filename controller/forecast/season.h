/* The season of a series, found and not configured: the lag at which the series is most like
 * itself. For every lag L the squares (x_t - x_(t-L))^2 are summed as values arrive; one minus
 * their mean over twice the variance is the autocorrelation. A lag counts when it is a peak, high
 * enough, and above a valley before it (a slow series is like itself at every short lag). Plain
 * data of fixed size; zero-initialised is empty. */
#ifndef HUDDLE_SEASON_H
#define HUDDLE_SEASON_H

#include "controller/forecast/series.h"

#define SEASON_MAX 1440u
#define SEASON_MIN 8u

struct season {
    float squares[SEASON_MAX + 1];
    uint16_t pairs[SEASON_MAX + 1];
    double sum, sum_squares; /* of the values, for the variance */
    uint32_t n;
    uint32_t length; /* in steps; 0: none found */
};

/* Takes in the newest value of the series. */
void season_add(struct season *z, const struct series *s);

/* Looks for the season anew; true when it changed. */
bool season_find(struct season *z);

#endif
