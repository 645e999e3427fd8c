/* The profile of the season: the same phase in the seasons before, each worth half of the next
 * newer (exponential smoothing per phase at rate 1/2, as in Holt-Winters' seasonal term). Today's
 * deviation from it is carried on and fades with the distance. Without a season: the newest value.
 */
#include "controller/forecast/member.h"

#include <math.h>

#define SEASONS 6u
#define RATE 0.5f
#define DEVIATION_FADE 0.98f

/* The profile at the phase of `step`, from what was known before `step` and up to `origin`. */
static float profile(const struct past *p, int64_t origin, int64_t step)
{
    float sum = 0, mass = 0, weight = 1;
    int64_t at = step - p->season;

    while (at > origin)
        at -= p->season;
    for (uint32_t k = 0; k < SEASONS; k++, at -= p->season, weight *= 1 - RATE) {
        float x = series_bridged(p->series, at);

        if (isnan(x))
            break;
        sum += weight * x;
        mass += weight;
    }
    return mass > 0 ? sum / mass : NAN;
}

float member_profile(const struct past *p, uint32_t h)
{
    float ahead, deviation, fade = 1;

    if (p->season == 0)
        return p->now;
    ahead = profile(p, p->origin, p->origin + h);
    deviation = p->now - profile(p, p->origin, p->origin);
    for (uint32_t k = 0; k < h; k++)
        fade *= DEVIATION_FADE;
    if (isnan(ahead) || isnan(deviation))
        return p->now;
    ahead += deviation * fade;
    return ahead < 0 ? 0 : ahead;
}
