/* See fortnight_sketch.h. */
#include "tests/bench/fortnight_sketch.h"

#include <stdlib.h>

#include "controller/simulate/clairvoyant.h"
#include "proto/base/array.h"

#define MINUTE_S 60.0
#define EXECUTOR_STEPS 4 /* steps in a minute */
#define DAY ((size_t)1440)
#define WEEK (7 * DAY)
#define NEAR 90u   /* minutes from this time of day */
#define FRESH 360u /* or younger than this */
#define SAMPLES_LEAST 10
#define RATIO_UNKNOWN 1.5
#define LEARN_EVERY 10
#define LEARN_ALWAYS 30 /* minutes at the start */
#define HOLD_MODEL 10
#define HOLD_POOL 20
#define RECENT 5
#define LEAST 2.0

struct stream {       /* one model's demand, or the pool's in slots, by minute */
    double *x, *peak; /* peak[z]: most of x[z + 1 .. z + horizon] */
    size_t horizon;
    double ratio, difference, level;
    double *wanted; /* by minute */
};

struct sketch {
    struct stream stream[RACK_MODELS_MAX + 1]; /* the last one is the pool */
    uint32_t n_models;
    double fill, level_model, level_pool;
    double *sample;
};

static struct stream stream_new(size_t minutes, size_t horizon, double level)
{
    return (struct stream){ .x = xcalloc(minutes + 1, sizeof(double)),
                            .peak = xcalloc(minutes + 1, sizeof(double)),
                            .wanted = xcalloc(minutes + 1, sizeof(double)),
                            .horizon = horizon,
                            .level = level };
}

struct sketch *sketch_new(const struct rack_hardware *hw, const struct rack_load *load,
                          double q_model, double q_pool, double fill)
{
    struct sketch *p = xcalloc(1, sizeof(*p));
    size_t minutes = load->n_steps / EXECUTOR_STEPS;

    *p = (struct sketch){ .n_models = load->n_models, .fill = fill };
    p->sample = xcalloc(WEEK + 1, sizeof(*p->sample));
    for (uint32_t m = 0; m < load->n_models; m++) {
        double load_s = clairvoyant_load_p99_s(hw) * load->model[m].load_weight;

        p->stream[m] = stream_new(minutes, (size_t)ceil(load_s / MINUTE_S) + 2, q_model);
    }
    p->stream[load->n_models] =
        stream_new(minutes, (size_t)ceil(hw->boot_hi_s / MINUTE_S) + 4, q_pool);
    return p;
}

void sketch_free(struct sketch *p)
{
    for (uint32_t m = 0; m <= p->n_models; m++) {
        free(p->stream[m].x);
        free(p->stream[m].peak);
        free(p->stream[m].wanted);
    }
    free(p->sample);
    free(p);
}

static double quantile(double *v, size_t n, double level)
{
    qsort(v, n, sizeof(*v), array_by_double);
    return v[(size_t)(level * (double)(n - 1))];
}

static bool alike(size_t z, size_t now)
{
    size_t age = now - z, phase = age % DAY;

    return age < FRESH || phase <= NEAR || phase >= DAY - NEAR;
}

/* Newest first, every second minute; with `ratio` those of a silent minute are left out. */
static size_t take_samples(const struct stream *s, size_t now, bool ratio, double *out)
{
    size_t n = 0, oldest = now > WEEK ? now - WEEK : 1;

    for (size_t z = now > s->horizon ? now - s->horizon : 0; z >= oldest && z > 0;
         z = z > 2 ? z - 2 : 0) {
        if (!alike(z, now) || (ratio && s->x[z] <= 0))
            continue;
        out[n++] = ratio ? s->peak[z] / s->x[z] : s->peak[z] - s->x[z];
    }
    return n;
}

static void learn(struct sketch *p, struct stream *s, size_t now)
{
    size_t n = take_samples(s, now, true, p->sample);

    s->ratio = n < SAMPLES_LEAST ? RATIO_UNKNOWN : quantile(p->sample, n, s->level);
    n = take_samples(s, now, false, p->sample);
    s->difference = n < SAMPLES_LEAST ? INFINITY : quantile(p->sample, n, s->level);
}

static void observe(struct sketch *p, struct stream *s, size_t now, double x)
{
    s->x[now] = x;
    if (now > s->horizon) {
        size_t z = now - s->horizon;

        for (size_t k = z + 1; k <= now; k++)
            s->peak[z] = fmax(s->peak[z], s->x[k]);
    }
    if (now % LEARN_EVERY == 0 || now <= LEARN_ALWAYS)
        learn(p, s, now);
}

static double forecast(const struct stream *s, size_t now)
{
    return fmin(s->x[now] * s->ratio, s->x[now] + s->difference);
}

static double most_of(const double *v, size_t now, size_t width)
{
    double most = 0;

    for (size_t k = now >= width ? now - width + 1 : 0; k <= now; k++)
        most = fmax(most, v[k]);
    return most;
}

static void size_model(struct sketch *p, const struct rack *r, uint32_t m, size_t now)
{
    struct stream *s = &p->stream[m];
    double need = fmax(forecast(s, now), most_of(s->x, now, RECENT));

    need = rack_ceil((need + r->backlog[m] / MINUTE_S) / (r->load->model[m].capacity * p->fill));
    s->wanted[now] = fmax(LEAST, need);
}

void sketch_act(void *policy, struct rack *r)
{
    struct sketch *p = policy;
    size_t now = (size_t)r->step / EXECUTOR_STEPS;
    struct targets t = { .nodes = 32 };
    struct stream *pool = &p->stream[p->n_models];
    double sum = 0;

    if (r->step % EXECUTOR_STEPS != 0)
        return;
    for (uint32_t m = 0; m < p->n_models; m++) {
        double x = now > 0 ? p->stream[m].x[now - 1] : 0;

        t.replicas[m] = 5;
        if (now > 0 && rack_told(r->load, r->step - 1))
            x = rack_mean(r->load, m, r->step - EXECUTOR_STEPS, r->step);
        sum += r->load->model[m].slots * x / r->load->model[m].capacity;
        if (now == 0)
            continue;
        observe(p, &p->stream[m], now, x);
        size_model(p, r, m, now);
        t.replicas[m] = (uint32_t)most_of(p->stream[m].wanted, now, HOLD_MODEL);
    }
    if (now > 0) {
        observe(p, pool, now, sum); /* in slots */
        pool->wanted[now] =
            rack_ceil(forecast(pool, now) / (r->hw->slots * p->fill) + (double)p->n_models / 8) + 1;
        t.nodes = (uint32_t)fmin(most_of(pool->wanted, now, HOLD_POOL), r->hw->nodes);
    }
    executor_act(r, &t);
}
