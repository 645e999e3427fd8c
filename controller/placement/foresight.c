/* One ensemble a model, and one over the sum of their demand. */
#include "controller/placement/foresight.h"

#include <stdlib.h>

#include "controller/forecast/ensemble.h"
#include "controller/placement/by_model.h"
#include "controller/placement/policy.h"
#include "controller/placement/pooled.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define STUDY_WINDOWS_S 2000 /* windows (contest.h) in a second of the interval */
#define STUDY_WINDOWS_MAX 20000

struct forecaster { /* of one model */
    char *name;
    struct ensemble *ensemble;
    int64_t step_ms;
    struct contest *contest; /* in hand; of at most one model */
};

struct foresight {
    struct forecaster *models; /* by name */
    size_t n_models;
    struct pooled pooled;
    int64_t step_ms; /* of the last snapshot */
    size_t next;     /* model that is asked first whether a contest is due */
};

struct foresight *foresight_new(void)
{
    return xcalloc(1, sizeof(struct foresight));
}

static void forecaster_done(void *item)
{
    struct forecaster *m = item;

    free(m->name);
    contest_free(m->contest);
    ensemble_free(m->ensemble);
}

void foresight_free(struct foresight *f)
{
    if (!f)
        return;
    ARRAY_FOREACH(m, f, models)
        forecaster_done(m);
    free(f->models);
    pooled_done(&f->pooled);
    free(f);
}

/* --- what is seen -------------------------------------------------------------------------------
 */

/* What was learned of its demand. */
static void forget(struct forecaster *m, int64_t step_ms)
{
    contest_free(m->contest);
    ensemble_free(m->ensemble);
    m->contest = NULL;
    m->ensemble = ensemble_new(step_ms);
    m->step_ms = step_ms;
}

static void follow_models(struct foresight *f, const struct snapshot *s)
{
    f->models = by_model_follow(f->models, f->n_models, sizeof(*f->models), s, forecaster_done);
    f->n_models = s->n_models;
    ARRAY_FOREACH(m, f, models)
        if (!m->ensemble || m->step_ms != s->step_ms)
            forget(m, s->step_ms);
}

/* A snapshot tells of a model's newest step, or of none. When that is older than what is known, the
 * wall clock was set back: what was learned of steps still to come is not the past. */
static void observe(struct foresight *f, const struct snapshot *s)
{
    AUTO(mem) int64_t *newest = xcalloc(s->n_models + 1, sizeof(*newest));

    for (uint32_t i = 0; i < s->n_models; i++)
        newest[i] = INT64_MIN;
    for (size_t i = 0; i < s->n_observations; i++)
        if (s->observations[i].step > newest[s->observations[i].model])
            newest[s->observations[i].model] = s->observations[i].step;
    for (uint32_t i = 0; i < s->n_models; i++) {
        const struct series *past = ensemble_series(f->models[i].ensemble);

        if (newest[i] == INT64_MIN || past->n == 0 || newest[i] >= past->last)
            continue;
        forget(&f->models[i], s->step_ms);
    }
    for (size_t i = 0; i < s->n_observations; i++)
        ensemble_add(f->models[s->observations[i].model].ensemble, s->observations[i].step,
                     s->observations[i].value);
}

static void observe_pooled(struct foresight *f, const struct snapshot *s)
{
    AUTO(mem) const struct series **past = xcalloc(s->n_models + 1, sizeof(*past));

    for (uint32_t i = 0; i < s->n_models; i++)
        past[i] = ensemble_series(f->models[i].ensemble);
    pooled_observe(&f->pooled, s, past);
}

void foresight_observe(struct foresight *f, const struct snapshot *s)
{
    follow_models(f, s);
    f->step_ms = s->step_ms;
    observe(f, s);
    observe_pooled(f, s);
}

/* --- what is foreseen ---------------------------------------------------------------------------
 */

static uint32_t steps_ahead(const struct snapshot *s, const struct power_policy *policy)
{
    int64_t steps = policy->horizon_ms / s->step_ms;

    return steps < 1 ? 1 : steps > FORECAST_STEPS_MAX ? FORECAST_STEPS_MAX : (uint32_t)steps;
}

void foresight_forecast(const struct foresight *f, const struct snapshot *s, uint32_t model,
                        struct forecast *ret)
{
    ensemble_forecast(f->models[model].ensemble,
                      steps_ahead(s, policy_of_model(s, &s->models[model])), ret);
}

const struct series *foresight_past(const struct foresight *f, uint32_t model)
{
    return ensemble_series(f->models[model].ensemble);
}

void foresight_pooled(const struct foresight *f, const struct snapshot *s, struct forecast *ret)
{
    pooled_forecast(&f->pooled, steps_ahead(s, policy_of_pool(s, 0)), ret);
}

/* --- learning beside the plans ------------------------------------------------------------------
 */

/* The model whose contest is in hand, or the next one whose contest is due. */
static struct forecaster *studied(struct foresight *f)
{
    ARRAY_FOREACH(m, f, models)
        if (m->contest)
            return m;
    for (size_t i = 0; i < f->n_models; i++) {
        struct forecaster *m = &f->models[(f->next + i) % f->n_models];

        m->contest = ensemble_contest(m->ensemble);
        if (m->contest) {
            f->next = (f->next + i + 1) % f->n_models;
            return m;
        }
    }
    return NULL;
}

void foresight_study(struct foresight *f)
{
    int64_t windows = f->step_ms * STUDY_WINDOWS_S / 1000;
    struct forecaster *m = studied(f);

    if (!m || !contest_run(m->contest,
                           windows < STUDY_WINDOWS_MAX ? (uint32_t)windows : STUDY_WINDOWS_MAX))
        return;
    ensemble_settle(m->ensemble, m->contest);
    contest_free(m->contest);
    m->contest = NULL;
}
