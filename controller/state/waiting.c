/* See waiting.h. Which request is served first is not known: what leaves the queue has the mean of
 * what was in it. While an intensity is unknown, nothing is said of what waits. */
#include "controller/state/waiting.h"

#include <math.h>

/* Of a model that defers: those served had waited, unless nobody did before this look. More that
 * wait than were told of came since the look before: the front door began to count anew. */
static void count_served(struct model *m, const struct waiting_look *look, double before)
{
    double arrived = fmax((double)look->arrived, look->queue - before);
    double all = before + arrived, served = all - look->queue;
    double sum = m->waiting.weight_sum + (arrived > 0 ? look->grams * arrived : 0);

    if (!m->waiting.known) /* who waited before came at a time that nobody knows */
        sum = NAN;
    m->waiting.weight_sum = all > 0 ? sum * look->queue / all : 0;
    if (!(before > 0) || !(served > 0) || isnan(sum) || isnan(look->grams))
        return;
    if (served > before)
        served = before; /* the others came and went */
    series_add(&m->deferred_count, look->from_wall_ms, look->wall_ms, served);
    series_add(&m->relief, look->from_wall_ms, look->wall_ms, served * (sum / all - look->grams));
}

void model_see_queue(struct model *m, const struct waiting_look *look)
{
    double before = isnan(m->queue) ? 0 : m->queue;

    m->queue = look->queue;
    if (isnan(look->queue)) {
        m->waiting.known = false;
        return;
    }
    if (model_spec(m)->deferrable.deadline_ms > 0)
        count_served(m, look, before);
    if (!(look->queue > 0)) {
        m->waiting.known = true;
        m->waiting.since_ms = NEVER_MS;
        m->waiting.weight_sum = 0;
    } else if (m->waiting.since_ms == NEVER_MS) {
        m->waiting.since_ms = look->seen_ms;
    }
}

int64_t model_waited_ms(const struct model *m, int64_t now_ms)
{
    if (!m->waiting.known)
        return -1;
    return m->waiting.since_ms == NEVER_MS ? 0 : now_ms - m->waiting.since_ms;
}

int64_t model_deadline_ms(const struct cluster *c, const struct model *m)
{
    const struct served_model *spec = model_spec(m);
    int64_t deadline_ms = spec->deferrable.deadline_ms;

    if (spec->demand.source == DEMAND_FRONT_DOOR && c->queue_ms > 0 && deadline_ms > c->queue_ms)
        return c->queue_ms;
    return deadline_ms;
}

bool model_may_wait(const struct cluster *c, const struct model *m, int64_t now_ms)
{
    int64_t waited_ms = model_waited_ms(m, now_ms);

    return waited_ms >= 0 && waited_ms < model_deadline_ms(c, m);
}
