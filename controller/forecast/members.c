/* See members.h. */
#include "controller/forecast/members.h"

#include <math.h>
#include <string.h>

#include "controller/forecast/horizons.h"
#include "proto/base/array.h"

#define LOSS_FADE 0.988f
#define SHARPNESS 10.0f
#define SILENT 2.0f  /* a member that says nothing: so many times the ensemble's error */
#define REPLAYED 96u /* origins on which the stateless are judged anew with a new season */
#define LEADS 0.5f   /* share of the weight */
#define STATELESS 4u

static const char *const names[MEMBERS] = { "last value", "median",    "profile", "log profile",
                                            "regression", "analogues", "network" };
static member_fn *const stateless[STATELESS] = { member_last, member_median, member_profile,
                                                 member_log_profile };

const char *member_name(const struct members *m, enum member i)
{
    return i == MEMBER_NETWORK && m->large ? "large network" : names[i];
}

void members_init(struct members *m, uint32_t without)
{
    memset(m, 0, sizeof(*m));
    m->without = without;
    m->leader = MEMBERS;
    regression_init(&m->regression);
    network_init(&m->network, 1);
}

void members_done(struct members *m)
{
    free(m->large);
    m->large = NULL;
}

static bool is_left_out(const struct members *m, uint32_t i)
{
    return m->without >> i & 1;
}

/* --- what they say ------------------------------------------------------------------------------
 */

static float say(const struct members *m, const struct past *p, uint32_t i, uint32_t h)
{
    if (is_left_out(m, i) || m->banned[i] > 0)
        return NAN;
    switch ((enum member)i) {
    case MEMBER_REGRESSION:
        return regression_forecast(&m->regression, p, h);
    case MEMBER_ANALOGUES:
        return analogues_forecast(&m->analogues, p, h);
    case MEMBER_NETWORK:
        if (m->large)
            return h <= DENSE_AHEAD ? m->large_ahead[h - 1] : NAN;
        return network_forecast(&m->network, p, h);
    default:
        return stateless[i](p, h);
    }
}

float members_forecast(const struct members *m, const struct past *p, const float weight[MEMBERS],
                       uint32_t h, float value[MEMBERS])
{
    float sum = 0, mass = 0;

    for (uint32_t i = 0; i < MEMBERS; i++) {
        value[i] = say(m, p, i, h);
        if (isnan(value[i]))
            continue;
        sum += weight[i] * value[i];
        mass += weight[i];
    }
    return mass > 0 ? fmaxf(0, sum / mass) : p->now;
}

/* --- how much they count ------------------------------------------------------------------------
 */

void members_weigh(const struct members *m, float weight[MEMBERS])
{
    float best = INFINITY;

    for (uint32_t i = 0; i < MEMBERS; i++)
        if (!is_left_out(m, i))
            best = fminf(best, m->loss[i]);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        float ratio = best > 0 ? m->loss[i] / best : m->loss[i] > 0 ? 100 : 1;

        weight[i] = is_left_out(m, i) ? 0 : elementary_exp(-SHARPNESS * (ratio - 1)) + 1e-6f;
    }
}

void members_fade(struct members *m)
{
    for (uint32_t i = 0; i < MEMBERS; i++)
        m->loss[i] *= LOSS_FADE;
}

void members_judge(struct members *m, const float value[MEMBERS], float point, float truth,
                   float horizon_share)
{
    for (uint32_t i = 0; i < MEMBERS; i++) {
        float error = isnan(value[i]) ? SILENT * fabsf(truth - point) : fabsf(truth - value[i]);

        m->loss[i] += horizon_share * error;
    }
}

void members_replay(struct members *m, const struct past *now)
{
    struct past p = *now;
    uint32_t first = p.series->n > REPLAYED + 1 ? REPLAYED : p.series->n - 1;

    for (uint32_t i = 0; i < STATELESS; i++)
        m->loss[i] = 0;
    for (uint32_t back = first; back > 0; back--) {
        p.origin = now->series->last - back;
        p.now = series_bridged(p.series, p.origin);
        p.level = member_log_level(&p);
        for (uint32_t i = 0; i < STATELESS; i++) {
            m->loss[i] *= LOSS_FADE;
            for (uint32_t k = 0; k < HORIZONS && horizons[k] <= back; k++) {
                float truth = series_at(p.series, p.origin + horizons[k]);
                float error = fabsf(truth - stateless[i](&p, horizons[k]));

                m->loss[i] += isnan(error) ? 0 : horizon_weight[k] * error;
            }
        }
    }
}

/* --- the wild -----------------------------------------------------------------------------------
 */

static void ban(struct members *m, enum member i)
{
    float weight[MEMBERS], sum = 0;

    members_weigh(m, weight);
    for (uint32_t k = 0; k < MEMBERS; k++)
        sum += weight[k];
    if (m->banned[i] == 0)
        m->leader = weight[i] > LEADS * sum ? i : m->leader;
    m->banned[i] = MEMBERS_BANNED;
}

static bool are_finite(const float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static void network_step(struct members *m, const struct past *p)
{
    if (m->large) {
        if (!dense_forecast(m->large, p->series, p->origin, m->large_ahead) ||
            !are_finite(m->large_ahead, DENSE_AHEAD)) {
            ban(m, MEMBER_NETWORK);
            members_done(m);
        }
        return;
    }
    network_add(&m->network, p);
    if (network_is_wild(&m->network, p))
        ban(m, MEMBER_NETWORK);
    if (!are_finite(m->network.ahead, NETWORK_OUTPUTS))
        network_init(&m->network, 1);
}

void members_add(struct members *m, const struct past *p)
{
    for (uint32_t i = 0; i < MEMBERS; i++)
        if (m->banned[i] > 0)
            m->banned[i]--;
    if (m->leader < MEMBERS && m->banned[m->leader] == 0)
        m->leader = MEMBERS;
    regression_add(&m->regression, p);
    analogues_add(&m->analogues, p);
    network_step(m, p);
    if (regression_is_wild(&m->regression, p))
        ban(m, MEMBER_REGRESSION);
    if (!are_finite(m->regression.ahead, REGRESSION_TARGETS))
        regression_init(&m->regression);
}

/* --- the network in place -----------------------------------------------------------------------
 */

/* Its loss so far was the other's: it is taken for better in the measure of the contest. */
void members_settle(struct members *m, const struct contest *c)
{
    struct forecast_networks r = contest_result(c);
    bool had_large = m->large != NULL;

    if (r.large_wins) {
        if (!m->large)
            m->large = xmalloc(sizeof(*m->large));
        *m->large = *contest_large(c);
    } else {
        members_done(m);
    }
    if (had_large == r.large_wins)
        return;
    m->network = *contest_small(c);
    m->loss[MEMBER_NETWORK] *= r.large_wins ? r.large / r.small : r.small / r.large;
}
