/* Inputs are differences from the logarithm of now, so that a coefficient vector means the same at
 * every level; the target is the difference h steps later. */
#include "controller/forecast/regression.h"

#include <math.h>
#include <string.h>

#define N REGRESSION_FEATURES
#define START 0.01f
#define FORGETTING 0.998f
#define TRACE_MAX (0.03f * (float)N) /* against wind-up where the inputs say nothing */
#define ERROR_RATE 0.02f
#define CLIP 3.0f /* mean absolute errors */
#define LAGS 11
#define LOG_TEN_PLUS_ONE 2.3978953f /* the logarithm of an average demand */

static const int seasonal[] = { 0, 2, 4, 6, 9, 12 };

static uint32_t horizon_of(uint32_t target)
{
    return target < REGRESSION_NEAR ? target + 1 : REGRESSION_FAR;
}

void regression_init(struct regression *r)
{
    memset(r, 0, sizeof(*r));
    for (uint32_t i = 0; i < N; i++)
        r->inverse[i][i] = START;
}

/* One season ago around the step `ahead` of now, as a difference from now; 0 when unknown. */
static float season_ago(const struct past *p, int ahead)
{
    int64_t at = p->origin + ahead - past_seasons(p, 14);
    float sum = past_log_at(p, at - 1) + past_log_at(p, at) + past_log_at(p, at + 1);

    return isnan(sum) ? 0 : sum / 3 - p->log_now;
}

static void inputs(const struct past *p, float x[N])
{
    float turns = (float)fmod((double)p->origin, p->turn) / (float)p->turn;
    uint32_t n = 0;

    x[n++] = 1;
    x[n++] = p->log_now - p->log_mean48;
    for (int lag = 1; lag <= LAGS; lag++) {
        float z = past_log_at(p, p->origin - lag);

        x[n++] = isnan(z) ? 0 : z - p->log_now;
    }
    x[n++] = p->log_mean12 - p->log_now;
    x[n++] = p->log_mean48 - LOG_TEN_PLUS_ONE;
    for (size_t i = 0; i < sizeof(seasonal) / sizeof(seasonal[0]); i++)
        x[n++] = p->season ? season_ago(p, seasonal[i]) : 0;
    x[n++] = elementary_sine(turns);
    x[n++] = elementary_sine(turns + 0.25f);
    x[n++] = elementary_sine(2 * turns);
    x[n++] = elementary_sine(2 * turns + 0.25f);
}

static float dot(const float a[N], const float b[N])
{
    float sum = 0;

    for (uint32_t i = 0; i < N; i++)
        sum += a[i] * b[i];
    return sum;
}

static void learn_target(struct regression *r, const struct past *p, uint32_t target)
{
    int64_t origin = p->origin - horizon_of(target);
    uint32_t slot = (uint32_t)((uint64_t)origin % REGRESSION_FAR);
    float truth = p->log_now - r->origin[slot].log_now, error, most;

    if (!series_holds(p->series, origin))
        return;
    error = truth - dot(r->theta[target], r->origin[slot].input);
    most = CLIP * r->error[target];
    r->error[target] += (r->error[target] > 0 ? ERROR_RATE : 1) * (fabsf(error) - r->error[target]);
    if (most > 0)
        error = error > most ? most : error < -most ? -most : error;
    for (uint32_t i = 0; i < N; i++)
        r->theta[target][i] += r->origin[slot].gain[i] * error;
}

/* gain = P x / (lambda + x' P x), P = (P - gain x' P) / lambda, its trace bounded. */
static void update_inverse(struct regression *r, const float x[N], float gain[N])
{
    float px[N], denominator, trace = 0, shrink;

    for (uint32_t i = 0; i < N; i++)
        px[i] = dot(r->inverse[i], x);
    denominator = FORGETTING + dot(px, x);
    for (uint32_t i = 0; i < N; i++)
        gain[i] = px[i] / denominator;
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = 0; j < N; j++)
            r->inverse[i][j] = (r->inverse[i][j] - gain[i] * px[j]) / FORGETTING;
    for (uint32_t i = 0; i < N; i++)
        trace += r->inverse[i][i];
    if (trace <= TRACE_MAX)
        return;
    shrink = TRACE_MAX / trace;
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = 0; j < N; j++)
            r->inverse[i][j] *= shrink;
}

void regression_add(struct regression *r, const struct past *p)
{
    uint32_t slot = (uint32_t)((uint64_t)p->origin % REGRESSION_FAR);

    /* The far target is that of the slot which this origin takes over. */
    for (uint32_t target = 0; target < REGRESSION_TARGETS && !p->gap; target++)
        learn_target(r, p, target);
    inputs(p, r->origin[slot].input);
    r->origin[slot].log_now = p->log_now;
    if (p->gap)
        memset(r->origin[slot].gain, 0, sizeof(r->origin[slot].gain));
    else
        update_inverse(r, r->origin[slot].input, r->origin[slot].gain);
    for (uint32_t target = 0; target < REGRESSION_TARGETS; target++)
        r->ahead[target] = dot(r->theta[target], r->origin[slot].input);
}

bool regression_is_wild(const struct regression *r, const struct past *p)
{
    for (uint32_t target = 0; target < REGRESSION_TARGETS; target++)
        if (past_is_wild(p, p->log_now + r->ahead[target]))
            return true;
    return false;
}

float regression_forecast(const struct regression *r, const struct past *p, uint32_t h)
{
    float near = r->ahead[REGRESSION_NEAR - 1], far = r->ahead[REGRESSION_NEAR];

    if (h > REGRESSION_FAR)
        return NAN;
    if (h <= REGRESSION_NEAR)
        return past_value(p, p->log_now + r->ahead[h - 1]);
    return past_value(p, p->log_now + near +
                             (far - near) * (float)(h - REGRESSION_NEAR) /
                                 (float)(REGRESSION_FAR - REGRESSION_NEAR));
}
