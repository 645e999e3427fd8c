/* Candidates are now, and each later change of the weight that the deadline still allows. Each is
 * judged by the mean over as long as boot, load and serving the queue take as a rule, with all
 * replicas that the model may have; the deadline is kept by what they take at worst. */
#include "controller/placement/deferral.h"

#include <math.h>

#include "controller/placement/policy.h"
#include "controller/placement/sizing.h"

#define RESERVE 1.25       /* serving the queue takes so much longer than by capacity */
#define MARGIN 0.05        /* by which a later window must be better */
#define MARGIN_RUNNING 0.2 /* the same to stop what serves, which has to be started again */
#define CANDIDATES_MOST 4000
#define WINDOW_LEAST_MS 60000
#define DRAIN_MOST_MS 6.048e8 /* a week: longer than any deadline, and than what is looked at */

struct job {
    const struct snapshot *s;
    const struct snap_model *m;
    const struct intensity *weight;
    double arrivals, most_rate; /* req/s: that come, and that all replicas serve */
    int64_t lead_ms;            /* from a decision to serving, at worst */
    int64_t usual_ms;           /* the same as a rule */
    int64_t last_ms;            /* wall time: until then serving must begin */
};

/* A boot is not waited for where a node is awake already: whether there is room on it is not known
 * here, but the deadline is kept by lead_ms. */
static int64_t usual_boot_ms(const struct snapshot *s, const struct snap_model *m)
{
    double slowest_s = 0;

    for (uint32_t i = 0; i < s->n_nodes; i++) {
        if (!snapshot_eligible(m, i) || s->nodes[i].pool == NO_INDEX)
            continue;
        if (s->nodes[i].schedulable)
            return 0;
        slowest_s = fmax(slowest_s, s->nodes[i].curve.boot_s);
    }
    return (int64_t)(slowest_s * 1000);
}

static double backlog_at(const struct job *j, int64_t serve_ms)
{
    return j->m->queue + j->arrivals * (double)(serve_ms - j->s->wall_ms) / 1000;
}

/* How long all replicas take for what waits at that moment. */
static int64_t drain_ms(const struct job *j, int64_t serve_ms)
{
    return (int64_t)fmin(RESERVE * backlog_at(j, serve_ms) / j->most_rate * 1000, DRAIN_MOST_MS);
}

/* The last moment to begin: x + drain(x) <= left, where x counts from now. */
static int64_t last_ms(const struct job *j)
{
    double left_ms = (double)(j->m->deadline_ms - j->m->waited_ms);
    double queue_ms = fmin(RESERVE * j->m->queue / j->most_rate * 1000, DRAIN_MOST_MS);
    double grows = RESERVE * j->arrivals / j->most_rate;

    return j->s->wall_ms + (int64_t)((left_ms - queue_ms) / (1 + grows));
}

/* Of what is begun then: from the first boot to the last answer. */
static struct intensity_mean worth(const struct job *j, int64_t begin_ms)
{
    int64_t length_ms = j->usual_ms + drain_ms(j, begin_ms + j->usual_ms);

    return intensity_over(j->weight, begin_ms,
                          begin_ms + (length_ms > WINDOW_LEAST_MS ? length_ms : WINDOW_LEAST_MS));
}

/* The best moment after now that leaves time for the worst. */
static void look_ahead(const struct job *j, struct deferral *d)
{
    int64_t at_ms = j->s->wall_ms, next_ms;

    for (int i = 0; i < CANDIDATES_MOST; i++) {
        struct intensity_mean mean;

        (void)intensity_at(j->weight, at_ms, &next_ms);
        if (next_ms > j->last_ms - j->lead_ms)
            return;
        at_ms = next_ms;
        mean = worth(j, at_ms);
        if (mean.known < 1 || mean.value >= d->then - 1e-9 * fabs(d->then))
            continue;
        d->then = mean.value;
        d->begin_ms = at_ms;
    }
}

/* As many as empty the queue while the weight stays as it is, and meet the deadline. */
static uint32_t replicas_at(const struct job *j, int64_t serve_ms)
{
    int64_t same_ms, late_ms = j->last_ms + drain_ms(j, j->last_ms);
    double window_s;

    (void)intensity_at(j->weight, serve_ms, &same_ms);
    if (same_ms > late_ms)
        same_ms = late_ms;
    window_s = fmax((double)(same_ms - serve_ms), WINDOW_LEAST_MS) / 1000;
    return sizing_replicas(j->m, RESERVE * backlog_at(j, serve_ms) / window_s + j->arrivals);
}

static const char *why_at_once(const struct job *j)
{
    int64_t until_ms;

    if (isnan(j->m->queue))
        return "how many requests wait is not known";
    if (j->m->waited_ms < 0)
        return "how long the oldest request has waited is not known";
    if (!j->weight)
        return "its policy names no source for its objective";
    if (isnan(intensity_at(j->weight, j->s->wall_ms, &until_ms)))
        return "what joules weigh now is not known";
    return NULL;
}

static void decide(const struct job *j, uint32_t alive, struct deferral *d)
{
    bool running = (int64_t)alive > served_model_least(j->m->spec);
    double margin = running ? MARGIN_RUNNING : MARGIN;
    struct intensity_mean now = worth(j, j->s->wall_ms);

    d->now = d->then = now.known < 1 ? NAN : now.value;
    if (j->s->wall_ms + j->lead_ms >= j->last_ms)
        d->at_once = "its deadline leaves no time to wait";
    else if (isnan(d->now))
        d->at_once = "what joules weigh in the time that it takes is not known";
    else if (running && j->m->queue > fmax(0.5, j->arrivals))
        d->at_once = "serving has begun, and goes on until nobody waits";
    if (d->at_once)
        return;
    look_ahead(j, d);
    d->holds = d->begin_ms > j->s->wall_ms && d->then < d->now - margin * fabs(d->now) &&
               (!running || d->begin_ms - j->s->wall_ms > 2 * j->lead_ms);
    if (d->holds)
        return;
    d->at_once = "no better hour is within its deadline";
    d->begin_ms = j->s->wall_ms;
    d->then = d->now;
}

struct deferral deferral_of(const struct snapshot *s, uint32_t model, double arrivals,
                            uint32_t alive)
{
    const struct snap_model *m = &s->models[model];
    struct job j = {
        .s = s, .m = m, .weight = policy_weight(s, policy_pool_of_model(s, m)), .arrivals = arrivals
    };
    struct deferral d = { .now = NAN, .then = NAN, .begin_ms = s->wall_ms };
    int64_t load_ms;

    d.at_once = why_at_once(&j);
    load_ms = m->load_p99_ms > 0 ? m->load_p99_ms : 0;
    j.lead_ms = policy_boot_ms(s, m) + load_ms + 2 * s->step_ms;
    j.usual_ms = usual_boot_ms(s, m) + load_ms + s->step_ms;
    if (j.usual_ms > j.lead_ms)
        j.usual_ms = j.lead_ms;
    j.most_rate = m->capacity * (double)m->spec->replicas.max;
    if (isnan(m->queue) || m->waited_ms < 0)
        return d; /* the demand of now is all that is known */
    j.last_ms = last_ms(&j);
    if (!d.at_once)
        decide(&j, alive, &d);
    d.replicas = replicas_at(&j, d.begin_ms + j.usual_ms);
    return d;
}
