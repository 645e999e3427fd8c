/* From demand to replicas. What is unknown never shrinks a model. */
#include "controller/placement/sizing.h"

#include <math.h>
#include <stdio.h>

#include "controller/placement/deferral.h"
#include "controller/placement/policy.h"
#include "proto/base/clock.h"

#define MARGIN 1.15            /* without a forecast: growth within the lead time */
#define SHRINK_STEPS_MIN 3u    /* look so far back or ahead before shrinking */
#define QUEUED_SHARE (1.0 / 6) /* of an interval: who waits for so long shows that more came */
#define LIKELY 0.5             /* quantile */
#define REPLICAS_MOST 1000000.0
#define PODS_MOST 150000.0 /* of a whole cluster of Kubernetes, as its documentation has it */

uint32_t sizing_replicas(const struct snap_model *m, double demand)
{
    double wanted = ceil(demand / m->capacity - 1e-9);

    if (m->counted) /* a workload's number is anybody's who may write it: a plan has to fit memory
                     */
        return (uint32_t)fmin(fmax(wanted, 0), PODS_MOST);
    wanted = fmax(wanted, (double)served_model_least(m->spec));
    wanted = fmin(wanted, (double)m->spec->replicas.max);
    return (uint32_t)fmin(fmax(wanted, 0), REPLICAS_MOST);
}

/* Both halves of a move or a renewal are one replica. */
static uint32_t ready_of(const struct snap_model *m)
{
    return m->ready - m->doubled;
}

static uint32_t steps_of(const struct snapshot *s, int64_t ms)
{
    int64_t steps = s->step_ms > 0 ? (ms + s->step_ms - 1) / s->step_ms : 1;

    return steps < 1 ? 1 : steps > FORECAST_STEPS_MAX ? FORECAST_STEPS_MAX : (uint32_t)steps;
}

/* Until a replica that is started now serves. That a node is awake for it is the reserve's part. */
static uint32_t lead_of(const struct snapshot *s, const struct snap_model *m)
{
    return steps_of(s, m->load_p99_ms + s->step_ms);
}

static double recent_peak(const struct series *past, uint32_t steps)
{
    double peak = NAN;

    for (uint32_t k = 0; past && k < steps && k < past->n; k++) {
        double x = (double)series_at(past, past->last - k);

        if (!isnan(x))
            peak = fmax(peak, x);
    }
    return peak;
}

static uint32_t shrink_steps(const struct snapshot *s, const struct snap_model *m)
{
    uint32_t window = steps_of(s, 2 * m->load_p99_ms + s->step_ms);

    return window < SHRINK_STEPS_MIN ? SHRINK_STEPS_MIN : window;
}

/* The demand below which it is not worth going for the time that a stop and a start take. */
static double lasting_need(const struct snapshot *s, const struct snap_model *m,
                           const struct power_policy *policy, const struct series *past,
                           const struct plan_model *out)
{
    uint32_t window = shrink_steps(s, m);

    if (out->predictive) {
        return fmax(fmax(out->demand_need, recent_peak(past, window)),
                    forecast_peak(&out->forecast, policy->quantile, 0, lead_of(s, m) + window));
    }
    return fmax(out->demand_need, MARGIN * recent_peak(past, window));
}

/* What comes within the lead time. A few seconds may be chance, unless requests wait for long. */
static double comes(const struct snapshot *s, const struct snap_model *m,
                    const struct power_policy *policy, const struct plan_model *out)
{
    double queued_s = (double)s->step_ms / 1000 * QUEUED_SHARE;
    double sure = out->demand_now;

    if (m->queue > queued_s * m->capacity * ready_of(m))
        sure = fmax(sure, m->fast); /* fmax skips the NAN */
    if (!out->predictive)
        return fmax(MARGIN * out->demand_now, sure);
    return fmax(sure, forecast_peak(&out->forecast, policy->quantile, 0, lead_of(s, m)));
}

/* Beside it, what waits is to be served within an interval, unless it may wait (deferral.h). */
static double need_of(const struct snapshot *s, const struct snap_model *m,
                      const struct power_policy *policy, const struct plan_model *out)
{
    double waiting = m->queue > 0 && m->deadline_ms <= 0 ? m->queue * 1000 / (double)s->step_ms : 0;

    return comes(s, m, policy, out) + waiting;
}

static void say(struct plan_model *out, const char *what)
{
    (void)snprintf(out->why, sizeof(out->why), "%s", what);
}

static uint32_t clamp_least(const struct snap_model *m, uint32_t replicas)
{
    int64_t least = served_model_least(m->spec);

    return (int64_t)replicas < least ? (uint32_t)least : replicas;
}

static uint32_t clamp_most(const struct snap_model *m, uint32_t replicas)
{
    return (int64_t)replicas > m->spec->replicas.max ? (uint32_t)m->spec->replicas.max : replicas;
}

/* Nothing is known that would justify a change: what runs goes on. */
static void keep(const struct snap_model *m, uint32_t alive, struct plan_model *out,
                 const char *why)
{
    out->target = clamp_least(m, alive);
    out->floor = ready_of(m);
    out->demand_need = NAN;
    say(out, why);
}

/* What is foreseen of it is how many they will say. */
static void size_counted(const struct snap_model *m, struct plan_model *out)
{
    out->target = sizing_replicas(m, m->demand);
    out->floor = out->target < ready_of(m) ? out->target : ready_of(m);
    out->demand_now = out->demand_need = NAN;
    (void)snprintf(out->why, sizeof(out->why), "its workload says so: %u replicas", out->target);
}

static void explain_size(const struct snap_model *m, const struct power_policy *policy,
                         struct plan_model *out)
{
    if (out->predictive)
        (void)snprintf(
            out->why, sizeof(out->why),
            "%.3g req/s must be servable (now %.3g, forecast at %.2g over the lead time), "
            "%.3g a replica; %.40s",
            out->demand_need, out->demand_now, policy->quantile, m->capacity, out->forecast.why);
    else
        (void)snprintf(out->why, sizeof(out->why),
                       "%.3g req/s must be servable (now %.3g and a margin), %.3g a replica%s%.56s",
                       out->demand_need, out->demand_now, m->capacity,
                       policy->strategy == STRATEGY_PREDICTIVE ? "; as `demand` does: " : "",
                       policy->strategy == STRATEGY_PREDICTIVE ? out->forecast.why : "");
}

static void size_known(const struct snapshot *s, const struct snap_model *m, uint32_t alive,
                       const struct power_policy *policy, const struct series *past,
                       struct plan_model *out)
{
    uint32_t lasting;

    out->demand_need = need_of(s, m, policy, out);
    out->target = sizing_replicas(m, out->demand_need);
    out->floor = sizing_replicas(m, out->predictive ? out->demand_need : out->demand_now);
    lasting = sizing_replicas(m, lasting_need(s, m, policy, past, out));
    if (out->target < alive)
        out->target = lasting < alive ? lasting : clamp_most(m, alive);
    explain_size(m, policy, out);
}

/* "07:30", in UTC. */
static void clock_of(int64_t wall_ms, char text[6])
{
    char whole[CLOCK_TEXT_MAX];

    clock_format(wall_ms, whole);
    (void)snprintf(text, 6, "%.5s", whole + 11);
}

static void hold(const struct snap_model *m, const struct deferral *d, struct plan_model *out)
{
    char at[6];

    clock_of(d->begin_ms, at);
    out->holds = true;
    out->holds_until_ms = d->begin_ms;
    out->then = d->replicas;
    out->target = out->floor = sizing_replicas(m, 0);
    (void)snprintf(out->why, sizeof(out->why),
                   "it may wait: from %s UTC on a kWh weighs %.3g, not %.3g; %.0f requests wait, "
                   "the oldest for %lld of %lld min; then %u replicas",
                   at, d->then, d->now, m->queue, (long long)m->waited_ms / 60000,
                   (long long)m->deadline_ms / 60000, d->replicas);
}

/* Of demand that may wait. What was started for a queue stays until it is empty. */
static void defer(const struct snapshot *s, uint32_t model, uint32_t alive, struct plan_model *out)
{
    const struct snap_model *m = &s->models[model];
    struct deferral d = deferral_of(s, model, out->demand_need, alive);

    if (d.holds) {
        hold(m, &d, out);
        return;
    }
    if (m->queue > 0.5 && d.replicas > out->target)
        out->target = d.replicas;
    if (m->queue > 0.5 && alive > out->target)
        out->target = clamp_most(m, alive);
    (void)snprintf(out->why, sizeof(out->why),
                   "served now, %.60s: %.0f requests wait, %.3g req/s come", d.at_once, m->queue,
                   out->demand_need);
}

/* As many as are needed for what is likely to come, each at its best load; as slow to shrink. They
 * are no part of the floor: whatever needs their room may have it. */
static uint32_t eased(const struct snapshot *s, const struct snap_model *m, uint32_t alive,
                      const struct series *past, const struct plan_model *out)
{
    uint32_t lead = lead_of(s, m), window = shrink_steps(s, m), replicas;
    double likely = out->demand_now, lasts = recent_peak(past, window);

    if (out->best_load <= 0 || out->best_load >= 1 || isnan(out->demand_need) || out->holds)
        return 0;
    if (out->predictive) {
        likely = forecast_peak(&out->forecast, LIKELY, 0, lead);
        lasts = fmax(lasts, forecast_peak(&out->forecast, LIKELY, 0, lead + window));
    }
    replicas = sizing_replicas(m, likely / out->best_load);
    if (replicas >= alive)
        return replicas;
    replicas = sizing_replicas(m, fmax(likely, lasts) / out->best_load);
    return replicas < alive ? replicas : clamp_most(m, alive);
}

static void ease(uint32_t replicas, struct plan_model *out)
{
    if (replicas <= out->target)
        return;
    out->eased = replicas - out->target;
    out->target = replicas;
    (void)snprintf(
        out->why, sizeof(out->why),
        "%.3g req/s must be servable, now %.3g: their nodes draw least with %u replicas, "
        "each at %.0f %% of what it can serve",
        out->demand_need, out->demand_now, replicas, 100 * out->best_load);
}

void sizing_ease_none(struct plan_model *m)
{
    if (m->eased == 0)
        return;
    m->target = plan_model_needed(m);
    m->eased = 0;
    (void)snprintf(m->why, sizeof(m->why),
                   "%.3g req/s must be servable (now %.3g); their nodes would draw least with "
                   "more replicas, for which there is no room",
                   m->demand_need, m->demand_now);
}

void sizing(const struct snapshot *s, uint32_t model, uint32_t alive, const struct series *past,
            struct plan_model *out)
{
    const struct snap_model *m = &s->models[model];
    const struct power_policy *policy = policy_of_model(s, m);

    out->demand_now = m->demand;
    out->predictive = policy->strategy == STRATEGY_PREDICTIVE && out->forecast.n_steps > 0 &&
                      !out->forecast.doubtful && !isnan(m->demand);
    if (m->counted)
        size_counted(m, out);
    else if (isnan(m->capacity) || m->capacity <= 0)
        keep(m, alive, out, "what a replica can serve is not known yet: what runs goes on");
    else if (isnan(m->demand))
        keep(m, alive, out,
             m->spec->demand.source == DEMAND_FRONT_DOOR
                 ? "the demand is not known, no front door tells it (see demand.source): what runs "
                   "goes on"
                 : "the demand is not known, no page of a replica tells it (see demand.preset and "
                   "demand.path): what runs goes on");
    else
        size_known(s, m, alive, policy, past, out);
    if (m->deadline_ms > 0 && !isnan(out->demand_need))
        defer(s, model, alive, out);
    if ((int64_t)out->floor < m->spec->disruption.min_available)
        out->floor = (uint32_t)m->spec->disruption.min_available;
    if (m->slo_broken) {
        out->frozen = true;
        out->target = clamp_most(m, out->target > ready_of(m) ? out->target : ready_of(m) + 1);
        say(out, "it misses its SLO: nothing of it is moved or stopped, one more is started");
    }
    if ((s->warming_up || m->slo_broken) && out->target < alive)
        out->target = alive;
    if (out->target < out->floor)
        out->target = out->floor;
    if (!out->frozen)
        ease(eased(s, m, alive, past, out), out);
}
