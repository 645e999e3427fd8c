/* Back-propagation and Adam: see trainer.h. */
#include "deploy/examples/classifier/trainer.h"

#include <math.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/random.h"

enum { STREAM_WEIGHTS = 3, STREAM_ORDER = 4 };

struct trainer {
    struct network *n;
    float *gradient, *mean, *square; /* [n_parameters] */
    float *hidden, *back;            /* [hidden]: activations, and their gradients */
    double mean_bias, square_bias;   /* 1 - beta^steps */
};

/* Uniform in +-sqrt(6 / inputs) (He et al., ICCV 2015) for the hidden layer, smaller above. */
static void weights_start(struct network *n, uint64_t seed)
{
    struct random r = random_stream(seed, STREAM_WEIGHTS, 0, 0);
    float below = sqrtf(6.0f / (float)NETWORK_INPUTS), above = sqrtf(1.0f / (float)n->hidden);

    for (size_t i = 0; i < (size_t)NETWORK_INPUTS * n->hidden; i++)
        n->parameters[i] = below * (float)(2 * random_unit(&r) - 1);
    for (uint32_t j = 0; j < n->hidden; j++)
        network_output_weights(n)[j] = above * (float)(2 * random_unit(&r) - 1);
}

static void gradient_add(struct trainer *t, const struct example *x)
{
    uint32_t units = t->n->hidden;
    const float *out = network_output_weights(t->n);
    float *row = t->gradient, *biases = t->gradient + (size_t)NETWORK_INPUTS * units;
    double p = network_sigmoid(network_forward(t->n, x->x, t->hidden));
    float error = (float)(p - (x->label ? 1 : 0));

    for (uint32_t j = 0; j < units; j++) {
        t->back[j] = t->hidden[j] > 0 ? error * out[j] : 0;
        biases[j] += t->back[j];
        biases[units + j] += error * t->hidden[j];
    }
    biases[2 * (size_t)units] += error;
    for (uint32_t i = 0; i < NETWORK_INPUTS; i++, row += units)
        for (uint32_t j = 0; j < units; j++)
            row[j] += x->x[i] * t->back[j];
}

static void adam_step(struct trainer *t, float rate, float decay, uint32_t batch)
{
    static const float MEAN_KEPT = 0.9f, SQUARE_KEPT = 0.999f, EPSILON = 1e-8f;
    float scale = 1.0f / (float)batch, mean_scale, square_scale;
    float *w = t->n->parameters, *g = t->gradient, *m = t->mean, *v = t->square;

    t->mean_bias = 1 - (1 - t->mean_bias) * (double)MEAN_KEPT;
    t->square_bias = 1 - (1 - t->square_bias) * (double)SQUARE_KEPT;
    mean_scale = (float)(1 / t->mean_bias);
    square_scale = (float)(1 / t->square_bias);
    for (size_t i = 0; i < t->n->n_parameters; i++) {
        float d = g[i] * scale;

        m[i] = MEAN_KEPT * m[i] + (1 - MEAN_KEPT) * d;
        v[i] = SQUARE_KEPT * v[i] + (1 - SQUARE_KEPT) * d * d;
        w[i] -= rate * (m[i] * mean_scale / (sqrtf(v[i] * square_scale) + EPSILON) + decay * w[i]);
        g[i] = 0;
    }
}

/* Fisher and Yates, seeded per epoch. */
static void shuffle(uint64_t *order, uint64_t count, uint64_t seed, uint32_t epoch)
{
    struct random r = random_stream(seed, STREAM_ORDER, epoch, 0);

    for (uint64_t i = 0; i < count; i++)
        order[i] = i;
    for (uint64_t i = count; i > 1; i--) {
        uint64_t other = random_below(&r, i), kept = order[i - 1];

        order[i - 1] = order[other];
        order[other] = kept;
    }
}

static void train(struct trainer *t, const struct task *task, const struct trainer_options *o,
                  uint64_t *order)
{
    uint64_t done = 0, total = o->examples * o->epochs;
    uint32_t in_batch = 0;
    struct example x;

    for (uint32_t epoch = 0; epoch < o->epochs; epoch++) {
        shuffle(order, o->examples, o->seed, epoch);
        for (uint64_t k = 0; k < o->examples; k++) {
            task_example(task, order[k], &x);
            gradient_add(t, &x);
            done++;
            if (++in_batch < o->batch && done < total)
                continue;
            adam_step(t, o->rate * (1 - 0.9f * (float)done / (float)total), o->decay, in_batch);
            in_batch = 0;
        }
    }
}

void trainer_run(struct network *n, const struct task *task, const struct trainer_options *o)
{
    struct trainer t = { .n = n };
    uint64_t *order = xcalloc(o->examples, sizeof(*order));

    t.gradient = xcalloc(n->n_parameters, sizeof(float));
    t.mean = xcalloc(n->n_parameters, sizeof(float));
    t.square = xcalloc(n->n_parameters, sizeof(float));
    t.hidden = xcalloc(n->hidden, sizeof(float));
    t.back = xcalloc(n->hidden, sizeof(float));
    weights_start(n, o->seed);
    train(&t, task, o, order);
    free(t.gradient);
    free(t.mean);
    free(t.square);
    free(t.hidden);
    free(t.back);
    free(order);
}

struct trainer_score trainer_score(struct network *n, const struct task *t, uint64_t first,
                                   uint64_t count)
{
    struct trainer_score s = { 0 };
    uint64_t right = 0, best = 0;
    struct example x;

    for (uint64_t k = 0; k < count; k++) {
        double p;

        task_example(t, first + k, &x);
        p = network_predict(n, x.x);
        right += (p > 0.5) == x.label;
        best += x.best == x.label;
        s.loss -= log(fmax(x.label ? p : 1 - p, 1e-12));
    }
    s.accuracy = (double)right / (double)count;
    s.best_accuracy = (double)best / (double)count;
    s.loss /= (double)count;
    return s;
}
