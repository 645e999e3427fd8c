/* What the files of the packing, and the one that fills it, share. */
#ifndef HUDDLE_PACKING_PRIVATE_H
#define HUDDLE_PACKING_PRIVATE_H

#include "controller/placement/packing.h"

/* In what costs are counted: of a place on a node without devices, 1 is its whole CPU or memory. */
#define PACKING_DEVICES 40.0   /* of a device (mix.h): an empty node about 8, as one without */
#define PACKING_EMPTY 8.0      /* an empty node */
#define PACKING_NO_DEVICE 16.0 /* devices are left to those that need them */
#define PACKING_SPREAD 64.0    /* one more in the same domain */

/* What a new replica of the model runs. */
static inline const struct served_model *packing_spec(const struct packing *p, uint32_t model)
{
    return p->s->models[model].spec;
}

/* The domain of a node for a model that spreads. */
uint32_t packing_domain(const struct packing *p, uint32_t model, uint32_t node);

/* What any replica costs on a node for how frugal it is and how soon it is there. */
double packing_standing_cost(const struct packing *p, uint32_t node);

/* Starts a new replica there; that it fits has been found out. */
void packing_start_on(struct packing *p, uint32_t model, uint32_t node, uint64_t mask);

#endif
