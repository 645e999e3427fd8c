/* The profile of the season: the mean of the same phase in the seasons before, newer ones heavier,
 * neighbours smoothed in. Today's deviation from it is carried on and fades with the distance. */
#include "controller/forecast/member.h"

#include <math.h>

#define SEASONS 4u       /* so many are looked at */
#define SEASON_FADE 0.5f /* each is worth half of the next newer */
#define SMOOTH_FROM 24u  /* shorter seasons are not smoothed */
#define DEVIATION_FADE 0.95f

static float smooth(const struct series *s, uint32_t season, int64_t step)
{
    return season < SMOOTH_FROM ? series_at(s, step) : series_mean(s, step + 1, 3);
}

/* The profile at `step`, from seasons that were over at `origin`. */
static float profile(const struct series *s, uint32_t season, int64_t origin, int64_t step)
{
    float sum = 0, mass = 0, weight = 1;
    int64_t at = step - season;

    while (at + 1 > origin)
        at -= season;
    for (uint32_t k = 0; k < SEASONS; k++, at -= season, weight *= SEASON_FADE) {
        float x = smooth(s, season, at);

        if (isnan(x))
            continue;
        sum += weight * x;
        mass += weight;
    }
    return mass > 0 ? sum / mass : NAN;
}

float member_profile(const struct series *s, uint32_t season, int64_t origin, uint32_t h)
{
    float ahead, now, deviation;

    if (season == 0)
        return NAN;
    ahead = profile(s, season, origin, origin + h);
    now = profile(s, season, origin, origin);
    deviation = series_recent(s, origin, MEMBER_REACH) - now;
    if (isnan(deviation))
        deviation = 0;
    ahead += deviation * powf(DEVIATION_FADE, (float)h);
    return ahead < 0 ? 0 : ahead; /* NAN stays NAN */
}
