/* The profile of the season: the same phase in the seasons before, each worth half of the next
 * newer (exponential smoothing per phase: Winters, "Forecasting sales by exponentially weighted
 * moving averages", 1960). Today's deviation from it is carried on and fades with the distance.
 * Without a season: the newest value. */
#include "controller/forecast/member.h"

#include <math.h>

#include "controller/forecast/profile.h"

#define DEVIATION_FADE 0.98f

static const struct profile PROFILE = { .seasons = 6, .rate = 0.5f };

float member_profile(const struct past *p, uint32_t h)
{
    float ahead, deviation, fade = 1;

    if (p->season == 0)
        return p->now;
    ahead = profile_at(&PROFILE, p, p->origin, p->origin + h);
    deviation = p->now - profile_at(&PROFILE, p, p->origin, p->origin);
    for (uint32_t k = 0; k < h; k++)
        fade *= DEVIATION_FADE;
    if (isnan(ahead) || isnan(deviation))
        return p->now;
    ahead += deviation * fade;
    return ahead < 0 ? 0 : ahead;
}
