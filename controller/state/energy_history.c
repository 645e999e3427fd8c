/* Sums over series: see energy_history.h. Half of the band of every joule, used or not, is added up
 * where it is counted, by the label that it has then. */
#include "controller/state/energy_history.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define J_PER_KWH 3.6e6
#define COST_PER_J (1e6 / J_PER_KWH) /* millionths of the currency per joule, at 1 per kWh */

static const struct {
    const char *key; /* in the row */
    size_t offset;
} SERIES[] = {
    { "measured", offsetof(struct energy_history, measured_j) },
    { "estimated", offsetof(struct energy_history, estimated_j) },
    { "always", offsetof(struct energy_history, always_j) },
    { "error", offsetof(struct energy_history, error_j) },
    { "usedCost", offsetof(struct energy_history, used_cost) },
    { "alwaysCost", offsetof(struct energy_history, always_cost) },
    { "priced", offsetof(struct energy_history, priced_j) },
    { "measuredG", offsetof(struct energy_history, measured_g) },
    { "estimatedG", offsetof(struct energy_history, estimated_g) },
    { "alwaysG", offsetof(struct energy_history, always_g) },
    { "errorG", offsetof(struct energy_history, error_g) },
    { "fixed", offsetof(struct energy_history, fixed_j) },
    { "profile", offsetof(struct energy_history, profile_j) },
    { "file", offsetof(struct energy_history, file_j) },
};

static struct series *series_of(struct energy_history *h, size_t i)
{
    return (struct series *)(void *)((char *)h + SERIES[i].offset);
}

void energy_history_init(struct energy_history *h)
{
    for (size_t i = 0; i < ARRAY_LEN(SERIES); i++)
        series_init_wide(series_of(h, i));
    h->currency[0] = '\0';
}

void energy_history_done(struct energy_history *h)
{
    for (size_t i = 0; i < ARRAY_LEN(SERIES); i++)
        series_done(series_of(h, i));
}

void energy_history_set_currency(struct energy_history *h, const char *currency)
{
    if (strncmp(h->currency, currency, sizeof(h->currency) - 1) == 0)
        return;
    series_done(&h->used_cost);
    series_done(&h->always_cost);
    series_done(&h->priced_j);
    series_init_wide(&h->used_cost);
    series_init_wide(&h->always_cost);
    series_init_wide(&h->priced_j);
    (void)snprintf(h->currency, sizeof(h->currency), "%s", currency);
}

static void add_cost(struct energy_history *h, const struct energy_piece *p, double used_j)
{
    double per_j = p->price.value * p->price.known * COST_PER_J;

    if (!(p->price.known > 0))
        return;
    series_add(&h->used_cost, p->from_ms, p->to_ms, used_j * per_j);
    series_add(&h->always_cost, p->from_ms, p->to_ms, p->always_j * per_j);
    series_add(&h->priced_j, p->from_ms, p->to_ms, used_j * p->price.known);
}

static void add_carbon(struct energy_history *h, const struct energy_piece *p,
                       const struct savings *s)
{
    double g = p->carbon.value * p->carbon.known / J_PER_KWH;
    struct series *by = p->carbon_source == RATE_FIXED     ? &h->fixed_j
                        : p->carbon_source == RATE_PROFILE ? &h->profile_j
                                                           : &h->file_j;

    if (!(p->carbon.known > 0))
        return;
    series_add(&h->measured_g, p->from_ms, p->to_ms, p->measured_j * g);
    series_add(&h->estimated_g, p->from_ms, p->to_ms, (p->estimated_j + p->assumed_j) * g);
    series_add(&h->always_g, p->from_ms, p->to_ms, p->always_j * g);
    series_add(&h->error_g, p->from_ms, p->to_ms, s->error_j * g);
    series_add(by, p->from_ms, p->to_ms, s->used_j * p->carbon.known);
}

void energy_history_add(struct energy_history *h, const struct energy_piece *p)
{
    struct savings s = { 0 };

    savings_use(&s, p->measured_j, SAVINGS_MEASURED);
    savings_use(&s, p->estimated_j, SAVINGS_ESTIMATED);
    savings_use(&s, p->assumed_j, SAVINGS_ASSUMED);
    savings_would_use(&s, p->always_j, p->always_label);
    series_add(&h->measured_j, p->from_ms, p->to_ms, p->measured_j);
    series_add(&h->estimated_j, p->from_ms, p->to_ms, p->estimated_j + p->assumed_j);
    series_add(&h->always_j, p->from_ms, p->to_ms, p->always_j);
    series_add(&h->error_j, p->from_ms, p->to_ms, s.error_j);
    add_cost(h, p, s.used_j);
    add_carbon(h, p, &s);
}

static double sum_or_none(const struct series *s, int64_t from_ms, int64_t to_ms)
{
    double sum = series_sum(s, from_ms, to_ms);

    return isnan(sum) ? 0 : sum;
}

static void carbon_totals(const struct energy_history *h, int64_t from_ms, int64_t to_ms,
                          struct energy_totals *t)
{
    double error_g = series_sum(&h->error_g, from_ms, to_ms);

    t->carbon.measured_g = series_sum(&h->measured_g, from_ms, to_ms);
    t->carbon.estimated_g = series_sum(&h->estimated_g, from_ms, to_ms);
    t->carbon.always_g = series_sum(&h->always_g, from_ms, to_ms);
    t->carbon.used_g = t->carbon.measured_g + t->carbon.estimated_g;
    t->carbon.saved_g = t->carbon.always_g - t->carbon.used_g;
    t->carbon.saved_low_g = t->carbon.saved_g - error_g;
    t->carbon.saved_high_g = t->carbon.saved_g + error_g;
    t->carbon.fixed_j = sum_or_none(&h->fixed_j, from_ms, to_ms);
    t->carbon.profile_j = sum_or_none(&h->profile_j, from_ms, to_ms);
    t->carbon.file_j = sum_or_none(&h->file_j, from_ms, to_ms);
}

struct energy_totals energy_history_totals(const struct energy_history *h, int64_t from_ms,
                                           int64_t to_ms)
{
    struct energy_totals t = {
        .measured_j = series_sum(&h->measured_j, from_ms, to_ms),
        .estimated_j = series_sum(&h->estimated_j, from_ms, to_ms),
        .counterfactual_j = series_sum(&h->always_j, from_ms, to_ms),
        .cost_used = series_sum(&h->used_cost, from_ms, to_ms) / 1e6,
        .cost_always = series_sum(&h->always_cost, from_ms, to_ms) / 1e6,
        .priced_j = series_sum(&h->priced_j, from_ms, to_ms),
    };
    double error_j = series_sum(&h->error_j, from_ms, to_ms);

    t.used_j = t.measured_j + t.estimated_j; /* each piece adds to both, if only zero */
    t.saved_j = t.counterfactual_j - t.used_j;
    t.saved_low_j = t.saved_j - error_j;
    t.saved_high_j = t.saved_j + error_j;
    t.cost_saved = t.cost_always - t.cost_used;
    carbon_totals(h, from_ms, to_ms, &t);
    return t;
}

int64_t energy_history_begin(const struct energy_history *h)
{
    return series_begin(&h->measured_j);
}

json_t *energy_history_to_row(const struct energy_history *h)
{
    json_t *row = json_pack("{s:s}", "currency", h->currency);

    for (size_t i = 0; i < ARRAY_LEN(SERIES); i++) {
        char *text = series_pack((const void *)((const char *)h + SERIES[i].offset), false);

        json_object_set_new(row, SERIES[i].key, json_string(text ? text : ""));
        free(text);
    }
    return row;
}

void energy_history_from_row(struct energy_history *h, const json_t *row)
{
    const char *currency = json_string_value(json_object_get(row, "currency"));

    for (size_t i = 0; i < ARRAY_LEN(SERIES); i++)
        series_unpack(series_of(h, i), json_string_value(json_object_get(row, SERIES[i].key)));
    (void)snprintf(h->currency, sizeof(h->currency), "%s", currency ? currency : "");
}
