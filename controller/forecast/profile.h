/* The profile of the season: what the same phase was in the seasons before, the newest of them
 * worth most (exponential smoothing per phase, as in Holt-Winters' seasonal term). */
#ifndef HUDDLE_PROFILE_H
#define HUDDLE_PROFILE_H

#include "controller/forecast/past.h"

#define PROFILE_SEASONS 8u

struct profile {
    uint32_t seasons; /* how many are looked at, up to PROFILE_SEASONS */
    float rate;       /* of the smoothing, within 0..1: each season is worth 1 - rate of the next */
    bool logarithms;  /* a mean of past_log(), not of req/s */
};

/* The profile at the phase of `step`, from what was known before `step` and up to `origin`. NAN
 * when the newest such season was not observed. Asks for p->season > 0. */
float profile_at(const struct profile *profile, const struct past *p, int64_t origin, int64_t step);

#endif
