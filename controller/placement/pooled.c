/* One ensemble over the sum. */
#include "controller/placement/pooled.h"

#include <math.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define RECOUNT 0.1 /* a sum that counts so differently, relative, makes the past worthless */
#define BRIDGED 0.1 /* part of the sum that may be what was seen last */

void pooled_done(struct pooled *p)
{
    ensemble_free(p->forecaster);
    *p = (struct pooled){ 0 };
}

void pooled_shares(const struct snapshot *s, double *ret_share)
{
    double cpu = 0, memory = 0, devices = 0;

    for (uint32_t n = 0; n < s->n_nodes; n++) {
        cpu += (double)s->nodes[n].cpu_milli;
        memory += (double)s->nodes[n].memory_bytes;
        devices += 1000.0 * s->nodes[n].n_gpus;
    }
    for (uint32_t m = 0; m < s->n_models; m++) {
        const struct served_model *spec = s->models[m].spec;
        double share = 0;

        if (cpu > 0)
            share = fmax(share, (double)spec->resources.cpu_milli / cpu);
        if (memory > 0)
            share = fmax(share, (double)spec->resources.memory_bytes / memory);
        if (devices > 0)
            share = fmax(share, (double)spec->resources.gpu_milli / devices);
        ret_share[m] = share;
    }
}

static double sum_at(const struct snapshot *s, const struct series *const *past,
                     const double *share, int64_t step)
{
    double sum = 0, bridged = 0;

    for (uint32_t m = 0; m < s->n_models; m++) {
        double x = past[m] ? (double)series_bridged(past[m], step) : NAN;

        if (isnan(x) || !pooled_counts(&s->models[m]))
            continue;
        x *= share[m] / s->models[m].capacity;
        sum += x;
        if (!series_known(past[m], step))
            bridged += x;
    }
    return bridged > BRIDGED * sum ? NAN : sum;
}

/* The steps [first, newest] that are to be known; false: none is. */
static bool span(const struct snapshot *s, const struct series *const *past, int64_t *ret_first,
                 int64_t *ret_newest)
{
    bool any = false;

    for (uint32_t m = 0; m < s->n_models; m++) {
        int64_t first;

        if (!past[m] || past[m]->n == 0 || !pooled_counts(&s->models[m]))
            continue;
        first = past[m]->last - past[m]->n + 1;
        *ret_first = any && *ret_first < first ? *ret_first : first;
        *ret_newest = any && *ret_newest > past[m]->last ? *ret_newest : past[m]->last;
        any = true;
    }
    return any;
}

static bool counts_alike(const struct pooled *p, double newest)
{
    if (isnan(p->newest) || isnan(newest))
        return true;
    return fabs(newest - p->newest) <= RECOUNT * fmax(newest, p->newest);
}

void pooled_observe(struct pooled *p, const struct snapshot *s, const struct series *const *past)
{
    AUTO(mem) double *share = xcalloc(s->n_models + 1, sizeof(*share));
    const struct series *known = p->forecaster ? ensemble_series(p->forecaster) : NULL;
    int64_t first = 0, newest = 0;

    if (!span(s, past, &first, &newest))
        return;
    pooled_shares(s, share);
    if (!known || p->step_ms != s->step_ms || known->last > newest ||
        (known->n > 0 && !counts_alike(p, sum_at(s, past, share, known->last)))) {
        pooled_done(p);
        p->forecaster = ensemble_new(s->step_ms);
        p->step_ms = s->step_ms;
        known = ensemble_series(p->forecaster);
    }
    if (known->n > 0 && known->last >= first)
        first = known->last + 1;
    for (int64_t step = first; step <= newest; step++) {
        p->newest = sum_at(s, past, share, step);
        ensemble_add(p->forecaster, step, p->newest);
    }
}

void pooled_forecast(const struct pooled *p, uint32_t n_steps, struct forecast *ret_f)
{
    if (p->forecaster)
        ensemble_forecast(p->forecaster, n_steps, ret_f);
    else
        ret_f->n_steps = 0;
}
