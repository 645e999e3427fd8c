/* Adam (Kingma and Ba, ICLR 2015) on the cross-entropy of the network's probability, in
 * mini-batches. Deterministic: the same seed gives the same weights, bit by bit. */
#ifndef CLASSIFIER_TRAINER_H
#define CLASSIFIER_TRAINER_H

#include <stdint.h>

#include "deploy/examples/classifier/network.h"
#include "deploy/examples/classifier/task.h"

struct trainer_options {
    uint64_t seed;
    uint64_t examples; /* distinct examples, numbered from 0 */
    uint32_t epochs;   /* times that each of them is seen */
    uint32_t batch;
    float rate;  /* step size at the start; it falls linearly to a tenth */
    float decay; /* decoupled weight decay, per step of size 1 */
};

/* Fills random starting weights into n and trains them. */
void trainer_run(struct network *n, const struct task *t, const struct trainer_options *o);

struct trainer_score {
    double accuracy;      /* share of labels that the network says right */
    double best_accuracy; /* the same for the teacher: the noise's ceiling */
    double loss;          /* mean cross-entropy, nats */
};

/* Scores n on `count` examples numbered from `first`. */
struct trainer_score trainer_score(struct network *n, const struct task *t, uint64_t first,
                                   uint64_t count);

#endif
