/* What came one season ago after a stretch like the last one, scaled to the level of now. It
 * follows days that are like yesterday in shape and not in size. */
#include "controller/forecast/member.h"

#include <math.h>

#define STRETCH 8u
#define SCALE_MAX 2.0f

float member_analogue(const struct series *s, uint32_t season, int64_t origin, uint32_t h)
{
    uint32_t seasons = season ? (h + season - 1) / season : 0;
    int64_t before = origin - (int64_t)season * seasons;
    float now = series_mean(s, origin, STRETCH), then = series_mean(s, before, STRETCH), scale;

    if (season == 0)
        return NAN;
    scale = then > 0 ? now / then : 1;
    if (isnan(scale))
        scale = 1;
    scale = scale > SCALE_MAX ? SCALE_MAX : scale < 1 / SCALE_MAX ? 1 / SCALE_MAX : scale;
    return series_at(s, before + h) * scale;
}
