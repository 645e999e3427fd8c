/* Sums over models. */
#include "controller/placement/outlook.h"

#include <math.h>

#include "controller/placement/policy.h"
#include "controller/placement/sizing.h"

#define FILLED 0.92 /* share of the room that a packing of replicas really fills */

static void add(struct outlook_need *n, const struct snap_model *m, double replicas)
{
    n->cpu_milli += replicas * (double)m->spec->resources.cpu_milli;
    n->memory_bytes += replicas * (double)m->spec->resources.memory_bytes;
    n->gpu_milli += replicas * (double)m->spec->resources.gpu_milli;
}

static bool is_sized(const struct snap_model *m)
{
    return !isnan(m->capacity) && m->capacity > 0;
}

static void add_ahead(struct outlook *o, const struct snapshot *s, uint32_t model,
                      const struct plan_model *m)
{
    const struct power_policy *policy = policy_of_model(s, &s->models[model]);
    double level = fmax(policy->quantile, policy->confidence);

    for (uint32_t k = 0; k < FORECAST_STEPS_MAX; k++) {
        double q = m->predictive && is_sized(&s->models[model])
                       ? forecast_at(&m->forecast, level, k)
                       : NAN;

        if (m->holds) { /* nothing, then what its queue needs */
            bool then = s->wall_ms + (int64_t)k * s->step_ms >= m->holds_until_ms;

            add(&o->ahead[k], &s->models[model], then ? m->then : m->target);
            continue;
        }
        add(&o->ahead[k], &s->models[model],
            isnan(q) ? m->target : sizing_replicas(&s->models[model], q));
    }
}

static void add_past(struct outlook *o, const struct snap_model *m, const struct series *past,
                     uint32_t target, bool holds)
{
    for (uint32_t k = 0; k < OUTLOOK_PAST; k++) {
        double x = past ? (double)series_at(past, past->last - k) : NAN;

        add(&o->past[k], m, isnan(x) || !is_sized(m) || holds ? target : sizing_replicas(m, x));
    }
}

void outlook_init(struct outlook *o, const struct snapshot *s, const struct plan_model *models,
                  const struct series *const *past)
{
    *o = (struct outlook){ .now_ms = s->now_ms,
                           .step_s = (double)s->step_ms / 1000,
                           .forecast = true };
    o->n_ahead = FORECAST_STEPS_MAX;
    for (uint32_t i = 0; i < s->n_models; i++) {
        const struct plan_model *m = &models[i];

        if (m->predictive && m->forecast.n_steps < o->n_ahead)
            o->n_ahead = m->forecast.n_steps;
        if (!m->predictive)
            o->forecast = false;
        if (past[i] && past[i]->n > o->n_past)
            o->n_past = past[i]->n < OUTLOOK_PAST ? past[i]->n : OUTLOOK_PAST;
        add_ahead(o, s, i, m);
        add_past(o, &s->models[i], past[i], m->target, m->holds);
    }
}

static bool suffices(const struct outlook_need *room, const struct outlook_need *need)
{
    return need->cpu_milli <= FILLED * room->cpu_milli &&
           need->memory_bytes <= FILLED * room->memory_bytes && need->gpu_milli <= room->gpu_milli;
}

void wanted_add(struct wanted *w, const struct snapshot *s, const struct plan_model *models)
{
    struct outlook_need need = { 0 };

    for (uint32_t i = 0; i < s->n_models; i++)
        add(&need, &s->models[i], models[i].target);
    w->plan[w->next].at_ms = s->now_ms;
    w->plan[w->next].need = need;
    w->next = (w->next + 1) % WANTED;
    w->n += w->n < WANTED;
}

/* Since a plan wanted more; INFINITY: none that is remembered did. */
static double unwanted_s(const struct outlook *o, const struct outlook_need *room)
{
    const struct wanted *w = o->wanted;

    for (uint32_t k = 1; w && k <= w->n; k++) {
        uint32_t at = (w->next + WANTED - k) % WANTED;

        if (!suffices(room, &w->plan[at].need))
            return (double)(o->now_ms - w->plan[at].at_ms) / 1000;
    }
    return INFINITY;
}

double outlook_off_s(const struct outlook *o, const struct outlook_need *room)
{
    uint32_t ahead = 0, past = 0;
    double past_s, ahead_s;

    while (ahead < o->n_ahead && suffices(room, &o->ahead[ahead]))
        ahead++;
    while (past < o->n_past && suffices(room, &o->past[past]))
        past++;
    ahead_s = ahead * o->step_s;
    past_s = past * o->step_s;
    if (!o->forecast)
        ahead_s = fmin(past_s, ahead < o->n_ahead ? ahead_s : INFINITY);
    else if (ahead >= o->n_ahead)
        ahead_s = fmax(ahead_s, past_s);
    return fmin(ahead_s, unwanted_s(o, room));
}

double outlook_needed_s(const struct outlook *o, const struct outlook_need *room)
{
    uint32_t ahead = 0, past = 0;

    while (ahead < o->n_ahead && !suffices(room, &o->ahead[ahead]))
        ahead++;
    if (ahead < o->n_ahead)
        return ahead * o->step_s;
    if (o->forecast)
        return o->n_ahead > 0 ? INFINITY : 0;
    while (past < o->n_past && !suffices(room, &o->past[past]))
        past++;
    return past * o->step_s;
}
