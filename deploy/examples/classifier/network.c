/* The network's arithmetic: see network.h for why the order of every sum is fixed. The inner loops
 * run over hidden units, which are independent: compilers vectorize them without reordering. */
#include "deploy/examples/classifier/network.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/random.h"

enum { SEED_CHECK = 41, SEED_NOISE = 42 };
static const float NOISE_SIZE = 0.05f;

int network_new(uint32_t hidden, struct network **ret_n, struct err *e)
{
    struct network *n;

    if (hidden == 0 || hidden > NETWORK_HIDDEN_MAX)
        return err_set(e, -EINVAL, "hidden units: expected 1 to %u", NETWORK_HIDDEN_MAX);
    n = xcalloc(1, sizeof(*n));
    n->hidden = hidden;
    n->n_parameters = (size_t)(NETWORK_INPUTS + 2) * hidden + 1;
    n->parameters = xcalloc(n->n_parameters, sizeof(float));
    n->scratch = xcalloc(hidden, sizeof(float));
    network_smooth(n, 1);
    *ret_n = n;
    return 0;
}

void network_free(struct network *n)
{
    if (!n)
        return;
    free(n->parameters);
    free(n->noise);
    free(n->scratch);
    free(n);
}

void network_smooth(struct network *n, uint32_t passes)
{
    n->passes = passes ? passes : 1;
    free(n->noise);
    n->noise = xcalloc((size_t)n->passes * NETWORK_INPUTS, sizeof(float));
    for (uint32_t p = 1; p < n->passes; p++) {
        struct random r = random_stream(SEED_NOISE, p, 0, 0);

        for (uint32_t i = 0; i < NETWORK_INPUTS; i++)
            n->noise[(size_t)p * NETWORK_INPUTS + i] =
                NOISE_SIZE * (float)(2 * random_unit(&r) - 1);
    }
}

double network_forward(const struct network *n, const float *x, float *hidden)
{
    const float *row = n->parameters, *out = network_output_weights(n);
    uint32_t units = n->hidden;
    double logit = (double)*network_output_bias(n);

    memcpy(hidden, network_hidden_biases(n), units * sizeof(float));
    for (uint32_t i = 0; i < NETWORK_INPUTS; i++, row += units)
        for (uint32_t j = 0; j < units; j++)
            hidden[j] += x[i] * row[j];
    for (uint32_t j = 0; j < units; j++) {
        hidden[j] = hidden[j] > 0 ? hidden[j] : 0;
        logit += (double)hidden[j] * (double)out[j];
    }
    return logit;
}

double network_predict(struct network *n, const float *x)
{
    float noisy[NETWORK_INPUTS];
    double sum = 0;

    for (uint32_t p = 0; p < n->passes; p++) {
        for (uint32_t i = 0; i < NETWORK_INPUTS; i++)
            noisy[i] = x[i] + n->noise[(size_t)p * NETWORK_INPUTS + i];
        sum += network_sigmoid(network_forward(n, noisy, n->scratch));
    }
    return sum / (double)n->passes;
}

/* exp(x) for -745 < x <= 0: x = k ln 2 + r with |r| <= ln 2 / 2, Taylor to r^14 (error < 1e-17),
 * scaled by ldexp, which is exact. ln 2 is split so that k * LN2_HIGH is exact. */
static double exp_of_negative(double x)
{
    static const double LN2_HIGH = 0x1.62e42feep-1, LN2_LOW = 0x1.a39ef35793c76p-33;
    double k = (double)(int)(x * 0x1.71547652b82fep0 - 0.5);
    double r = (x - k * LN2_HIGH) - k * LN2_LOW, sum = 1;

    for (int i = 14; i > 0; i--)
        sum = 1 + sum * r / (double)i;
    return ldexp(sum, (int)k);
}

double network_sigmoid(double x)
{
    double small = fabs(x) < 700 ? exp_of_negative(-fabs(x)) : 0;

    return x >= 0 ? 1 / (1 + small) : small / (1 + small);
}

void network_check_input(float x[NETWORK_INPUTS])
{
    struct random r = random_stream(SEED_CHECK, 0, 0, 0);

    for (uint32_t i = 0; i < NETWORK_INPUTS; i++)
        x[i] = (float)(2 * random_unit(&r) - 1);
}
