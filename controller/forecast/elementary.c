/* Range reduction by the bits of the number, then a short series. */
#include "controller/forecast/elementary.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LN2_HIGH 0.693359375f /* exact in few bits: k * LN2_HIGH has no error */
#define LN2_LOW (-2.12194440e-4f)
#define SMALLEST 1.17549435e-38f

static uint32_t bits_of(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof(u));
    return u;
}

static float float_of(uint32_t u)
{
    float x;

    memcpy(&x, &u, sizeof(x));
    return x;
}

/* x = m 2^k with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh((m - 1) / (m + 1)). */
float elementary_log(float x)
{
    uint32_t u = bits_of(x > SMALLEST ? x : SMALLEST) - 0x3f3504f3u;
    int32_t k = (int32_t)u >> 23;
    float m = float_of((u & 0x007fffffu) + 0x3f3504f3u);
    float s = (m - 1) / (m + 1), s2 = s * s;
    float series = s2 * (1.0f / 3 + s2 * (1.0f / 5 + s2 * (1.0f / 7 + s2 * (1.0f / 9))));

    return (float)k * LN2_HIGH + (2 * (s + s * series) + (float)k * LN2_LOW);
}

/* x = k log 2 + r with |r| <= log(2) / 2; the series of e^r to the seventh power. */
float elementary_exp(float x)
{
    float c = !(x > -87) ? -87 : x > 88 ? 88 : x; /* no number: as far as it goes down */
    float k = (float)(int32_t)(c * 1.44269504f + (c < 0 ? -0.5f : 0.5f));
    float r = (c - k * LN2_HIGH) - k * LN2_LOW;
    float e =
        1 +
        r * (1 + r * (0.5f + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 +
                                                                   r * (1.0f / 720 + r / 5040))))));

    return e * float_of((uint32_t)((int32_t)k + 127) << 23);
}

/* Folded into a quarter turn on either side of 0. */
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
