/* The profile of the season in logarithms, at a lower rate and smoothed over neighbouring phases
 * (1-2-1, "hanning": Tukey 1977): what follows days of other size but of the same shape, as
 * Winters' multiplicative season does (1960). The level is an exponentially weighted mean of the
 * newest deviations, and fades as a damped trend (Gardner and McKenzie 1985). Without a season: the
 * newest value. */
#include "controller/forecast/member.h"

#include <math.h>

#include "controller/forecast/profile.h"

#define LEVEL_STEPS 10u
#define LEVEL_RATE 0.3f
#define LEVEL_FADE 0.95f

static const struct profile PROFILE = { .seasons = 8, .rate = 0.3f, .logarithms = true };

static float smoothed(const struct past *p, int64_t origin, int64_t step)
{
    return (profile_at(&PROFILE, p, origin, step - 1) + 2 * profile_at(&PROFILE, p, origin, step) +
            profile_at(&PROFILE, p, origin, step + 1)) /
           4;
}

float member_log_level(const struct past *p)
{
    float sum = 0, mass = 0, weight = LEVEL_RATE;

    if (p->season == 0)
        return NAN;
    for (uint32_t back = 0; back < LEVEL_STEPS; back++, weight *= 1 - LEVEL_RATE) {
        int64_t step = p->origin - back;
        float deviation = past_log_at(p, step) - smoothed(p, step, step);

        if (isnan(deviation))
            break;
        sum += weight * deviation;
        mass += weight;
    }
    return mass > 0 ? sum / mass : NAN;
}

float member_log_profile(const struct past *p, uint32_t h)
{
    float ahead, now, fade = 1;

    if (p->season == 0)
        return p->now;
    ahead = smoothed(p, p->origin, p->origin + h);
    now = p->leveled ? p->level : member_log_level(p);
    for (uint32_t k = 0; k < h; k++)
        fade *= LEVEL_FADE;
    if (isnan(ahead) || isnan(now))
        return p->now;
    return past_value(p, ahead + now * fade);
}
