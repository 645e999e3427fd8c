/* What replicas really use of CPU, as the agents measure it, and what a node's use then is: the
 * sums of its replicas. Packing keeps to what is declared; this says on which node that is likely
 * to be too little, and what a node draws.
 *
 * A replica that was not measured is taken for the mean of its model's, or, where none of the model
 * was, for the share of what it declares that the measured ones use of theirs. Where nobody was
 * measured nothing is known, and nothing is said. Pure. */
#ifndef HUDDLE_LOAD_H
#define HUDDLE_LOAD_H

#include "controller/state/snapshot.h"

struct use { /* thousandths of a CPU */
    double mean, variance;
};

struct load {
    bool known;
    struct use *replica; /* parallel to the snapshot's */
    struct use *model;   /* of a new one of it */
    struct use *node;    /* of what stands there; the caller's to keep with load_shift */
};

void load_init(struct load *l, const struct snapshot *s);
void load_done(struct load *l);

/* `sign` 1: it comes to the node, -1: it leaves. */
void load_shift(struct load *l, uint32_t node, const struct use *u, int sign);

/* Watts that the node would draw more if `u` came to it: by its curve, and what an overload would
 * cost by its chance. With sign -1: if it left (below 0). 0: nothing is known. */
double load_added_w(const struct load *l, const struct snap_node *n, uint32_t node,
                    const struct use *u, int sign);

/* The chance alone, 0..1. */
double load_added_chance(const struct load *l, const struct snap_node *n, uint32_t node,
                         const struct use *u, int sign);

/* What an overload costs while it lasts, in idle nodes: what the prices that were found in the
 * PlanetLab arena come to (tenancy_prices_default, of a host that idles at 94 W). */
#define OVERLOAD_IDLES 1.2

#endif
