/* The profile of the season: see profile.h. */
#include "controller/forecast/profile.h"

#include <math.h>

/* All of them: a loop of known length becomes vectors. */
static void take_logs(float v[PROFILE_SEASONS], float unit)
{
    for (uint32_t k = 0; k < PROFILE_SEASONS; k++)
        v[k] = elementary_log(1 + v[k] / unit);
}

float profile_at(const struct profile *profile, const struct past *p, int64_t origin, int64_t step)
{
    float v[PROFILE_SEASONS] = { 0 }, sum = 0, mass = 0, weight = 1;
    int64_t at = step - p->season;
    uint32_t n = 0;

    while (at > origin)
        at -= p->season;
    for (; n < profile->seasons; n++, at -= p->season) {
        v[n] = series_bridged(p->series, at);
        if (isnan(v[n]))
            break;
    }
    if (profile->logarithms)
        take_logs(v, p->unit);
    for (uint32_t k = 0; k < n; k++, weight *= 1 - profile->rate) {
        sum += weight * v[k];
        mass += weight;
    }
    return mass > 0 ? sum / mass : NAN;
}
