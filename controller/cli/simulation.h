/* What `simulate` needs and shows: nodes and models as shares of a node, and the result. */
#ifndef HUDDLE_CLI_SIMULATION_H
#define HUDDLE_CLI_SIMULATION_H

#include <jansson.h>

#include "controller/cli/simulation_node.h"
#include "controller/simulate/comparison.h"
#include "controller/simulate/grid.h"
#include "controller/simulate/history.h"
#include "proto/base/strbuf.h"
#include "proto/manifest.h"

struct simulation_rack { /* as fitted; lent to a comparison */
    struct rack_hardware hw;
    double load_s[SIMULATION_SAMPLES]; /* lent to hw */
    struct rack_load load;             /* the history's, complete */
    bool plain;                        /* no model asks for GPUs */
    const struct power_pool *pool;
    const struct power_policy *policy;
};

/* Fits the history's models to nodes: a replica takes the share of a node of the resource of which
 * it needs most, in whole slots; a node has as many (64 at most) as make every share whole, or 64,
 * to which shares are rounded up. Needs a ServedModel of each model's name with a declared capacity
 * (of recorded CPUs, with a declared cpu: a replica is full when it uses all of it), and one
 * PowerPool, with declared boot time unless `chance` has one, and with a curve unless `n` has
 * watts. Everything is borrowed; `ret` must not be moved. */
int simulation_fit(struct manifest *const *list, size_t n_list, const struct simulation_node *n,
                   const struct simulation_chance *chance, uint32_t nodes,
                   const struct history *history, struct simulation_rack *ret, struct err *e);

/* Times before are no dates, but seconds since some beginning: windows have no meaning then. */
#define SIMULATION_DATES_S 31536000.0

struct simulation_variant { /* what was tried, and what came of it */
    const char *name;       /* NULL: the only one */
    const struct simulation_rack *rack;
    const struct comparison *result;
    const struct comparison *shared; /* which has the other policies; NULL: `result` does */
    struct grid grid;
    const char *currency; /* of its prices; or NULL */
};

/* `start_s`: of the first step, as recorded. A variant's own keys stand at the top when it is the
 * only one, else below "variants". Each step's energy is weighed by the rates of its own time;
 * "priceKnown" and "carbonKnown" are the shares of the time for which they are known (null: none
 * was given), and what is not known counts nothing. */
json_t *simulation_json(const struct simulation_variant *v, size_t n, double start_s,
                        uint64_t seed);

/* The same as one HTML page, which does not say when it was made: the same seed, the same bytes. */
void simulation_html(struct strbuf *out, const json_t *result);

/* The same as a table. */
void simulation_table(struct strbuf *out, const json_t *result, bool colour);

#endif
