/* Raw counters of a metrics page made cumulative: see service_counters.h. */
#include "agent/service_counters.h"

#include <math.h>
#include <string.h>

static void counter_take(struct service_counter *c, bool known, uint64_t now)
{
    if (!known)
        return;
    if (c->based)
        c->total += now >= c->last ? now - c->last : now;
    c->based = true;
    c->last = now;
}

static void counter_started(struct service_counter *c)
{
    c->based = true;
    c->last = 0;
}

void service_counters_started(struct service_counters *c)
{
    counter_started(&c->requests);
    counter_started(&c->errors);
    counter_started(&c->tokens);
    c->latency.based = true;
    memset(&c->latency.last, 0, sizeof(c->latency.last));
    service_counters_idle(c);
}

void service_counters_idle(struct service_counters *c)
{
    c->in_flight = c->queue = 0;
    c->in_flight_known = c->queue_known = c->requests_known = false;
}

static bool same_bounds(const struct metrics_histogram *a, const struct metrics_histogram *b)
{
    return a->n == b->n && memcmp(a->bound_ms, b->bound_ms, a->n * sizeof(a->bound_ms[0])) == 0;
}

enum course {
    COURSE_GROWS, /* every bucket holds as much as before, or more */
    COURSE_FELL,  /* it started over */
    COURSE_LIES,  /* observations went from one bucket into another */
};

static enum course course_of(const struct metrics_histogram *last,
                             const struct metrics_histogram *now)
{
    uint64_t below = 0;

    if (last->total == 0) /* just started: of any shape */
        return COURSE_GROWS;
    for (size_t i = 0; i <= now->n; i++) {
        uint64_t was = i < now->n ? last->count[i] : last->total;
        uint64_t is = i < now->n ? now->count[i] : now->total;

        if (is < was)
            return COURSE_FELL;
        if (is - was < below)
            return COURSE_LIES;
        below = is - was;
    }
    return COURSE_GROWS;
}

/* Adds now - last to the total; everything of `now` after a restart; nothing of a lie. */
static void histogram_add(struct metrics_histogram *total, const struct metrics_histogram *last,
                          const struct metrics_histogram *now)
{
    static const struct metrics_histogram NOTHING;
    enum course course = course_of(last, now);

    if (course == COURSE_LIES)
        return;
    if (last->total == 0 || course == COURSE_FELL)
        last = &NOTHING;
    for (size_t i = 0; i < now->n; i++)
        total->count[i] += now->count[i] - (last == &NOTHING ? 0 : last->count[i]);
    total->total += now->total - last->total;
    total->sum_ms += now->sum_ms - last->sum_ms;
    if (!isfinite(total->sum_ms) || total->sum_ms < 0)
        total->sum_ms = 0;
}

/* A server that changed its buckets starts a histogram of the new shape: the two cannot be added.
 */
static void histogram_take(struct service_counters *c, const struct metrics_histogram *now)
{
    struct metrics_histogram *total = &c->latency.total;
    bool known_shape = c->latency.last.total == 0 || same_bounds(&c->latency.last, now);

    if (total->n > 0 && !same_bounds(total, now))
        memset(total, 0, sizeof(*total));
    if (total->n == 0) {
        total->n = now->n;
        memcpy(total->bound_ms, now->bound_ms, now->n * sizeof(now->bound_ms[0]));
    }
    if (c->latency.based && known_shape)
        histogram_add(total, &c->latency.last, now);
    c->latency.based = true;
    c->latency.last = *now;
}

void service_counters_take(struct service_counters *c, const struct metrics *m)
{
    counter_take(&c->requests, m->requests_known, m->requests);
    counter_take(&c->errors, m->errors_known, m->errors);
    counter_take(&c->tokens, m->tokens_known, m->tokens);
    if (m->latency_known)
        histogram_take(c, &m->latency);
    c->requests_known = m->requests_known;
    c->in_flight_known = m->in_flight_known;
    c->queue_known = m->queue_known;
    c->in_flight = m->in_flight_known ? m->in_flight : 0;
    c->queue = m->queue_known ? m->queue : 0;
}

void service_counters_zero(struct service_counters *c)
{
    c->requests.total = c->errors.total = c->tokens.total = 0;
    memset(&c->latency.total, 0, sizeof(c->latency.total));
}

/* What a hostile page brings about (sums that overflow, negative bounds) must not cost the node its
 * whole report. */
static bool can_be_told(const struct metrics_histogram *t)
{
    for (size_t i = 0; i < t->n; i++) {
        uint64_t next = i + 1 < t->n ? t->count[i + 1] : t->total;

        if (t->count[i] > next || !isfinite(t->bound_ms[i]) || t->bound_ms[i] < 0 ||
            (i > 0 && t->bound_ms[i] <= t->bound_ms[i - 1]))
            return false;
    }
    return isfinite(t->sum_ms) && t->sum_ms >= 0;
}

void service_counters_latency(struct service_counters *c, struct wire_histogram *ret)
{
    struct metrics_histogram *t = &c->latency.total;

    *ret = (struct wire_histogram){ 0 };
    if ((t->n == 0 && t->total == 0) || !can_be_told(t))
        return;
    *ret = (struct wire_histogram){ t->bound_ms, t->count, t->n, t->total, t->sum_ms };
}
