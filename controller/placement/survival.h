/* Would the loss of any one awake node leave room for every model's floor (G5)? */
#ifndef HUDDLE_SURVIVAL_H
#define HUDDLE_SURVIVAL_H

#include "controller/placement/packing.h"

/* The first node from `from` on, in a pool with a spare, whose loss is not survived, and (unless
 * ret_model is NULL) a model that then finds no room; NO_INDEX: there is none. Room is looked for
 * by first fit, emptiest node first: what it finds is there. Who makes room and asks again begins
 * with the node that was named: more room never makes a loss worse. */
uint32_t survival_weakest(struct packing *p, uint32_t from, uint32_t *ret_model);

#endif
