/* The members of the ensemble: few and different. Each forecasts the demand h steps behind
 * p->origin from the past alone, in req/s, or says NAN when it has nothing to say. Those below keep
 * no state; `regression`, `network` and `analogues` learn step by step and have headers of their
 * own. */
#ifndef HUDDLE_FORECAST_MEMBER_H
#define HUDDLE_FORECAST_MEMBER_H

#include "controller/forecast/past.h"

typedef float member_fn(const struct past *p, uint32_t h);

member_fn member_last;        /* the newest value */
member_fn member_median;      /* the median of the last nine */
member_fn member_profile;     /* the season's profile, and today's deviation from it fading out */
member_fn member_log_profile; /* the same in logarithms, smoother: days of other size alike */

/* The part of member_log_profile() that is the same at every h, in logarithms: for p->level. NAN
 * without a season. */
float member_log_level(const struct past *p);

#endif
