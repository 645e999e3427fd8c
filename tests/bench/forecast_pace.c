/* See forecast_pace.h. */
#include "tests/bench/forecast_pace.h"

#include <stdlib.h>

#include "controller/forecast/ensemble.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "tests/bench/cost.h"

#define PACE_STEPS 500u
#define FLEET_PAST 40u /* steps of each behind it */

static void step(struct ensemble *m, int64_t at, double value)
{
    struct forecast f;

    ensemble_add(m, at, value);
    ensemble_forecast(m, ARENA_HORIZON, &f);
}

/* Seconds of the last steps of one series. */
static double time_tail(const struct record *r, size_t *ret_steps)
{
    AUTO(ensemble) struct ensemble *m = ensemble_new(r->step_ms);
    size_t tail = r->n_value < 2 * PACE_STEPS ? r->n_value / 2 : PACE_STEPS, i = 0;
    double begin;

    for (; i + tail < r->n_value; i++)
        ensemble_add(m, (int64_t)i, r->value[i]);
    begin = cost_cpu_s();
    for (; i < r->n_value; i++)
        step(m, (int64_t)i, r->value[i]);
    *ret_steps = tail;
    return cost_cpu_s() - begin;
}

/* Forecaster i follows a series of the set from a place of its own. */
static double value_at(const struct set *s, size_t i, size_t at)
{
    const struct record *r = &s->records[i % s->n_records];

    return r->value[(i / s->n_records * 7 + at) % r->n_value];
}

static double time_fleet(const struct set *s)
{
    AUTO(mem) struct ensemble **fleet = xcalloc(PACE_FLEET, sizeof(*fleet));
    double begin, taken;

    for (size_t i = 0; i < PACE_FLEET; i++) {
        fleet[i] = ensemble_new(s->records[i % s->n_records].step_ms);
        for (size_t k = 0; k < FLEET_PAST; k++)
            ensemble_add(fleet[i], (int64_t)k, value_at(s, i, k));
    }
    begin = cost_cpu_s();
    for (size_t i = 0; i < PACE_FLEET; i++)
        step(fleet[i], FLEET_PAST, value_at(s, i, FLEET_PAST));
    taken = cost_cpu_s() - begin;
    for (size_t i = 0; i < PACE_FLEET; i++)
        ensemble_free(fleet[i]);
    return taken;
}

struct pace pace_measure(const struct set *s)
{
    struct pace p = { 0 };
    size_t steps, all = 0;

    ARRAY_FOREACH(r, s, records) {
        p.us += 1e6 * time_tail(r, &steps);
        all += steps;
    }
    p.us /= (double)all;
    p.fleet_s = time_fleet(s);
    return p;
}
