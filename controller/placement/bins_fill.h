/* Filling bins one by one, again and again (see bins.h). */
#ifndef HUDDLE_BINS_FILL_H
#define HUDDLE_BINS_FILL_H

#include "controller/placement/bins.h"

/* At least one packing, however little work is allowed. */
void bins_fill(const struct bins *b, uint32_t bound, uint64_t max_work, struct bins_packing *ret);

#endif
