/* The horizons at which the ensemble is judged; between them what was learned is interpolated. */
#ifndef HUDDLE_HORIZONS_H
#define HUDDLE_HORIZONS_H

#include <stdint.h>

#define HORIZONS 7u
#define HORIZON_LONGEST 24u
#define HORIZON_ORIGINS 55u /* sum of them: an origin waits h steps for its truth */

static const uint32_t horizons[HORIZONS] = { 1, 2, 3, 5, 8, 12, 24 };
/* Where the origins of horizon k wait: horizon_slot[k] + origin % horizons[k]. */
static const uint32_t horizon_slot[HORIZONS] = { 0, 1, 3, 6, 11, 19, 31 };
/* How many of the horizons 1 to 12 each stands for in the losses. */
static const float horizon_weight[HORIZONS] = { 1, 1, 1.5f, 2.5f, 3.5f, 2.5f, 0 };

static inline uint32_t horizon_place(uint32_t k, int64_t origin)
{
    return horizon_slot[k] + (uint32_t)((uint64_t)origin % horizons[k]);
}

#endif
