/* What `simulate` needs and shows: nodes and models as shares of a node, and the result. */
#ifndef HUDDLE_CLI_SIMULATION_H
#define HUDDLE_CLI_SIMULATION_H

#include <jansson.h>

#include "controller/simulate/comparison.h"
#include "controller/simulate/history.h"
#include "proto/base/strbuf.h"
#include "proto/manifest.h"

struct simulation_node { /* what one node holds and draws */
    int64_t cpu_milli, memory_bytes;
    uint32_t gpus;
    double watts[RACK_CURVE];
};

/* "cpu=16,memory=64Gi,gpus=8"; what is left out is 0. */
int simulation_read_size(const char *text, struct simulation_node *n, struct err *e);

/* "60,250": idle and full, linear between; or all eleven points of a curve (0, 10, ... 100 %). */
int simulation_read_watts(const char *text, struct simulation_node *n, struct err *e);

/* Fits the history's models to nodes: a replica takes the share of a node of the resource of which
 * it needs most, in whole slots; a node has as many (64 at most) as make every share whole, or 64,
 * to which shares are rounded up. Needs a ServedModel of each model's name with a declared
 * capacity, and one PowerPool with declared boot time. Completes `load`; borrows from `n`. */
int simulation_fit(struct manifest *const *list, size_t n_list, const struct simulation_node *n,
                   struct rack_load *load, struct rack_hardware *ret_hw,
                   const struct power_pool **ret_pool, const struct power_policy **ret_policy,
                   struct err *e);

struct simulation_rates {
    double price_per_kwh, carbon_g_per_kwh; /* NAN: not given */
    const char *currency;
};

json_t *simulation_json(const struct comparison *c, const struct rack_hardware *hw,
                        const struct rack_load *load, const struct simulation_rates *rates,
                        uint64_t seed);

/* The same as a table. */
void simulation_table(struct strbuf *out, const json_t *result, bool colour);

#endif
