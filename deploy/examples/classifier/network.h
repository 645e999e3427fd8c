/* The served model: a feed-forward network, 100 inputs -> H hidden units (ReLU) -> 1 (sigmoid).
 *
 * All arithmetic is IEEE single or double in a fixed order with its own exponential, so that with
 * -ffp-contract=off the same weights and inputs give the same bits from every compiler and
 * processor, whatever the C library. Prediction may be smoothed: the mean over `passes` copies of
 * the input with a little fixed noise each (randomized smoothing, Cohen et al., ICML 2019); it is
 * also what makes one request cost as much as its operator wants.
 *
 * Weights file, little-endian: 8 bytes "HUDLNET1", u32 inputs, u32 hidden, u64 FNV-1a over the
 * parameter bytes, double the probability for network_check_input(), then the parameters as float.
 */
#ifndef CLASSIFIER_NETWORK_H
#define CLASSIFIER_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"

#define NETWORK_INPUTS 100u
#define NETWORK_HIDDEN_MAX 65536u

struct network {
    uint32_t hidden;
    /* One block: hidden weights [input][hidden], hidden biases [hidden], output weights [hidden],
     * output bias. */
    float *parameters;
    size_t n_parameters;
    uint32_t passes;
    float *noise;   /* [passes][NETWORK_INPUTS]; the first pass has none */
    float *scratch; /* [hidden]: a network is used by one thread at a time */
};

/* All parameters zero. -EINVAL when `hidden` is 0 or above NETWORK_HIDDEN_MAX. */
int network_new(uint32_t hidden, struct network **ret_n, struct err *e);
void network_free(struct network *n);
DEFINE_AUTO(network, struct network *, network_free);

static inline float *network_hidden_biases(const struct network *n)
{
    return n->parameters + (size_t)NETWORK_INPUTS * n->hidden;
}

static inline float *network_output_weights(const struct network *n)
{
    return network_hidden_biases(n) + n->hidden;
}

static inline float *network_output_bias(const struct network *n)
{
    return network_output_weights(n) + n->hidden;
}

/* Averages over `passes` copies from now on (1 at least). */
void network_smooth(struct network *n, uint32_t passes);

/* The hidden activations for x[NETWORK_INPUTS] go to hidden[n->hidden]; returns the logit. */
double network_forward(const struct network *n, const float *x, float *hidden);

/* The probability for x[NETWORK_INPUTS], smoothed. */
double network_predict(struct network *n, const float *x);

/* 1 / (1 + exp(-x)), within 2e-15, the same bits everywhere. */
double network_sigmoid(double x);

/* The input whose probability is kept in the file, and proves after loading that this machine
 * computes what the training machine computed. */
void network_check_input(float x[NETWORK_INPUTS]);

int network_save(struct network *n, const char *path, struct err *e);

/* -EBADMSG: not such a file, damaged, or this machine computes other bits. */
int network_load(const char *path, struct network **ret_n, struct err *e);

#endif
