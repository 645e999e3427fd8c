/* What the flags of `simulate` ask for. */
#ifndef HUDDLE_CLI_SIMULATION_REQUEST_H
#define HUDDLE_CLI_SIMULATION_REQUEST_H

#include "controller/cli/output.h"
#include "controller/cli/prometheus.h"
#include "controller/cli/simulation.h"
#include "controller/cli/simulation_rates.h"
#include "controller/cli/verb.h"

struct simulation_request {
    struct simulation_node node;
    struct simulation_chance chance;
    struct simulation_rate rates[GRID_RATES];
    double nodes, seed, step_s;
    struct output output;
    /* Of --prometheus, which may be absent (url NULL). */
    const char *url, *query, *label;
    struct prometheus_range range;
};

/* Everything is borrowed from the options. -EINVAL with what is wrong with a flag. */
int simulation_request_read(const struct cli *c, struct simulation_request *ret, struct err *e);

#endif
