/* Energy of the whole cluster over weeks: what was used by provenance, what would have been used
 * had huddle not been there, how far both may be off, and what that cost. What is used and what
 * would have been used are always added for the same time of the same nodes, so that their
 * difference is a saving and never a hole in the record. Fixed memory. */
#ifndef HUDDLE_ENERGY_HISTORY_H
#define HUDDLE_ENERGY_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/energy/savings.h"
#include "controller/state/series.h"

#define CURRENCY_MAX 16

struct energy_history {
    struct series measured_j, estimated_j; /* together: what was used */
    struct series always_j;                /* counterfactual: every node awake, load spread */
    struct series error_j;                 /* half of the band around the difference */
    struct series used_cost, always_cost;  /* in millionths of the currency */
    char currency[CURRENCY_MAX];           /* "" : nothing has had a price */
};

struct energy_piece { /* joules of one node over one interval of wall time */
    int64_t from_ms, to_ms;
    double measured_j;  /* by the node's own meters */
    double estimated_j; /* by its power model or its curve */
    double assumed_j;   /* standby and power cycles; counted as estimated */
    double always_j;    /* of the counterfactual */
    enum savings_label always_label;
    double price_per_kwh; /* in the history's currency; 0: none */
};

struct energy_totals { /* NAN: nothing was recorded */
    double used_j, measured_j, estimated_j, counterfactual_j;
    double saved_j, saved_low_j, saved_high_j; /* may be negative */
    double cost_saved;                         /* in the history's currency */
};

void energy_history_init(struct energy_history *h);
void energy_history_done(struct energy_history *h);

/* Another currency than before begins the costs anew: the two cannot be added. */
void energy_history_set_currency(struct energy_history *h, const char *currency);

void energy_history_add(struct energy_history *h, const struct energy_piece *p);

/* Of [from_ms, to_ms). */
struct energy_totals energy_history_totals(const struct energy_history *h, int64_t from_ms,
                                           int64_t to_ms);

/* Wall time of the first joules that are kept, down to the cell; INT64_MAX: none. */
int64_t energy_history_begin(const struct energy_history *h);

json_t *energy_history_to_row(const struct energy_history *h);
void energy_history_from_row(struct energy_history *h, const json_t *row);

#endif
