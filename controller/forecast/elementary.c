/* Folded into a quarter turn on either side of 0. */
#include "controller/forecast/elementary.h"

#include <math.h>

float elementary_sine(float turns)
{
    float t = turns - floorf(turns); /* 0..1 */
    float x, x2;

    if (t > 0.75f)
        t -= 1;
    else if (t > 0.25f)
        t = 0.5f - t;
    x = t * 6.28318531f;
    x2 = x * x;
    return x *
           (1 - x2 * (1.0f / 6 - x2 * (1.0f / 120 -
                                       x2 * (1.0f / 5040 - x2 * (1.0f / 362880 - x2 / 39916800)))));
}
