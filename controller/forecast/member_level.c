/* An exponentially smoothed level over the last steps: better than the newest value where that is
 * mostly noise. */
#include "controller/forecast/member.h"

#include <math.h>

#define SPAN 16u
#define FADE 0.8f

float member_level(const struct series *s, uint32_t season, int64_t origin, uint32_t h)
{
    float sum = 0, mass = 0, weight = 1;

    (void)season;
    (void)h;
    for (uint32_t back = 0; back < SPAN; back++, weight *= FADE) {
        float x = series_at(s, origin - back);

        if (isnan(x))
            continue;
        sum += weight * x;
        mass += weight;
    }
    return mass > 0 ? sum / mass : NAN;
}
