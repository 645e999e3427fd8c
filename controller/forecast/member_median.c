/* The median of the last nine values: the level of now without its spikes (Tukey's running
 * median, Exploratory Data Analysis, 1977). */
#include "controller/forecast/member.h"

#include <math.h>

#define SPAN 9u

float member_median(const struct past *p, uint32_t h)
{
    float v[SPAN] = { 0 };
    uint32_t n = 0;

    (void)h;
    for (uint32_t back = 0; back < SPAN; back++) {
        float x = series_bridged(p->series, p->origin - back);
        uint32_t at = n;

        if (isnan(x))
            break;
        for (; at > 0 && v[at - 1] > x; at--)
            v[at] = v[at - 1];
        v[at] = x;
        n++;
    }
    if (n == 0)
        return NAN;
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}
