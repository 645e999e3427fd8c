/* Which empty nodes are opened for the replicas that are missing, all models together: one model
 * after another opens more nodes than their best mixture needs. */
#ifndef HUDDLE_OPENING_H
#define HUDDLE_OPENING_H

#include "controller/placement/packing.h"

/* Starts what is still missing of models that may stand anywhere in any number, on the fewest nodes
 * of one class of equal empty nodes (the most frugal class that has enough of them). What does not
 * suit is left: models that spread, have a fixed port or few nodes, shares of a device where nodes
 * have several; models beyond BINS_KINDS_MAX; and everything, when no class is large enough. */
void opening(struct packing *p);

#endif
