/* The synthetic task: see task.h. */
#include "deploy/examples/classifier/task.h"

#include "proto/base/array.h"
#include "proto/base/random.h"

enum { TEACHER_UNITS = 8, STREAM_TEACHER = 1, STREAM_EXAMPLE = 2 };
static const double SHARPNESS = 6;

struct task {
    uint64_t seed;
    double weight[TEACHER_UNITS][NETWORK_INPUTS];
    double threshold; /* centres the score, so that both labels are about as frequent */
};

/* Mean 0, variance 1, near enough to normal, and free of libm. */
static double bell(struct random *r)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += random_unit(r);
    return sum;
}

/* Units vote for and against in turn: the boundary is not a plane. */
static double score(const struct task *t, const float *x)
{
    double sum = -t->threshold;

    for (int u = 0; u < TEACHER_UNITS; u++) {
        double unit = 0;

        for (uint32_t i = 0; i < NETWORK_INPUTS; i++)
            unit += t->weight[u][i] * (double)x[i];
        if (unit > 0)
            sum += u % 2 ? -unit : unit;
    }
    return sum;
}

static void draw(const struct task *t, uint64_t index, struct random *ret_r, float *x)
{
    *ret_r = random_stream(t->seed, STREAM_EXAMPLE, index, 0);
    for (uint32_t i = 0; i < NETWORK_INPUTS; i++)
        x[i] = (float)bell(ret_r);
}

struct task *task_new(uint64_t seed)
{
    struct task *t = xcalloc(1, sizeof(*t));
    struct random r = random_stream(seed, STREAM_TEACHER, 0, 0);
    double sum = 0;

    t->seed = seed;
    for (int u = 0; u < TEACHER_UNITS; u++)
        for (uint32_t i = 0; i < NETWORK_INPUTS; i++)
            t->weight[u][i] = bell(&r) / 10; /* a unit's variance is then 1 */
    for (uint64_t k = 0; k < 1000; k++) {
        float x[NETWORK_INPUTS];
        struct random unused;

        draw(t, UINT64_MAX - k, &unused, x);
        sum += score(t, x);
    }
    t->threshold = sum / 1000;
    return t;
}

void task_free(struct task *t)
{
    free(t);
}

void task_example(const struct task *t, uint64_t index, struct example *ret_example)
{
    struct random r;
    double s;

    draw(t, index, &r, ret_example->x);
    s = score(t, ret_example->x);
    ret_example->best = s > 0;
    ret_example->label = random_unit(&r) < network_sigmoid(SHARPNESS * s);
}
