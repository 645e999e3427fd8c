/* Every origin leaves its forecasts for a few horizons behind; when the step they speak of arrives
 * they are judged: the members' losses make the weights, the ensemble's errors make the quantiles.
 * Errors are scaled by the root of the level, so that the night's do not judge the day. */
#include "controller/forecast/ensemble.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/forecast/member.h"
#include "controller/forecast/residuals.h"
#include "controller/forecast/season.h"
#include "proto/base/array.h"

#define HORIZONS 7u
#define ORIGINS FORECAST_STEPS_MAX
#define REPLAYED 96u /* origins judged anew when a season is found */
#define LOSS_FADE 0.98f
#define SHARPNESS 8.0f
#define SEEN_MIN 12u /* observations before it says anything */
#define ERRORS_MIN 8u
#define WILD 0.5f /* share of recent steps above the 0.99 quantile */
#define SEASON_EVERY 8
#define GAP_MAX 2048 /* a longer silence starts the series over */

static const uint32_t horizons[HORIZONS] = { 1, 2, 4, 8, 16, 32, 64 };
#define WILD_HORIZON 2u /* judged four steps ahead */

static const struct {
    const char *name;
    member_fn *forecast;
} members[] = {
    { "last value", member_last },
    { "level", member_level },
    { "profile", member_profile },
    { "analogue", member_analogue },
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

struct origin {
    float member[MEMBERS][HORIZONS];
    float point[HORIZONS], scale[HORIZONS], top; /* top: 0.99 quantile at WILD_HORIZON */
};

struct ensemble {
    struct series series;
    struct season season;
    struct origin origins[ORIGINS];
    struct residuals errors[HORIZONS];
    float loss[MEMBERS]; /* faded mean absolute error */
    float judged[MEMBERS];
    float above; /* faded share of steps above `top` */
};
_Static_assert(sizeof(struct ensemble) <= 65536, "a forecaster fits in 64 KB");

struct ensemble *ensemble_new(void)
{
    return xcalloc(1, sizeof(struct ensemble));
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

/* --- point -------------------------------------------------------------------------------------
 */

static void weigh(const struct ensemble *m, float weight[MEMBERS])
{
    float best = INFINITY;

    for (size_t i = 0; i < MEMBERS; i++)
        if (m->judged[i] > 0 && m->loss[i] < best)
            best = m->loss[i];
    for (size_t i = 0; i < MEMBERS; i++) {
        float ratio = best > 0 ? m->loss[i] / best : m->loss[i] > 0 ? INFINITY : 1;

        weight[i] = m->judged[i] <= 0 ? 0.01f : expf(-SHARPNESS * (ratio - 1));
    }
}

static float combine(const float weight[MEMBERS], const float value[MEMBERS])
{
    float sum = 0, mass = 0;

    for (size_t i = 0; i < MEMBERS; i++) {
        if (isnan(value[i]))
            continue;
        sum += (weight[i] + 1e-6f) * value[i];
        mass += weight[i] + 1e-6f;
    }
    return mass > 0 ? fmaxf(0, sum / mass) : NAN;
}

static float point_at(const struct ensemble *m, const float weight[MEMBERS], int64_t origin,
                      uint32_t h, float value[MEMBERS])
{
    for (size_t i = 0; i < MEMBERS; i++)
        value[i] = members[i].forecast(&m->series, m->season.length, origin, h);
    return combine(weight, value);
}

static float scale_of(const struct ensemble *m, float point)
{
    float mean = m->season.n ? (float)(m->season.sum / m->season.n) : 0;

    return sqrtf(point + 0.1f * mean + 1e-3f);
}

/* --- judging ------------------------------------------------------------------------------------
 */

static void judge(struct ensemble *m, const struct origin *o, uint32_t k, float truth)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        float error = fabsf(truth - o->member[i][k]);

        if (isnan(error))
            continue;
        m->judged[i] += 1;
        m->loss[i] += fmaxf(1 - LOSS_FADE, 1 / m->judged[i]) * (error - m->loss[i]);
    }
    if (!isnan(o->point[k]))
        residuals_add(&m->errors[k], (truth - o->point[k]) / o->scale[k]);
}

static void judge_newest(struct ensemble *m, int64_t step, float truth)
{
    for (uint32_t k = 0; k < HORIZONS; k++) {
        const struct origin *o = &m->origins[(uint64_t)(step - horizons[k]) % ORIGINS];

        if (horizons[k] >= m->series.n)
            continue;
        judge(m, o, k, truth);
        if (k == WILD_HORIZON && !isnan(o->top))
            m->above += 0.15f * ((truth > o->top ? 1.0f : 0.0f) - m->above);
    }
}

static void look_ahead(const struct ensemble *m, int64_t origin, struct origin *o)
{
    float weight[MEMBERS], value[MEMBERS];

    weigh(m, weight);
    for (uint32_t k = 0; k < HORIZONS; k++) {
        o->point[k] = point_at(m, weight, origin, horizons[k], value);
        o->scale[k] = scale_of(m, o->point[k]);
        for (size_t i = 0; i < MEMBERS; i++)
            o->member[i][k] = value[i];
    }
    o->top = m->errors[WILD_HORIZON].n < ERRORS_MIN
                 ? NAN
                 : o->point[WILD_HORIZON] +
                       o->scale[WILD_HORIZON] *
                           residuals_quantile(&m->errors[WILD_HORIZON], forecast_levels[4]);
}

/* The season changed what the members say: their merits and the errors are those of the members as
 * they are now. */
static void replay(struct ensemble *m)
{
    int64_t last = m->series.last, span = REPLAYED + horizons[HORIZONS - 1];
    int64_t first = last - (m->series.n - 1 < span ? (int64_t)m->series.n - 1 : span);

    memset(m->errors, 0, sizeof(m->errors));
    memset(m->loss, 0, sizeof(m->loss));
    memset(m->judged, 0, sizeof(m->judged));
    m->above = 0;
    for (int64_t step = first; step <= last; step++) {
        float truth = series_at(&m->series, step);

        for (uint32_t k = 0; k < HORIZONS && !isnan(truth); k++)
            if (step - horizons[k] >= first)
                judge(m, &m->origins[(uint64_t)(step - horizons[k]) % ORIGINS], k, truth);
        look_ahead(m, step, &m->origins[(uint64_t)step % ORIGINS]);
    }
}

static void add_step(struct ensemble *m, int64_t step, double value)
{
    float truth;

    series_push(&m->series, step, value);
    truth = series_at(&m->series, step);
    season_add(&m->season, &m->series);
    if (step % SEASON_EVERY == 0 && season_find(&m->season)) {
        replay(m);
        return;
    }
    if (!isnan(truth))
        judge_newest(m, step, truth);
    look_ahead(m, step, &m->origins[(uint64_t)step % ORIGINS]);
}

void ensemble_add(struct ensemble *m, int64_t step, double value)
{
    if (m->series.n > 0 && step <= m->series.last)
        return;
    if (m->series.n > 0 && step - m->series.last > GAP_MAX)
        memset(m, 0, sizeof(*m));
    while (m->series.n > 0 && m->series.last + 1 < step)
        add_step(m, m->series.last + 1, NAN);
    add_step(m, step, value);
}

/* --- forecasting --------------------------------------------------------------------------------
 */

static const char *why_unknown(const struct ensemble *m, char *text, size_t size)
{
    if (m->series.seen < SEEN_MIN || m->errors[0].n < ERRORS_MIN)
        snprintf(text, size, "too little history: %u steps", m->series.seen);
    else if (isnan(series_recent(&m->series, m->series.last, MEMBER_REACH)))
        snprintf(text, size, "no observation in the last %u steps", MEMBER_REACH + 1);
    else if (m->above > WILD)
        snprintf(text, size, "demand left the forecast's quantiles in most of the last steps");
    else
        return NULL;
    return text;
}

/* Quantiles of the scaled error at h steps, between the judged horizons linear. A horizon without
 * enough errors uses the longest one that has. */
static void error_quantiles(const struct ensemble *m, uint32_t h, float out[FORECAST_QUANTILES])
{
    uint32_t high = 0, low;
    float share;

    while (high < HORIZONS - 1 && horizons[high] < h)
        high++;
    while (high > 0 && m->errors[high].n < ERRORS_MIN)
        high--;
    low = high > 0 && horizons[high] > h ? high - 1 : high;
    share = low == high ? 0 : (float)(h - horizons[low]) / (float)(horizons[high] - horizons[low]);
    for (uint32_t q = 0; q < FORECAST_QUANTILES; q++) {
        float near = residuals_quantile(&m->errors[low], forecast_levels[q]);
        float far = residuals_quantile(&m->errors[high], forecast_levels[q]);

        out[q] = near + share * (far - near);
    }
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
        snprintf(text, size, "season of %u steps, %u steps of history, mostly %s (%.0f %%)",
                 m->season.length, m->series.n, members[best].name,
                 (double)(100 * weight[best] / sum));
    else
        snprintf(text, size, "no season found in %u steps of history, mostly %s (%.0f %%)",
                 m->series.n, members[best].name, (double)(100 * weight[best] / sum));
}

void ensemble_forecast(const struct ensemble *m, uint32_t n_steps, struct forecast *ret_f)
{
    float weight[MEMBERS], value[MEMBERS], error[FORECAST_QUANTILES];

    memset(ret_f, 0, sizeof(*ret_f));
    ret_f->first_step = m->series.last + 1;
    if (why_unknown(m, ret_f->why, sizeof(ret_f->why)))
        return;
    weigh(m, weight);
    ret_f->n_steps = n_steps < FORECAST_STEPS_MAX ? n_steps : FORECAST_STEPS_MAX;
    for (uint32_t k = 0; k < ret_f->n_steps; k++) {
        float point = point_at(m, weight, m->series.last, k + 1, value);
        float scale = scale_of(m, point), least = 0;

        error_quantiles(m, k + 1, error);
        for (uint32_t q = 0; q < FORECAST_QUANTILES; q++) {
            least = fmaxf(least, point + scale * error[q]);
            ret_f->quantile[k][q] = least;
        }
    }
    describe(m, weight, ret_f->why, sizeof(ret_f->why));
}
