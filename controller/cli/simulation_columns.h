/* The figures of a policy, of simulation_json()'s "policies", as the table and the page show them
 * behind its name. */
#ifndef HUDDLE_CLI_SIMULATION_COLUMNS_H
#define HUDDLE_CLI_SIMULATION_COLUMNS_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/strbuf.h"

#define SIMULATION_COLUMNS_MAX 16
#define SIMULATION_FIGURE_MAX 64

enum simulation_medium { SIMULATION_TABLE, SIMULATION_PAGE };

struct simulation_column {
    const char *key;
    const char *title[2]; /* by medium; NULL: it has no such column */
    int decimals;
    double factor; /* times the value of the key */
    const char *unit;
    const char *known; /* of the variant: the share of the time that the figure is of; NULL: all */
    bool seldom;       /* 0 tells nothing */
};

struct simulation_columns {
    const struct simulation_column *column[SIMULATION_COLUMNS_MAX];
    size_t n;
};

/* Those of the medium in their order; of the page, those that tell something of any policy of the
 * variant. */
struct simulation_columns simulation_columns(enum simulation_medium medium, const json_t *variant);

/* Money's is the currency where the variant has one: borrowed from it. */
const char *simulation_title(const struct simulation_column *c, enum simulation_medium medium,
                             const json_t *variant);

/* "-" where it is not known. Returns `text`. */
const char *simulation_figure(const struct simulation_column *c, const json_t *row,
                              char text[SIMULATION_FIGURE_MAX]);

/* For each figure that is not of all of the time, appends of how much it is, between both texts. */
void simulation_notes(struct strbuf *out, const json_t *variant, const char *before,
                      const char *after);

#endif
