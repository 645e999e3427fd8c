/* Every origin leaves its forecasts for a few horizons behind; when the step they speak of arrives
 * they are judged: the members' faded losses make the weights, the ensemble's errors the quantiles.
 * A step that is a gap judges no member, yet what was told of it stands among the errors. */
#include "controller/forecast/ensemble.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/forecast/early.h"
#include "controller/forecast/experts.h"
#include "controller/forecast/member.h"
#include "controller/forecast/members.h"
#include "controller/forecast/season.h"
#include "proto/base/array.h"

#define SEEN_MIN 12u /* observations before it says anything */
#define LEFT 0.5f    /* share of recent steps above the 0.95 quantile, or below the 0.05 one */
#define LEFT_RATE 0.15f
#define LEFT_HORIZON 2u /* judged three steps ahead */
#define LEFT_STEPS 3u
#define SEASON_EVERY 24
#define BRIDGED_MAX 4u  /* steps without an observation after which nothing is known of now */
#define UNIT_SHARE 0.1f /* of the running mean */
#define UNIT_MOVES 2.5f
#define QUANTILE_MOST 2.0f /* times the largest demand ever: no quantile is above */
#define CONTEST_GROWTH 4u  /* held anew when it grew by a quarter, or so much of it is new */
#define CONFIRMED_MOST 4u  /* outcomes; each doubles the pause: at last four times what is held */
#define MEAN_STEPS 4096.0f

struct waiting { /* what was said from one origin of one horizon */
    float member[MEMBERS];
    struct circumstances then;
    float quantile[EXPERTS_JUDGED][EXPERTS];
    float top;         /* 0.95 quantile; NAN: not said */
    bool said, silent; /* silent: before the first demand ever */
};

struct ensemble {
    struct past past;
    struct series series;
    struct season season;
    struct members members;
    struct experts experts;
    struct waiting waiting[HORIZON_ORIGINS];
    /* Each expert's quantiles of the newest origin, by horizon, at the levels that are not judged.
     */
    float outer[HORIZONS][EXPERTS_LEVELS - EXPERTS_JUDGED][EXPERTS];
    float rough;              /* running mean of the absolute step */
    float bottom[LEFT_STEPS]; /* 0.05 quantiles of horizon LEFT_HORIZON, by origin; NAN: not said */
    float above, below;       /* faded shares of steps that left the quantiles */
    int64_t step_ms;
    uint32_t contest_due; /* observations at which the networks compete again */
    uint32_t confirmed; /* outcomes of late that changed nothing, of a history as long as it gets */
    struct forecast_networks contest;
};
_Static_assert(sizeof(struct ensemble) <= 65536, "a forecaster fits in 64 KB");

static void start(struct ensemble *m, int64_t step_ms, uint32_t without)
{
    memset(m, 0, sizeof(*m));
    m->step_ms = step_ms;
    season_init(&m->season, step_ms);
    members_init(&m->members, without);
    m->contest_due = CONTEST_STEPS_MIN;
}

struct ensemble *ensemble_new(int64_t step_ms)
{
    return ensemble_new_without(step_ms, 0);
}

struct ensemble *ensemble_new_without(int64_t step_ms, uint32_t members)
{
    struct ensemble *m = xcalloc(1, sizeof(struct ensemble));

    start(m, step_ms, members);
    return m;
}

void ensemble_free(struct ensemble *m)
{
    if (m)
        members_done(&m->members);
    free(m);
}

const struct series *ensemble_series(const struct ensemble *m)
{
    return &m->series;
}

size_t ensemble_bytes(void)
{
    return sizeof(struct ensemble);
}

/* --- the past, as the members see it ------------------------------------------------------------
 */

static float log_mean(const struct past *p, uint32_t width)
{
    float sum = 0;
    uint32_t n = 0;

    for (; n < width && series_holds(p->series, p->origin - n); n++)
        sum += past_log_at(p, p->origin - n);
    return n ? sum / (float)n : 0;
}

static void set_unit(struct ensemble *m)
{
    float unit = UNIT_SHARE * m->past.mean + 1e-9f;

    if (m->past.unit > 0 && unit < UNIT_MOVES * m->past.unit && unit * UNIT_MOVES > m->past.unit)
        return;
    m->past.unit = unit;
    for (uint32_t back = 0; back < REGRESSION_FAR; back++) {
        int64_t step = m->series.last - back;

        if (series_holds(&m->series, step))
            m->members.regression.origin[(uint64_t)step % REGRESSION_FAR].log_now =
                past_log_at(&m->past, step);
    }
}

static void look_back(struct ensemble *m)
{
    struct past *p = &m->past;
    const struct series *s = &m->series;
    float rate = 1 / fminf((float)s->n, MEAN_STEPS);
    float before = series_bridged(s, s->last - 1);

    p->series = s;
    p->origin = s->last;
    p->gap = s->gap > 0;
    p->now = series_bridged(s, s->last);
    p->mean += rate * (p->now - p->mean);
    if (!isnan(before))
        m->rough += rate * (fabsf(p->now - before) - m->rough);
    p->season = m->season.length;
    p->turn = p->season        ? p->season
              : m->step_ms > 0 ? 86400e3 / (double)m->step_ms
                               : (double)SEASON_MAX;
    set_unit(m);
    p->log_now = past_log(p, p->now);
    p->log_mean12 = log_mean(p, 12);
    p->log_mean48 = log_mean(p, 48);
    p->level = member_log_level(p);
    p->leveled = true;
}

/* --- judging ------------------------------------------------------------------------------------
 */

static void note_left(struct ensemble *m, float top, float truth)
{
    float bottom = m->bottom[(uint64_t)(m->series.last - LEFT_STEPS) % LEFT_STEPS];

    m->above += LEFT_RATE * ((truth > top ? 1.0f : 0.0f) - m->above);
    if (!m->past.gap)
        m->below += LEFT_RATE * ((truth < bottom ? 1.0f : 0.0f) - m->below);
}

/* `truth` is what was told, a gap's 0 included. */
static void judge(struct ensemble *m, float truth)
{
    int64_t step = m->series.last;

    if (!m->past.gap)
        members_fade(&m->members);
    experts_step(&m->experts);
    for (uint32_t k = 0; k < HORIZONS; k++) {
        const struct waiting *w = &m->waiting[horizon_place(k, step - horizons[k])];

        if (horizons[k] >= m->series.n || !w->said)
            continue;
        if (!m->past.gap)
            members_judge(&m->members, w->member, w->then.point, truth, horizon_weight[k]);
        if (w->silent)
            continue;
        if (!isnan(w->top)) {
            experts_judge(&m->experts, k, w->quantile, truth);
            if (k == LEFT_HORIZON)
                note_left(m, w->top, truth);
        }
        experts_add(&m->experts, &m->past, k, step - horizons[k], &w->then, truth);
    }
}

/* While few errors are known they do not speak alone. */
static float shrunk(const struct ensemble *m, uint32_t k, float level, float point, float q)
{
    const float *error = m->experts.horizon[k].error;
    uint32_t n = m->experts.horizon[k].n;

    if (n >= EARLY_FULL)
        return q;
    return fmaxf(0, point + early_shrunk(q - point, n, level, early_scale(error, n)));
}

static float quantile_95(const struct ensemble *m, uint32_t k, const struct waiting *w,
                         const struct experts_weights *weights)
{
    float q90 = experts_combine(weights->judged[0], w->quantile[0]);
    float q95 = fmaxf(q90, experts_combine(weights->judged[1], w->quantile[1]));

    return shrunk(m, k, experts_level[1], w->then.point, q95);
}

static float quantile_05(const struct ensemble *m, uint32_t k, float point,
                         const struct experts_weights *weights)
{
    return shrunk(m, k, experts_level[2], point,
                  experts_combine(weights->judged[0], m->outer[k][0]));
}

/* Each expert's quantiles at the horizon; false: there are too few errors. */
static bool ask_experts(struct ensemble *m, uint32_t k, const struct experts_common *c,
                        struct waiting *w)
{
    float q[EXPERTS_LEVELS][EXPERTS];

    if (!experts_quantiles(&m->experts, &m->past, k, c, &w->then, q))
        return false;
    memcpy(w->quantile, q, sizeof(w->quantile));
    memcpy(m->outer[k], q + EXPERTS_JUDGED, sizeof(m->outer[k]));
    return true;
}

static void look_ahead(struct ensemble *m)
{
    float weight[MEMBERS];
    struct experts_weights experts;
    struct experts_common common;

    members_weigh(&m->members, weight);
    experts_weigh(&m->experts, &experts);
    experts_look(&m->past, &common);
    for (uint32_t k = 0; k < HORIZONS; k++) {
        struct waiting *w = &m->waiting[horizon_place(k, m->past.origin)];
        float point = members_forecast(&m->members, &m->past, weight, horizons[k], w->member);
        bool known;

        w->then = experts_circumstances(&m->experts, &m->past, k, point, m->rough);
        known = ask_experts(m, k, &common, w);
        w->top = known ? quantile_95(m, k, w, &experts) : NAN;
        if (k == LEFT_HORIZON)
            m->bottom[(uint64_t)m->past.origin % LEFT_STEPS] =
                known ? quantile_05(m, k, point, &experts) : NAN;
        w->said = true;
        w->silent = false;
    }
}

/* The first demand ever: what was said in the silence before tells nothing of the errors to come.
 */
static void launch(struct ensemble *m)
{
    memset(&m->experts, 0, sizeof(m->experts));
    for (uint32_t i = 0; i < HORIZON_ORIGINS; i++)
        m->waiting[i].silent = true;
}

static void add_step(struct ensemble *m, int64_t step, double value)
{
    bool found;

    if (m->series.n > 0 && m->series.most <= 0 && value > 0)
        launch(m);
    (void)series_push(&m->series, step, value);
    season_add(&m->season, &m->series);
    found = step % SEASON_EVERY == 0 && season_find(&m->season);
    look_back(m);
    if (!isnan(value))
        judge(m, (float)value);
    if (found)
        members_replay(&m->members, &m->past);
    members_add(&m->members, &m->past);
    look_ahead(m);
}

void ensemble_add(struct ensemble *m, int64_t step, double value)
{
    enum series_told told = series_told(&m->series, step, &value);

    if (told == SERIES_ANEW) {
        members_done(&m->members);
        start(m, m->step_ms, m->members.without);
    }
    if (told == SERIES_IGNORED || (m->series.n == 0 && isnan(value)))
        return;
    while (m->series.n > 0 && m->series.last + 1 < step)
        add_step(m, m->series.last + 1, NAN);
    add_step(m, step, value);
}

/* --- forecasting --------------------------------------------------------------------------------
 */

static const char *why_unknown(const struct ensemble *m, char *text, size_t size)
{
    if (m->series.seen < SEEN_MIN || isnan(m->waiting[horizon_place(0, m->past.origin)].top))
        (void)snprintf(text, size, "too little history: %u steps", m->series.seen);
    else if (m->series.gap >= BRIDGED_MAX)
        (void)snprintf(text, size, "no observation in the last %u steps", m->series.gap);
    else
        return NULL;
    return text;
}

/* The quantiles at a judged horizon, as distances from the point in units of the scale. A horizon
 * without enough errors uses the longest one that has. */
static void offsets_at(const struct ensemble *m, uint32_t k, const struct experts_weights *weights,
                       float ret_offset[FORECAST_QUANTILES])
{
    const struct waiting *w;

    while (k > 0 && isnan(m->waiting[horizon_place(k, m->past.origin)].top))
        k--;
    w = &m->waiting[horizon_place(k, m->past.origin)];
    for (uint32_t i = 0; i < FORECAST_QUANTILES; i++) {
        float level = (float)forecast_levels[i], value = w->then.point;
        const float *its = i == 2 || i == 3 ? w->quantile[i - 2] : m->outer[k][i > 0];

        if (i != 1) /* the median is the point */
            value =
                shrunk(m, k, level, value, experts_combine(weights->judged[level > 0.92f], its));
        ret_offset[i] = (value - w->then.point) / w->then.scale;
    }
}

/* Between the judged horizons linear; beyond them growing as the root of the distance. */
static void offset_between(float offset[HORIZONS][FORECAST_QUANTILES], uint32_t h, uint32_t i,
                           float *ret_offset)
{
    uint32_t high = 0, low;
    float share;

    while (high < HORIZONS - 1 && horizons[high] < h)
        high++;
    low = high > 0 && horizons[high] > h ? high - 1 : high;
    share = low == high ? 0 : (float)(h - horizons[low]) / (float)(horizons[high] - horizons[low]);
    *ret_offset = offset[low][i] + share * (offset[high][i] - offset[low][i]);
    if (h > HORIZON_LONGEST)
        *ret_offset *= sqrtf((float)h / (float)HORIZON_LONGEST);
}

static void describe(const struct ensemble *m, const float weight[MEMBERS], char *text, size_t size)
{
    enum member best = 0;
    float sum = 0;

    for (enum member i = 0; i < MEMBERS; i++) {
        sum += weight[i];
        if (weight[i] > weight[best])
            best = i;
    }
    if (m->season.length)
        (void)snprintf(text, size, "season of %u steps, %u steps of history, mostly %s (%.0f %%)",
                       m->season.length, m->series.n, member_name(&m->members, best),
                       (double)(100 * weight[best] / sum));
    else
        (void)snprintf(text, size, "no season found in %u steps of history, mostly %s (%.0f %%)",
                       m->series.n, member_name(&m->members, best),
                       (double)(100 * weight[best] / sum));
}

/* What it says is not to be relied on. */
static bool doubts(const struct ensemble *m, struct forecast *f)
{
    if (m->members.leader < MEMBERS)
        (void)snprintf(f->why, sizeof(f->why), "%s, which it relied on, went wild",
                       member_name(&m->members, m->members.leader));
    else if (m->above > LEFT)
        (void)snprintf(f->why, sizeof(f->why), "demand has lately been above its forecast");
    else if (m->below > LEFT)
        (void)snprintf(f->why, sizeof(f->why), "demand has lately been below its forecast");
    else
        return false;
    f->doubtful = true;
    return true;
}

void ensemble_forecast(const struct ensemble *m, uint32_t n_steps, struct forecast *ret_f)
{
    float weight[MEMBERS], value[MEMBERS], offset[HORIZONS][FORECAST_QUANTILES];
    struct experts_weights experts;

    memset(ret_f, 0, sizeof(*ret_f));
    ret_f->first_step = m->series.last + 1;
    ret_f->networks = m->contest;
    if (why_unknown(m, ret_f->why, sizeof(ret_f->why)))
        return;
    members_weigh(&m->members, weight);
    experts_weigh(&m->experts, &experts);
    for (uint32_t k = 0; k < HORIZONS; k++)
        offsets_at(m, k, &experts, offset[k]);
    ret_f->n_steps = n_steps < FORECAST_STEPS_MAX ? n_steps : FORECAST_STEPS_MAX;
    for (uint32_t h = 1; h <= ret_f->n_steps; h++) {
        float point = members_forecast(&m->members, &m->past, weight, h, value);
        float scale = sqrtf(point + 0.1f * m->past.mean + 1e-6f), least = 0;

        for (uint32_t i = 0; i < FORECAST_QUANTILES; i++) {
            float away, q;

            offset_between(offset, h, i, &away);
            q = point + scale * away;
            if (forecast_levels[i] < 0.5)
                q = fminf(q, point); /* the point is the median: the others make room */
            least = fmaxf(least, fminf(q, QUANTILE_MOST * m->series.most));
            ret_f->quantile[h - 1][i] = least;
        }
    }
    if (!doubts(m, ret_f))
        describe(m, weight, ret_f->why, sizeof(ret_f->why));
}

/* --- the contest of the networks ----------------------------------------------------------------
 */

struct contest *ensemble_contest(const struct ensemble *m)
{
    if (m->series.seen < m->contest_due || m->members.without & 1u << MEMBER_NETWORK)
        return NULL;
    return contest_new(&m->past);
}

void ensemble_settle(struct ensemble *m, const struct contest *c)
{
    bool had_large = m->members.large != NULL;

    members_settle(&m->members, c);
    m->contest = contest_result(c);
    if (had_large != m->contest.large_wins || m->series.n < SERIES_STEPS)
        m->confirmed = 0;
    else if (m->confirmed < CONFIRMED_MOST)
        m->confirmed++;
    m->contest_due = m->series.seen + (m->series.n / CONTEST_GROWTH << m->confirmed);
}
