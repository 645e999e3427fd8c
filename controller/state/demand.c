/* Counts in, steps out. The sliding value of demand_now() weighs the closed step with the part of
 * it that still lies within the last step_ms. Nothing here knows where counts come from. */
#include "controller/state/demand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define NO_STEP INT64_MIN
#define FAST_TAU_MS 3000.0
#define FAST_KEEPS_MS 15000

static int64_t step_of(const struct demand *d, int64_t wall_ms)
{
    int64_t step = wall_ms / d->step_ms;

    return wall_ms % d->step_ms < 0 ? step - 1 : step;
}

void demand_init(struct demand *d, int64_t step_ms)
{
    *d = (struct demand){ .step_ms = step_ms, .open = NO_STEP, .last = NAN, .fast = NAN };
}

void demand_done(struct demand *d)
{
    free(d->ring);
    d->ring = NULL;
}

static void ring_put(struct demand *d, int64_t step, float value)
{
    size_t wanted = (size_t)(step - d->first + 1);

    if (wanted > d->cap_ring && d->cap_ring < DEMAND_STEPS) { /* grow, and lay out anew */
        size_t cap = d->cap_ring ? d->cap_ring : 64;
        float *ring;

        while (cap < wanted && cap < DEMAND_STEPS)
            cap *= 2;
        if (cap > DEMAND_STEPS)
            cap = DEMAND_STEPS;
        ring = xmalloc(cap * sizeof(*ring));
        for (int64_t k = d->first; d->cap_ring && k < step; k++)
            ring[(uint64_t)k % cap] = d->ring[(uint64_t)k % d->cap_ring];
        free(d->ring);
        d->ring = ring;
        d->cap_ring = cap;
    }
    d->ring[(uint64_t)step % d->cap_ring] = value;
    if (step - d->first + 1 > (int64_t)d->cap_ring)
        d->first = step + 1 - (int64_t)d->cap_ring;
}

static void close_open_step(struct demand *d)
{
    double value = NAN;

    if (d->covered_ms * 2 >= (double)d->step_ms)
        value = d->requests * 1000 / d->covered_ms;
    ring_put(d, d->open, (float)value);
    d->last = value;
    d->requests = d->covered_ms = 0;
    d->open++;
}

/* A wall clock that was set back: steps that have not come yet are forgotten. A step back of less
 * than one step is waited for. */
static void go_back(struct demand *d, int64_t wall_ms)
{
    int64_t step = step_of(d, wall_ms);

    if (d->open == NO_STEP || step >= d->open - 1)
        return;
    d->open = step;
    if (d->first > step)
        d->first = step;
    if (d->stored > step)
        d->stored = step;
    d->requests = d->covered_ms = 0;
    d->last = demand_at(d, step - 1);
    d->fast = NAN;
}

/* Opens the step of wall_ms, closing those before. A jump of the clock over more than the ring
 * starts the series anew instead of filling it with missing steps one by one. */
static bool open_step(struct demand *d, int64_t wall_ms)
{
    int64_t step = step_of(d, wall_ms);
    bool closed = false;

    if (d->open == NO_STEP || step - d->open > DEMAND_STEPS) {
        d->open = d->first = d->stored = step;
        d->requests = d->covered_ms = 0;
        d->last = NAN;
        return false;
    }
    for (; d->open < step; closed = true)
        close_open_step(d);
    return closed;
}

bool demand_advance(struct demand *d, int64_t wall_ms)
{
    go_back(d, wall_ms);
    return d->open == NO_STEP ? false : open_step(d, wall_ms);
}

static void add_fast(struct demand *d, int64_t to_ms, double length_ms, double requests)
{
    double rate, keep;

    if (length_ms <= 0)
        return;
    rate = requests * 1000 / length_ms;
    keep = exp(-length_ms / FAST_TAU_MS);
    d->fast = isnan(d->fast) ? rate : keep * d->fast + (1 - keep) * rate;
    d->fast_at_ms = to_ms;
}

void demand_add(struct demand *d, int64_t from_ms, int64_t to_ms, double requests)
{
    double length = (double)(to_ms - from_ms), left;
    int64_t at = from_ms, begin;

    if (to_ms < from_ms || !isfinite(requests) || requests < 0)
        return;
    go_back(d, to_ms);
    if (d->open == NO_STEP)
        open_step(d, from_ms);
    add_fast(d, to_ms, length, requests);
    begin = d->open * d->step_ms;
    if (to_ms < begin)
        return;
    if (at < begin) {
        requests *= (double)(to_ms - begin) / length;
        length = (double)(to_ms - begin);
        at = begin;
    }
    left = requests;
    while (step_of(d, to_ms) > d->open) {
        int64_t end = (d->open + 1) * d->step_ms;

        if (end > at && length > 0) {
            double part = requests * (double)(end - at) / length;

            d->requests += part;
            d->covered_ms += (double)(end - at);
            left -= part;
            at = end;
        }
        if (step_of(d, to_ms) - d->open > DEMAND_STEPS)
            open_step(d, to_ms);
        else
            close_open_step(d);
    }
    d->requests += left > 0 ? left : 0;
    d->covered_ms += (double)(to_ms - at);
    if (d->covered_ms > (double)d->step_ms)
        d->covered_ms = (double)d->step_ms;
}

double demand_at(const struct demand *d, int64_t step)
{
    if (d->open == NO_STEP || step < d->first || step >= d->open || !d->ring)
        return NAN;
    return (double)d->ring[(uint64_t)step % d->cap_ring];
}

double demand_now(const struct demand *d, int64_t wall_ms)
{
    int64_t step = step_of(d, wall_ms);
    double into, behind;

    if (d->open == NO_STEP || step - d->open > 1)
        return NAN;
    if (step > d->open) /* not advanced yet: the open step is all there is */
        return d->covered_ms * 2 >= (double)d->step_ms ? d->requests * 1000 / d->covered_ms : NAN;
    into = fmax((double)(wall_ms - d->open * d->step_ms), 0);
    behind = (double)d->step_ms - into;
    if (!isnan(d->last)) /* the two parts weigh as much as was observed of each */
        return (d->requests + d->last * behind / 1000) * 1000 /
               (d->covered_ms + behind > 0 ? d->covered_ms + behind : 1);
    if (d->covered_ms >= 1000 || d->covered_ms * 4 >= (double)d->step_ms)
        return d->requests * 1000 / d->covered_ms;
    return demand_fast(d, wall_ms);
}

double demand_fast(const struct demand *d, int64_t wall_ms)
{
    return wall_ms - d->fast_at_ms <= FAST_KEEPS_MS ? d->fast : NAN;
}

void demand_restore(struct demand *d, int64_t first, const float *values, size_t n)
{
    if (d->open == NO_STEP)
        d->open = d->first = first;
    for (size_t i = 0; i < n; i++) {
        int64_t step = first + (int64_t)i;

        if (step < d->open)
            continue;
        if (step - d->open > DEMAND_STEPS)
            d->open = d->first = step;
        while (d->open < step) { /* a hole between stored chunks */
            ring_put(d, d->open, NAN);
            d->open++;
        }
        ring_put(d, step, values[i]);
        d->open++;
        d->last = (double)values[i];
    }
    d->stored = d->open;
}

void demand_set_step(struct demand *d, int64_t step_ms)
{
    struct demand old = *d;

    if (step_ms == d->step_ms)
        return;
    demand_init(d, step_ms);
    if (old.open != NO_STEP) {
        int64_t begin = step_of(d, old.first * old.step_ms),
                end = step_of(d, old.open * old.step_ms);

        if (end - begin > DEMAND_STEPS)
            begin = end - DEMAND_STEPS;
        d->open = d->first = begin;
        for (; d->open < end; d->open++) {
            int64_t middle = d->open * step_ms + step_ms / 2;

            ring_put(d, d->open, (float)demand_at(&old, step_of(&old, middle)));
        }
        d->stored = d->first;
        d->last = demand_at(d, d->open - 1);
        d->fast = old.fast;
        d->fast_at_ms = old.fast_at_ms;
    }
    demand_done(&old);
}
