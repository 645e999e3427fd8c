/* What the files of the packing, and the one that fills it, share. */
#ifndef HUDDLE_PACKING_PRIVATE_H
#define HUDDLE_PACKING_PRIVATE_H

#include "controller/placement/packing.h"

/* What a new replica of the model runs. */
static inline const struct served_model *packing_spec(const struct packing *p, uint32_t model)
{
    return p->s->models[model].spec;
}

/* Does the model want its replicas in different domains, and which is a node's? */
bool packing_spreads(const struct packing *p, uint32_t model);
uint32_t packing_domain(const struct packing *p, uint32_t model, uint32_t node);

/* Starts a new replica there; that it fits has been found out. */
void packing_start_on(struct packing *p, uint32_t model, uint32_t node, uint64_t mask);

#endif
