/* What a kilowatt-hour of a simulation carries: --carbon and --price, else what the PowerPolicy
 * declares, with the files and time zones that these name. */
#ifndef HUDDLE_CLI_SIMULATION_RATES_H
#define HUDDLE_CLI_SIMULATION_RATES_H

#include "controller/simulate/grid.h"
#include "controller/simulate/history.h"
#include "proto/base/err.h"
#include "proto/manifest.h"

struct simulation_rate { /* of one flag */
    const char *file;    /* borrowed; NULL: it says a number */
    double value;        /* NAN: it was not given */
};

/* A number, or the name of a file. -EINVAL: a number out of range. */
int simulation_rate_read(const char *text, struct simulation_rate *ret, struct err *e);

/* `asked` by enum grid_rate. The hours of a day are local where times are dates; else time 0 is
 * 00:00. Refused is what cannot be read, and what says nothing of the history's time. */
int simulation_rates_find(const struct simulation_rate asked[GRID_RATES],
                          const struct power_policy *policy, const struct history *history,
                          struct grid *ret, struct err *e);

#endif
