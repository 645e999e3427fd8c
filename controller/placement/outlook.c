/* Sums over models. */
#include "controller/placement/outlook.h"

#include <math.h>

#include "controller/placement/policy.h"
#include "controller/placement/pooled.h"
#include "controller/placement/sizing.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define SCATTERED (2.0 / 3) /* part of the room beside what runs that more replicas can use */

void need_add_scaled(struct outlook_need *a, const struct outlook_need *b, double by)
{
    a->cpu_milli += by * b->cpu_milli;
    a->memory_bytes += by * b->memory_bytes;
    a->gpu_milli += by * b->gpu_milli;
}

void need_raise(struct outlook_need *a, const struct outlook_need *b)
{
    a->cpu_milli = fmax(a->cpu_milli, b->cpu_milli);
    a->memory_bytes = fmax(a->memory_bytes, b->memory_bytes);
    a->gpu_milli = fmax(a->gpu_milli, b->gpu_milli);
}

void need_add_model(struct outlook_need *a, const struct snap_model *m, double replicas)
{
    a->cpu_milli += replicas * (double)m->spec->resources.cpu_milli;
    a->memory_bytes += replicas * (double)m->spec->resources.memory_bytes;
    a->gpu_milli += replicas * (double)m->spec->resources.gpu_milli;
}

void need_add_node(struct outlook_need *a, const struct snap_node *n, double sign)
{
    a->cpu_milli += sign * (double)n->cpu_milli;
    a->memory_bytes += sign * (double)n->memory_bytes;
    a->gpu_milli += sign * 1000.0 * n->n_gpus;
}

bool need_fits(const struct outlook_need *need, const struct outlook_need *room)
{
    return need->cpu_milli <= room->cpu_milli && need->memory_bytes <= room->memory_bytes &&
           need->gpu_milli <= room->gpu_milli;
}

static bool is_sized(const struct snap_model *m)
{
    return !isnan(m->capacity) && m->capacity > 0;
}

/* Replicas by the model's own forecast; of demand that waits, nothing, then what its queue needs.
 */
static double ahead_of(const struct snapshot *s, uint32_t model, const struct plan_model *m,
                       double level, uint32_t k)
{
    double q =
        m->predictive && is_sized(&s->models[model]) ? forecast_at(&m->forecast, level, k) : NAN;

    if (m->holds)
        return s->wall_ms + (int64_t)k * s->step_ms >= m->holds_until_ms ? m->then
                                                                         : plan_model_needed(m);
    return isnan(q) ? plan_model_needed(m) : sizing_replicas(&s->models[model], q);
}

static double level_of(const struct snapshot *s, uint32_t model)
{
    const struct power_policy *policy = policy_of_model(s, &s->models[model]);

    return fmax(policy->quantile, policy->confidence);
}

/* What all models together needed `k` steps ago. */
static struct outlook_need needed_then(const struct outlook *o, uint32_t k)
{
    struct outlook_need sum = { 0 };

    for (uint32_t i = 0; i < o->s->n_models; i++) {
        const struct snap_model *sm = &o->s->models[i];
        const struct plan_model *m = &o->models[i];
        const struct series *past = o->series[i];
        double x = past ? (double)series_at(past, past->last - k) : NAN;

        need_add_model(&sum, sm,
                       isnan(x) || !is_sized(sm) || m->holds ? plan_model_needed(m)
                                                             : sizing_replicas(sm, x));
    }
    return sum;
}

/* The step of the past, from the newest on, at which need and room first are (`fits`) as asked;
 * n_past: none. Steps are summed up when they are first asked for: few plans ask for many. */
static uint32_t past_until(struct outlook *o, const struct outlook_need *room, bool fits)
{
    for (uint32_t k = 0; k < o->n_past; k++) {
        if (k == o->n_summed)
            o->past[o->n_summed++] = needed_then(o, k);
        if (need_fits(&o->past[k], room) == fits)
            return k;
    }
    return o->n_past;
}

static bool is_pooled(const struct snapshot *s, const struct forecast *pooled)
{
    if (pooled->n_steps == 0 || pooled->doubtful)
        return false;
    for (uint32_t m = 0; m < s->n_models; m++)
        if (policy_of_model(s, &s->models[m])->strategy == STRATEGY_PREDICTIVE)
            return true;
    return false;
}

static uint32_t boot_steps(const struct snapshot *s, const struct snap_model *m)
{
    int64_t lead_ms = policy_boot_ms(s, m) + m->load_p99_ms + s->step_ms;
    int64_t steps = (lead_ms + s->step_ms - 1) / s->step_ms;

    return steps < FORECAST_STEPS_MAX ? (uint32_t)steps : FORECAST_STEPS_MAX;
}

/* Whole replicas: of each model half a one more than its demand, on average; never more than it may
 * have, and none of a model at zero, whose requests wait. */
static double grown(double growth, const struct snap_model *sm, const struct plan_model *m)
{
    double needed = plan_model_needed(m);
    double most = sm->counted ? INFINITY : (double)sm->spec->replicas.max;
    double wanted = needed > 0 ? fmin(growth * needed + 0.5, most) : 0;

    return wanted > needed ? needed + (wanted - needed) / SCATTERED : wanted;
}

/* The demand of all pooled models together at each step ahead, as a multiple of what their targets
 * serve; the most of it within a boot. NAN: it is not known. */
static double pooled_growth(const struct snapshot *s, const struct plan_model *models,
                            const struct forecast *pooled, double by[FORECAST_STEPS_MAX])
{
    AUTO(mem) double *share = NULL;
    double served = 0, growth = 0, level = 0;
    uint32_t lead = 1;

    if (!is_pooled(s, pooled))
        return NAN;
    share = xcalloc(s->n_models + 1, sizeof(*share));
    pooled_shares(s, share);
    for (uint32_t i = 0; i < s->n_models; i++) {
        uint32_t steps = boot_steps(s, &s->models[i]);

        if (!pooled_counts(&s->models[i]))
            continue;
        served += plan_model_needed(&models[i]) * share[i];
        level = fmax(level, policy_of_model(s, &s->models[i])->pool_quantile);
        lead = steps > lead ? steps : lead;
    }
    if (served <= 0)
        return NAN;
    for (uint32_t k = 0; k < pooled->n_steps; k++) {
        by[k] = forecast_at(pooled, level, k) / served;
        growth = k < lead ? fmax(growth, by[k]) : growth;
    }
    return growth;
}

/* `by`: of all pooled models; NULL: each is foreseen by itself. */
static void add_ahead(struct outlook *o, const struct snapshot *s, uint32_t model,
                      const struct plan_model *m, const double *by)
{
    const struct snap_model *sm = &s->models[model];
    bool together = by && pooled_counts(sm);
    double level = together ? 0 : level_of(s, model);

    for (uint32_t k = 0; k < o->n_ahead; k++)
        need_add_model(&o->ahead[k], sm,
                       together ? grown(by[k], sm, m) : ahead_of(s, model, m, level, k));
}

double outlook_reserve(const struct outlook *o, const struct snapshot *s, uint32_t model,
                       const struct plan_model *m)
{
    const struct snap_model *sm = &s->models[model];
    double needed = plan_model_needed(m), peak;

    if (m->holds || !is_sized(sm))
        return needed;
    if (!isnan(o->growth) && pooled_counts(sm))
        return fmax(needed, grown(o->growth, sm, m));
    if (!m->predictive)
        return needed;
    peak = forecast_peak(&m->forecast, policy_of_model(s, sm)->quantile, 0, boot_steps(s, sm));
    return isnan(peak) ? needed : fmax(needed, sizing_replicas(sm, peak));
}

void outlook_init(struct outlook *o, const struct snapshot *s, const struct plan_model *models,
                  const struct series *const *past, const struct forecast *pooled)
{
    double by[FORECAST_STEPS_MAX] = { 0 };

    *o = (struct outlook){ .now_ms = s->now_ms,
                           .step_s = (double)s->step_ms / 1000,
                           .forecast = true,
                           .s = s,
                           .models = models,
                           .series = past,
                           .growth = pooled_growth(s, models, pooled, by) };
    o->n_ahead = isnan(o->growth) ? FORECAST_STEPS_MAX : pooled->n_steps;
    for (uint32_t i = 0; i < s->n_models; i++) {
        const struct plan_model *m = &models[i];

        if (isnan(o->growth) && m->predictive && m->forecast.n_steps < o->n_ahead)
            o->n_ahead = m->forecast.n_steps;
        if (!m->predictive)
            o->forecast = false;
        if (past[i] && past[i]->n > o->n_past)
            o->n_past = past[i]->n < OUTLOOK_PAST ? past[i]->n : OUTLOOK_PAST;
    }
    for (uint32_t i = 0; i < s->n_models; i++)
        add_ahead(o, s, i, &models[i], isnan(o->growth) ? NULL : by);
}

void wanted_add(struct wanted *w, const struct outlook *o, const struct snapshot *s,
                const struct plan_model *models)
{
    struct outlook_need need = { 0 };

    for (uint32_t i = 0; i < s->n_models; i++)
        need_add_model(&need, &s->models[i], outlook_reserve(o, s, i, &models[i]));
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

        if (!need_fits(&w->plan[at].need, room))
            return (double)(o->now_ms - w->plan[at].at_ms) / 1000;
    }
    return INFINITY;
}

double outlook_off_s(struct outlook *o, const struct outlook_need *room)
{
    uint32_t ahead = 0;
    double ahead_s;

    while (ahead < o->n_ahead && need_fits(&o->ahead[ahead], room))
        ahead++;
    ahead_s = ahead * o->step_s;
    if (!o->forecast)
        ahead_s =
            fmin(past_until(o, room, false) * o->step_s, ahead < o->n_ahead ? ahead_s : INFINITY);
    else if (ahead >= o->n_ahead)
        ahead_s = fmax(ahead_s, past_until(o, room, false) * o->step_s);
    return fmin(ahead_s, unwanted_s(o, room));
}

double outlook_needed_s(struct outlook *o, const struct outlook_need *room)
{
    uint32_t ahead = 0;

    while (ahead < o->n_ahead && !need_fits(&o->ahead[ahead], room))
        ahead++;
    if (ahead < o->n_ahead)
        return ahead * o->step_s;
    if (o->forecast)
        return o->n_ahead > 0 ? INFINITY : 0;
    return past_until(o, room, true) * o->step_s;
}
