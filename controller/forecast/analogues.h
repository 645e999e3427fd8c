/* A member that looks for stretches of the past like the last one and says what came after them:
 * nearest neighbours (Yakowitz, "Nearest-neighbour methods for time series analysis", 1987). The
 * squared distance of the newest 24 values to the 24 before each lag is kept up by adding the
 * newest term and dropping the oldest. Plain data; zero-initialised is empty. */
#ifndef HUDDLE_ANALOGUES_H
#define HUDDLE_ANALOGUES_H

#include "controller/forecast/past.h"

#define ANALOGUES_LAG_MIN 12u
#define ANALOGUES_LAG_MAX 1008u
#define ANALOGUES_NEAREST 10u

struct analogues {
    float distance[ANALOGUES_LAG_MAX + 1];
    uint16_t nearest[ANALOGUES_NEAREST];
    uint32_t n_nearest, refreshed;
};

void analogues_add(struct analogues *a, const struct past *p);

/* The median of what followed; NAN when too little is known. */
float analogues_forecast(const struct analogues *a, const struct past *p, uint32_t h);

#endif
