/* One node of the virtual cluster, as a command line describes it: what it holds and draws, and how
 * its boots, loads and meters vary. */
#ifndef HUDDLE_CLI_SIMULATION_NODE_H
#define HUDDLE_CLI_SIMULATION_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/simulate/rack.h"
#include "proto/base/err.h"

struct simulation_node {
    int64_t cpu_milli, memory_bytes; /* 0: not said, and never short */
    uint32_t gpus;
    bool has_watts; /* else the pool's curve says */
    double watts[RACK_CURVE];
};

/* "cpu=16,memory=64Gi,gpus=8"; there are no GPUs where none are named. */
int simulation_read_size(const char *text, struct simulation_node *n, struct err *e);

/* "60,250": idle and full, linear between; all eleven points of a curve (0, 10, ... 100 %); or a
 * file that `huddle-agent --record` wrote, of which the curve is learned. */
int simulation_read_watts(const char *text, struct simulation_node *n, struct err *e);

#define SIMULATION_SAMPLES 101

struct simulation_chance {
    double boot_lo_s, boot_hi_s; /* NAN: the pool's, a tenth more or less */
    double shutdown_lo_s, shutdown_hi_s;
    bool has_load;                     /* else the model's startup time, a tenth more or less */
    double load_s[SIMULATION_SAMPLES]; /* quantiles 0, 0.01, ... 1 */
    double boot_failures, meter_noise; /* shares */
};

/* What is usual where nothing is said. */
struct simulation_chance simulation_chance_usual(void);

/* "150s", or "2m..5m": evenly between. */
int simulation_read_boot(const char *text, struct simulation_chance *c, struct err *e);

int simulation_read_shutdown(const char *text, struct simulation_chance *c, struct err *e);

/* The same, or more points: "20s..40s..5m" is below 40 s in one half of all cases. */
int simulation_read_load(const char *text, struct simulation_chance *c, struct err *e);

#endif
