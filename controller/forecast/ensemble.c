/* Every origin leaves its forecasts for a few horizons behind; when the step they speak of arrives
 * they are judged: the members' faded losses make the weights, the ensemble's errors the quantiles.
 * A step that is a gap judges no member, yet what was told of it stands among the errors. */
#include "controller/forecast/ensemble.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/forecast/analogues.h"
#include "controller/forecast/early.h"
#include "controller/forecast/experts.h"
#include "controller/forecast/member.h"
#include "controller/forecast/network.h"
#include "controller/forecast/regression.h"
#include "controller/forecast/season.h"
#include "proto/base/array.h"

#define LOSS_FADE 0.988f
#define SHARPNESS 10.0f
#define SILENT 2.0f  /* a member that says nothing: so many times the ensemble's error */
#define REPLAYED 96u /* origins on which the stateless are judged anew with a new season */
#define SEEN_MIN 12u /* observations before it says anything */
#define WILD 0.5f    /* share of recent steps above the 0.95 quantile */
#define WILD_RATE 0.15f
#define WILD_HORIZON 2u /* judged three steps ahead */
#define SEASON_EVERY 24
#define BRIDGED_MAX 4u  /* steps without an observation after which nothing is known of now */
#define GAP_MAX 2048    /* a longer silence starts the series over */
#define UNIT_SHARE 0.1f /* of the running mean */
#define UNIT_MOVES 2.5f
#define QUANTILE_MOST 2.0f /* times the largest demand ever: no quantile is above */
#define MEAN_STEPS 4096.0f

enum member { LAST, MEDIAN, PROFILE, LOG_PROFILE, REGRESSION, ANALOGUES, NETWORK, MEMBERS };

static const char *const names[MEMBERS] = { "last value", "median",    "profile", "log profile",
                                            "regression", "analogues", "network" };
static member_fn *const stateless[] = { member_last, member_median, member_profile,
                                        member_log_profile };

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
    struct regression regression;
    struct analogues analogues;
    struct network network;
    struct experts experts;
    struct waiting waiting[HORIZON_ORIGINS];
    float loss[MEMBERS];
    float rough; /* running mean of the absolute step */
    float above; /* faded share of steps above `top` */
    int64_t step_ms;
};
_Static_assert(sizeof(struct ensemble) <= 65536, "a forecaster fits in 64 KB");

static void start(struct ensemble *m, int64_t step_ms)
{
    memset(m, 0, sizeof(*m));
    m->step_ms = step_ms;
    season_init(&m->season, step_ms);
    regression_init(&m->regression);
    network_init(&m->network, 1);
}

struct ensemble *ensemble_new(int64_t step_ms)
{
    struct ensemble *m = xcalloc(1, sizeof(struct ensemble));

    start(m, step_ms);
    return m;
}

void ensemble_free(struct ensemble *m)
{
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
            m->regression.origin[(uint64_t)step % REGRESSION_FAR].log_now =
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
}

/* --- point --------------------------------------------------------------------------------------
 */

static void weigh(const float loss[MEMBERS], float weight[MEMBERS])
{
    float best = INFINITY;

    for (uint32_t i = 0; i < MEMBERS; i++)
        best = fminf(best, loss[i]);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        float ratio = best > 0 ? loss[i] / best : loss[i] > 0 ? 100 : 1;

        weight[i] = elementary_exp(-SHARPNESS * (ratio - 1)) + 1e-6f;
    }
}

static float member_at(const struct ensemble *m, uint32_t i, uint32_t h)
{
    switch ((enum member)i) {
    case REGRESSION:
        return regression_forecast(&m->regression, &m->past, h);
    case ANALOGUES:
        return analogues_forecast(&m->analogues, &m->past, h);
    case NETWORK:
        return network_forecast(&m->network, &m->past, h);
    default:
        return stateless[i](&m->past, h);
    }
}

static float point_at(const struct ensemble *m, const float weight[MEMBERS], uint32_t h,
                      float value[MEMBERS])
{
    float sum = 0, mass = 0;

    for (uint32_t i = 0; i < MEMBERS; i++) {
        value[i] = member_at(m, i, h);
        if (isnan(value[i]))
            continue;
        sum += weight[i] * value[i];
        mass += weight[i];
    }
    return mass > 0 ? fmaxf(0, sum / mass) : m->past.now;
}

/* --- judging ------------------------------------------------------------------------------------
 */

static void judge_members(struct ensemble *m, uint32_t k, const struct waiting *w, float truth)
{
    for (uint32_t i = 0; i < MEMBERS; i++) {
        float error = isnan(w->member[i]) ? SILENT * fabsf(truth - w->then.point)
                                          : fabsf(truth - w->member[i]);

        m->loss[i] += horizon_weight[k] * error;
    }
}

/* `truth` is what was told, a gap's 0 included. */
static void judge(struct ensemble *m, float truth)
{
    int64_t step = m->series.last;

    for (uint32_t i = 0; i < MEMBERS && !m->past.gap; i++)
        m->loss[i] *= LOSS_FADE;
    experts_step(&m->experts);
    for (uint32_t k = 0; k < HORIZONS; k++) {
        const struct waiting *w = &m->waiting[horizon_place(k, step - horizons[k])];

        if (horizons[k] >= m->series.n || !w->said)
            continue;
        if (!m->past.gap)
            judge_members(m, k, w, truth);
        if (w->silent)
            continue;
        if (!isnan(w->top)) {
            experts_judge(&m->experts, k, w->quantile, truth);
            if (k == WILD_HORIZON)
                m->above += WILD_RATE * ((truth > w->top ? 1.0f : 0.0f) - m->above);
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

static float quantile_95(const struct ensemble *m, uint32_t k, const struct waiting *w)
{
    float q90 = experts_combine(&m->experts, 0, w->quantile[0]);
    float q95 = fmaxf(q90, experts_combine(&m->experts, 1, w->quantile[1]));

    return shrunk(m, k, experts_level[1], w->then.point, q95);
}

static void look_ahead(struct ensemble *m)
{
    float weight[MEMBERS];

    weigh(m->loss, weight);
    for (uint32_t k = 0; k < HORIZONS; k++) {
        struct waiting *w = &m->waiting[horizon_place(k, m->past.origin)];
        float point = point_at(m, weight, horizons[k], w->member);
        bool known = true;

        w->then = experts_circumstances(&m->experts, &m->past, k, point, m->rough);
        for (uint32_t j = 0; j < EXPERTS_JUDGED; j++)
            known &= experts_quantiles(&m->experts, &m->past, k, &w->then, experts_level[j],
                                       w->quantile[j]);
        w->top = known ? quantile_95(m, k, w) : NAN;
        w->said = true;
        w->silent = false;
    }
}

/* A new season changes what the stateless members say: they are judged anew by what they would have
 * said. */
static void replay(struct ensemble *m)
{
    struct past p = m->past;
    uint32_t first = m->series.n > REPLAYED + 1 ? REPLAYED : m->series.n - 1;

    for (uint32_t i = 0; i < sizeof(stateless) / sizeof(stateless[0]); i++)
        m->loss[i] = 0;
    for (uint32_t back = first; back > 0; back--) {
        p.origin = m->series.last - back;
        p.now = series_bridged(&m->series, p.origin);
        for (uint32_t i = 0; i < sizeof(stateless) / sizeof(stateless[0]); i++) {
            m->loss[i] *= LOSS_FADE;
            for (uint32_t k = 0; k < HORIZONS && horizons[k] <= back; k++) {
                float truth = series_at(&m->series, p.origin + horizons[k]);
                float error = fabsf(truth - stateless[i](&p, horizons[k]));

                m->loss[i] += isnan(error) ? 0 : horizon_weight[k] * error;
            }
        }
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
        replay(m);
    regression_add(&m->regression, &m->past);
    analogues_add(&m->analogues, &m->past);
    network_add(&m->network, &m->past);
    look_ahead(m);
}

void ensemble_add(struct ensemble *m, int64_t step, double value)
{
    if (m->series.n > 0 && step <= m->series.last)
        return;
    if (!(isfinite(value) && value >= 0))
        value = NAN;
    if (m->series.n > 0 && step - m->series.last > GAP_MAX)
        start(m, m->step_ms);
    if (m->series.n == 0 && isnan(value))
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
static void offsets_at(const struct ensemble *m, uint32_t k, float ret_offset[FORECAST_QUANTILES])
{
    float q[EXPERTS];

    while (k > 0 && isnan(m->waiting[horizon_place(k, m->past.origin)].top))
        k--;
    const struct circumstances *now = &m->waiting[horizon_place(k, m->past.origin)].then;
    for (uint32_t i = 0; i < FORECAST_QUANTILES; i++) {
        float level = (float)forecast_levels[i], value = now->point;

        if (level != 0.5f && experts_quantiles(&m->experts, &m->past, k, now, level, q))
            value = shrunk(m, k, level, now->point, experts_combine(&m->experts, level > 0.92f, q));
        ret_offset[i] = (value - now->point) / now->scale;
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
    size_t best = 0;
    float sum = 0;

    for (size_t i = 0; i < MEMBERS; i++) {
        sum += weight[i];
        if (weight[i] > weight[best])
            best = i;
    }
    if (m->season.length)
        (void)snprintf(text, size, "season of %u steps, %u steps of history, mostly %s (%.0f %%)",
                       m->season.length, m->series.n, names[best],
                       (double)(100 * weight[best] / sum));
    else
        (void)snprintf(text, size, "no season found in %u steps of history, mostly %s (%.0f %%)",
                       m->series.n, names[best], (double)(100 * weight[best] / sum));
}

void ensemble_forecast(const struct ensemble *m, uint32_t n_steps, struct forecast *ret_f)
{
    float weight[MEMBERS], value[MEMBERS], offset[HORIZONS][FORECAST_QUANTILES];

    memset(ret_f, 0, sizeof(*ret_f));
    ret_f->first_step = m->series.last + 1;
    if (why_unknown(m, ret_f->why, sizeof(ret_f->why)))
        return;
    weigh(m->loss, weight);
    for (uint32_t k = 0; k < HORIZONS; k++)
        offsets_at(m, k, offset[k]);
    ret_f->n_steps = n_steps < FORECAST_STEPS_MAX ? n_steps : FORECAST_STEPS_MAX;
    for (uint32_t h = 1; h <= ret_f->n_steps; h++) {
        float point = point_at(m, weight, h, value);
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
    ret_f->doubtful = m->above > WILD;
    if (ret_f->doubtful)
        (void)snprintf(ret_f->why, sizeof(ret_f->why),
                       "demand left the forecast's quantiles in most of the last steps");
    else
        describe(m, weight, ret_f->why, sizeof(ret_f->why));
}
