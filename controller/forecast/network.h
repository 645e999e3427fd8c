/* A member that learns online: a small neural network, 24 newest logarithms and the time of the
 * season in, 16 rectified units, the differences over the next 12 steps out. At each step it takes
 * one Adam step (Kingma and Ba, 2015) on the newest finished window and three older ones drawn by a
 * seeded stream; Huber's loss. Plain data; network_init() before use. */
#ifndef HUDDLE_NETWORK_H
#define HUDDLE_NETWORK_H

#include "controller/forecast/past.h"

#define NETWORK_LAGS 24u
#define NETWORK_INPUTS (NETWORK_LAGS + 3)
#define NETWORK_UNITS 16u
#define NETWORK_OUTPUTS 12u
#define NETWORK_WEIGHTS (NETWORK_UNITS * NETWORK_INPUTS + NETWORK_OUTPUTS * (NETWORK_UNITS + 1))

struct network {
    float weight[NETWORK_WEIGHTS]; /* [UNITS][INPUTS], then [OUTPUTS][UNITS + 1] */
    float moment[NETWORK_WEIGHTS], square[NETWORK_WEIGHTS];
    float fade_moment, fade_square; /* 0.9^n, 0.999^n */
    float ahead[NETWORK_OUTPUTS];   /* of the newest origin */
};

void network_init(struct network *n, uint64_t seed);
void network_add(struct network *n, const struct past *p);

/* One of its newest forecasts is wild (past_is_wild). */
bool network_is_wild(const struct network *n, const struct past *p);

/* NAN beyond NETWORK_OUTPUTS, and while too little is known. */
float network_forecast(const struct network *n, const struct past *p, uint32_t h);

#endif
