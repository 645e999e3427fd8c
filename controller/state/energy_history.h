/* Energy of the whole cluster over weeks: what was used by provenance, what would have been used
 * had huddle not been there, how far both may be off, what that cost, and the CO2 of it. Prices and
 * carbon intensities weigh joules when they are counted, so that neither a restart nor coarser
 * cells change what a past hour emitted. What is used and what would have been used are always
 * added for the same time of the same nodes, so that their difference is a saving and never a hole
 * in the record. Fixed memory. */
#ifndef HUDDLE_ENERGY_HISTORY_H
#define HUDDLE_ENERGY_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/energy/intensity.h"
#include "controller/energy/savings.h"
#include "controller/state/series.h"

#define CURRENCY_MAX 16

struct energy_history {
    struct series measured_j, estimated_j; /* together: what was used */
    struct series always_j;                /* counterfactual: every node awake, load spread */
    struct series error_j;                 /* half of the band around the difference */
    struct series used_cost, always_cost;  /* in millionths of the currency */
    struct series priced_j;                /* of what was used: joules that had a price */
    /* Emissions in grams of CO2, of the joules whose carbon intensity was known when they were
     * counted; how far the saving may be off; and those joules, by where the intensity came from.
     */
    struct series measured_g, estimated_g, always_g, error_g;
    struct series fixed_j, profile_j, file_j;
    char currency[CURRENCY_MAX]; /* "" : nothing has had a price */
};

struct energy_piece { /* joules of one node over one interval of wall time */
    int64_t from_ms, to_ms;
    double measured_j;  /* by the node's own meters */
    double estimated_j; /* by its power model or its curve */
    double assumed_j;   /* standby and power cycles; counted as estimated */
    double always_j;    /* of the counterfactual */
    enum savings_label always_label;
    struct intensity_mean price;  /* over that time, in the history's currency; NAN: none */
    struct intensity_mean carbon; /* g/kWh; NAN: not known */
    enum rate_source carbon_source;
};

struct energy_totals { /* NAN: nothing was recorded */
    double used_j, measured_j, estimated_j, counterfactual_j;
    double saved_j, saved_low_j, saved_high_j;           /* may be negative */
    double cost_used, cost_always, cost_saved, priced_j; /* in the history's currency */
    struct {
        double measured_g, estimated_g, used_g, always_g;
        double saved_g, saved_low_g, saved_high_g;
        double fixed_j, profile_j, file_j; /* used joules behind these, by source of intensity */
    } carbon;
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
