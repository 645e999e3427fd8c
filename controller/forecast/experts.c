/* Rings of errors, beside each two orders of it: by size, and by scaled size. */
#include "controller/forecast/experts.h"

#include <math.h>
#include <string.h>

#define ERRORS_MIN 8u
#define FADE_SLOW 0.998f
#define FADE_FAST 0.99f
#define SIZE_RATE 0.06f
#define ROUGH 0.4f /* mean steps: errors below are all the same */
#define PHASE 8.0f
#define LAST 12u
#define LOSS_FADE 0.99f
#define SHARPNESS 15.0f
#define SIXTEENTHS 16.0f

const float experts_level[EXPERTS_JUDGED] = { 0.9f, 0.95f };

static int8_t sixteenths(float x)
{
    float s = x * SIXTEENTHS;

    return (int8_t)(s > 127 ? 127 : s < -127 ? -127 : s);
}

struct circumstances experts_circumstances(const struct experts *x, const struct past *p,
                                           uint32_t k, float point, float rough)
{
    float size = fmaxf(x->horizon[k].size, ROUGH * rough);
    float level = series_mean(p->series, p->origin, LAST) + 0.1f * p->mean;

    /* In logarithms relative to the mean, so that a byte reaches. */
    return (struct circumstances){
        .point = point,
        .scale = sqrtf(point + 0.1f * p->mean + 1e-6f),
        .level = sixteenths(elementary_log((level + 1e-6f) / (p->mean + 1e-6f))),
        .volatility = sixteenths(elementary_log((size + 1e-9f) / (p->mean + 1e-6f))),
    };
}

/* --- orders -------------------------------------------------------------------------------------
 */

static void order_remove(uint8_t *order, uint32_t n, uint8_t entry)
{
    uint8_t *at = memchr(order, entry, n);

    memmove(at, at + 1, (size_t)(order + n - at - 1));
}

static void order_insert(uint8_t *order, uint32_t n, const float *key, uint8_t entry)
{
    uint32_t low = 0, high = n;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (key[order[middle]] < key[entry])
            low = middle + 1;
        else
            high = middle;
    }
    memmove(order + low + 1, order + low, n - low);
    order[low] = entry;
}

void experts_add(struct experts *x, const struct past *p, uint32_t k, int64_t origin,
                 const struct circumstances *then, float truth)
{
    __typeof__(&x->horizon[0]) e = &x->horizon[k];
    float error = truth - then->point;
    uint8_t entry = (uint8_t)e->next;

    if (e->n == EXPERTS_ERRORS) {
        order_remove(e->by_error, e->n, entry);
        order_remove(e->by_scaled, e->n, entry);
        e->n--;
    }
    e->error[entry] = error;
    /* A forecast made before any demand was seen has no scale yet. */
    e->scaled[entry] = error / fmaxf(then->scale, sqrtf(0.1f * p->mean));
    e->level[entry] = then->level;
    e->volatility[entry] = then->volatility;
    e->origin[entry] = (uint16_t)((uint64_t)origin & 0xffff);
    order_insert(e->by_error, e->n, e->error, entry);
    order_insert(e->by_scaled, e->n, e->scaled, entry);
    e->n++;
    e->next = (e->next + 1) % EXPERTS_ERRORS;
    e->size += (e->n > 1 ? SIZE_RATE : 1) * (fabsf(error) - e->size);
}

/* --- quantiles ----------------------------------------------------------------------------------
 */

/* From the nearer end: where so much of the weight is passed. */
static float weighted_quantile(const uint8_t *order, const float *key, const float *weight,
                               float sum, uint32_t n, float level)
{
    bool down = level >= 0.5f;
    float passed = 0, target = (down ? 1 - level : level) * sum;

    for (uint32_t i = 0; i < n; i++) {
        uint8_t entry = order[down ? n - 1 - i : i];

        passed += weight[entry];
        if (passed >= target)
            return key[entry];
    }
    return key[order[down ? 0 : n - 1]];
}

struct weights { /* by entry */
    float slow[EXPERTS_ERRORS], alike[EXPERTS_ERRORS], fast[EXPERTS_ERRORS];
    float apart[EXPERTS_ERRORS]; /* steps between its phase of the season and that of now */
    float slow_sum, alike_sum, fast_sum;
};

/* From the newest entry back. Most ages are the one before and a step: no division then. */
static void set_apart(const struct experts *x, const struct past *p, uint32_t k, struct weights *w)
{
    uint32_t last = 0, phase = 0;

    for (uint32_t back = 1; back <= x->horizon[k].n && p->season; back++) {
        uint32_t entry = (x->horizon[k].next + EXPERTS_ERRORS - back) % EXPERTS_ERRORS;
        uint32_t age = (uint16_t)((uint64_t)p->origin - x->horizon[k].origin[entry]);

        if (back == 1 || age != last + 1)
            phase = age % p->season;
        else if (++phase == p->season)
            phase = 0;
        last = age;
        w->apart[entry] = (float)(phase * 2 > p->season ? p->season - phase : phase);
    }
}

/* How alike then and now are; an entry beside the other, so that the loop becomes vectors. */
static void set_alike(const struct experts *x, const struct past *p, uint32_t k,
                      const struct circumstances *now, struct weights *w)
{
    float season = p->season ? (float)p->season : 1;

    for (uint32_t i = 0; i < EXPERTS_ERRORS; i++) {
        float a = (float)(x->horizon[k].level[i] - now->level) / SIXTEENTHS;
        float v = (float)(x->horizon[k].volatility[i] - now->volatility) / SIXTEENTHS;
        float d = PHASE * w->apart[i] / season;
        float alike = 1 / (1 + a * a + v * v + d * d);

        w->alike[i] = w->slow[i] * alike;
        w->fast[i] *= alike;
    }
}

static void weigh(const struct experts *x, const struct past *p, uint32_t k,
                  const struct circumstances *now, struct weights *w)
{
    float slow = 1, fast = 1;
    uint32_t n = x->horizon[k].n;

    memset(w, 0, sizeof(*w));
    for (uint32_t back = 1; back <= n; back++, slow *= FADE_SLOW, fast *= FADE_FAST) {
        uint32_t entry = (x->horizon[k].next + EXPERTS_ERRORS - back) % EXPERTS_ERRORS;

        w->slow[entry] = slow;
        w->fast[entry] = fast;
    }
    set_apart(x, p, k, w);
    set_alike(x, p, k, now, w);
    for (uint32_t i = 0; i < n; i++) {
        w->slow_sum += w->slow[i];
        w->alike_sum += w->alike[i];
        w->fast_sum += w->fast[i];
    }
}

static float quantile_of_last(const struct past *p, float level)
{
    float v[LAST] = { 0 }, rank, low;
    uint32_t n = 0, i;

    for (uint32_t back = 0; back < LAST; back++) {
        float value = series_bridged(p->series, p->origin - back);
        uint32_t at = n;

        if (isnan(value))
            break;
        for (; at > 0 && v[at - 1] > value; at--)
            v[at] = v[at - 1];
        v[at] = value;
        n++;
    }
    if (n == 0)
        return 0;
    rank = level * (float)(n - 1);
    i = (uint32_t)rank;
    low = v[i];
    return i + 1 < n ? low + (rank - (float)i) * (v[i + 1] - low) : low;
}

bool experts_quantiles(const struct experts *x, const struct past *p, uint32_t k,
                       const struct circumstances *now, const float *levels, uint32_t n_levels,
                       float ret_q[][EXPERTS])
{
    const __typeof__(x->horizon[0]) *e = &x->horizon[k];
    struct weights w;

    if (e->n < ERRORS_MIN)
        return false;
    weigh(x, p, k, now, &w);
    for (uint32_t j = 0; j < n_levels; j++) {
        float level = levels[j], *q = ret_q[j];

        q[0] = now->point + now->scale * weighted_quantile(e->by_scaled, e->scaled, w.slow,
                                                           w.slow_sum, e->n, level);
        q[1] = now->point + now->scale * weighted_quantile(e->by_scaled, e->scaled, w.alike,
                                                           w.alike_sum, e->n, level);
        q[2] = now->point + now->scale * weighted_quantile(e->by_scaled, e->scaled, w.fast,
                                                           w.fast_sum, e->n, level);
        q[3] =
            now->point + weighted_quantile(e->by_error, e->error, w.slow, w.slow_sum, e->n, level);
        q[4] = quantile_of_last(p, level);
        for (uint32_t i = 0; i < EXPERTS; i++)
            q[i] = q[i] < 0 ? 0 : q[i];
    }
    return true;
}

/* --- judging ------------------------------------------------------------------------------------
 */

void experts_step(struct experts *x)
{
    for (uint32_t j = 0; j < EXPERTS_JUDGED; j++)
        for (uint32_t i = 0; i < EXPERTS; i++)
            x->loss[j][i] *= LOSS_FADE;
}

void experts_judge(struct experts *x, uint32_t k, const float q[EXPERTS_JUDGED][EXPERTS],
                   float truth)
{
    for (uint32_t j = 0; j < EXPERTS_JUDGED; j++)
        for (uint32_t i = 0; i < EXPERTS; i++) {
            float above = truth - q[j][i], level = experts_level[j];

            x->loss[j][i] += horizon_weight[k] * (above >= 0 ? level * above : (level - 1) * above);
        }
}

float experts_combine(const struct experts *x, uint32_t judged, const float q[EXPERTS])
{
    const float *loss = x->loss[judged];
    float best = INFINITY, sum = 0, mass = 0;

    for (uint32_t i = 0; i < EXPERTS; i++)
        best = fminf(best, loss[i]);
    for (uint32_t i = 0; i < EXPERTS; i++) {
        float ratio = best > 0 ? loss[i] / best : loss[i] > 0 ? 100 : 1;
        float weight = elementary_exp(-SHARPNESS * (ratio - 1));

        sum += weight * q[i];
        mass += weight;
    }
    return sum / mass;
}
