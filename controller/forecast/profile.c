/* The profile of the season: see profile.h. */
#include "controller/forecast/profile.h"

#include <math.h>

float profile_at(const struct profile *profile, const struct past *p, int64_t origin, int64_t step)
{
    float sum = 0, mass = 0, weight = 1;
    int64_t at = step - p->season;

    while (at > origin)
        at -= p->season;
    for (uint32_t k = 0; k < profile->seasons; k++, at -= p->season, weight *= 1 - profile->rate) {
        float x = series_bridged(p->series, at);

        if (isnan(x))
            break;
        sum += weight * (profile->logarithms ? past_log(p, x) : x);
        mass += weight;
    }
    return mass > 0 ? sum / mass : NAN;
}
