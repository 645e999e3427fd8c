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
#define LOSS_FADE 0.99f
#define SHARPNESS 15.0f
#define SIXTEENTHS 16.0f

const float experts_level[EXPERTS_LEVELS] = { 0.9f, 0.95f, 0.05f, 0.99f };

static int8_t sixteenths(float x)
{
    float s = x * SIXTEENTHS;

    return (int8_t)(s > 127 ? 127 : s < -127 ? -127 : s);
}

struct circumstances experts_circumstances(const struct experts *x, const struct past *p,
                                           uint32_t k, float point, float rough)
{
    float size = fmaxf(x->horizon[k].size, ROUGH * rough);
    float level = series_mean(p->series, p->origin, EXPERTS_LAST) + 0.1f * p->mean;

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
    float alike[EXPERTS_ERRORS], fast[EXPERTS_ERRORS];
    float slow_sum, alike_sum, fast_sum;
};

/* How alike then and now are; an entry beside the other, so that the loop becomes vectors. The
 * phase of an age is exact: half a step is further from any whole season than the product is wrong.
 */
static void set_alike(const struct experts *x, const struct past *p, uint32_t k,
                      const struct circumstances *now, const float *slow, const float *fast,
                      struct weights *w)
{
    float season = p->season ? (float)p->season : 1, seasons = 1 / season;
    uint16_t origin = (uint16_t)((uint64_t)p->origin & 0xffff);

    for (uint32_t i = 0; i < EXPERTS_ERRORS; i++) {
        float age = (float)(uint16_t)(origin - x->horizon[k].origin[i]);
        float phase = age - (float)(int32_t)((age + 0.5f) * seasons) * season;
        float a = (float)(x->horizon[k].level[i] - now->level) / SIXTEENTHS;
        float v = (float)(x->horizon[k].volatility[i] - now->volatility) / SIXTEENTHS;
        float rest = season - phase;
        float d = PHASE * (rest < phase ? rest : phase) / season;
        float alike = 1 / (1 + a * a + v * v + d * d);

        w->alike[i] = slow[i] * alike;
        w->fast[i] = fast[i] * alike;
    }
}

static void weigh(const struct experts *x, const struct past *p, uint32_t k,
                  const struct circumstances *now, const float *slow, const float *fast,
                  struct weights *w)
{
    set_alike(x, p, k, now, slow, fast, w);
    w->slow_sum = w->alike_sum = w->fast_sum = 0;
    for (uint32_t i = 0; i < x->horizon[k].n; i++) {
        w->slow_sum += slow[i];
        w->alike_sum += w->alike[i];
        w->fast_sum += w->fast[i];
    }
}

static void sort_last(const struct past *p, struct experts_common *c)
{
    c->n_last = 0;
    for (uint32_t back = 0; back < EXPERTS_LAST; back++) {
        float value = series_bridged(p->series, p->origin - back);
        uint32_t at = c->n_last;

        if (isnan(value))
            return;
        for (; at > 0 && c->last[at - 1] > value; at--)
            c->last[at] = c->last[at - 1];
        c->last[at] = value;
        c->n_last++;
    }
}

static float quantile_of_last(const struct experts_common *c, float level)
{
    float rank, low;
    uint32_t i;

    if (c->n_last == 0)
        return 0;
    rank = level * (float)(c->n_last - 1);
    i = (uint32_t)rank;
    low = c->last[i];
    return i + 1 < c->n_last ? low + (rank - (float)i) * (c->last[i + 1] - low) : low;
}

void experts_look(const struct past *p, struct experts_common *ret_c)
{
    float slow = 1, fast = 1;

    for (uint32_t i = EXPERTS_ERRORS; i-- > 0; slow *= FADE_SLOW, fast *= FADE_FAST) {
        ret_c->slow[i] = ret_c->slow[EXPERTS_ERRORS + i] = slow;
        ret_c->fast[i] = ret_c->fast[EXPERTS_ERRORS + i] = fast;
    }
    sort_last(p, ret_c);
}

bool experts_quantiles(const struct experts *x, const struct past *p, uint32_t k,
                       const struct experts_common *c, const struct circumstances *now,
                       float ret_q[EXPERTS_LEVELS][EXPERTS])
{
    const __typeof__(x->horizon[0]) *e = &x->horizon[k];
    const float *slow = c->slow + EXPERTS_ERRORS - e->next; /* by entry */
    struct weights w;

    if (e->n < ERRORS_MIN)
        return false;
    weigh(x, p, k, now, slow, c->fast + EXPERTS_ERRORS - e->next, &w);
    for (uint32_t j = 0; j < EXPERTS_LEVELS; j++) {
        float level = experts_level[j], *q = ret_q[j];

        q[0] = now->point + now->scale * weighted_quantile(e->by_scaled, e->scaled, slow,
                                                           w.slow_sum, e->n, level);
        q[1] = now->point + now->scale * weighted_quantile(e->by_scaled, e->scaled, w.alike,
                                                           w.alike_sum, e->n, level);
        q[2] = now->point + now->scale * weighted_quantile(e->by_scaled, e->scaled, w.fast,
                                                           w.fast_sum, e->n, level);
        q[3] = now->point + weighted_quantile(e->by_error, e->error, slow, w.slow_sum, e->n, level);
        q[4] = quantile_of_last(c, level);
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

static void weigh_by(const float loss[EXPERTS], float ret_weight[EXPERTS])
{
    float best = INFINITY;

    for (uint32_t i = 0; i < EXPERTS; i++)
        best = fminf(best, loss[i]);
    for (uint32_t i = 0; i < EXPERTS; i++) {
        float ratio = best > 0 ? loss[i] / best : loss[i] > 0 ? 100 : 1;

        ret_weight[i] = elementary_exp(-SHARPNESS * (ratio - 1));
    }
}

void experts_weigh(const struct experts *x, struct experts_weights *ret_w)
{
    for (uint32_t j = 0; j < EXPERTS_JUDGED; j++)
        weigh_by(x->loss[j], ret_w->judged[j]);
}

float experts_combine(const float weight[EXPERTS], const float q[EXPERTS])
{
    float sum = 0, mass = 0;

    for (uint32_t i = 0; i < EXPERTS; i++) {
        sum += weight[i] * q[i];
        mass += weight[i];
    }
    return sum / mass;
}
