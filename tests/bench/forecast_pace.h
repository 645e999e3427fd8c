/* What the forecaster costs: an update with a twelve-step forecast behind it, on the recorded
 * series to their ends, and one step of a fleet of ten thousand forecasters that lie too far apart
 * in memory for any cache. CPU time of one thread. */
#ifndef HUDDLE_BENCH_FORECAST_PACE_H
#define HUDDLE_BENCH_FORECAST_PACE_H

#include "tests/bench/forecast_set.h"

#define PACE_FLEET 10000u

struct pace {
    double us;      /* mean of the last PACE_STEPS steps of each series */
    double fleet_s; /* one step of all */
};

struct pace pace_measure(const struct set *s);

#endif
