/* The task that the classifier learns: synthetic, seeded, and honest about its noise.
 *
 * x has 100 independent components of mean 0 and variance 1 (sums of 12 uniforms). A fixed random
 * teacher of 8 ReLU units scores it; the label is 1 with probability sigmoid(sharpness * score).
 * Labels are therefore noisy: even the teacher itself is wrong in a share of cases that
 * task_example() makes measurable, and no network can do better on average. */
#ifndef CLASSIFIER_TASK_H
#define CLASSIFIER_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "deploy/examples/classifier/network.h"

struct task; /* the teacher */

struct task *task_new(uint64_t seed);
void task_free(struct task *t);
DEFINE_AUTO(task, struct task *, task_free);

struct example {
    float x[NETWORK_INPUTS];
    bool label;
    bool best; /* what somebody who knows the teacher would say */
};

/* Example number `index`: a function of (seed, index) alone. */
void task_example(const struct task *t, uint64_t index, struct example *ret_example);

#endif
