/* The members of the ensemble: each forecasts step `origin` + h from what was known at `origin`,
 * and nothing newer. They keep no state of their own, so that they can be judged on the past at
 * once when a season is found. `season` is its length in steps, 0 when there is none. Each returns
 * req/s, or NAN when it has nothing to say. */
#ifndef HUDDLE_FORECAST_MEMBER_H
#define HUDDLE_FORECAST_MEMBER_H

#include "controller/forecast/series.h"

#define MEMBER_REACH 3u /* steps over which a missing newest value is bridged */

typedef float member_fn(const struct series *s, uint32_t season, int64_t origin, uint32_t h);

member_fn member_last;     /* the newest value */
member_fn member_level;    /* an exponentially smoothed level */
member_fn member_profile;  /* the season's profile, and today's deviation from it fading out */
member_fn member_analogue; /* one season ago, scaled to the level of now */

#endif
