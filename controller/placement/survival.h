/* Would the loss of any one awake node leave room for every model's floor (G5)? */
#ifndef HUDDLE_SURVIVAL_H
#define HUDDLE_SURVIVAL_H

#include "controller/placement/packing.h"

/* NO_INDEX: every loss in a pool with a spare is survived; else the first node whose loss is not.
 * Room is looked for by first fit, emptiest node first: what it finds is there. */
uint32_t survival_weakest(struct packing *p);

#endif
