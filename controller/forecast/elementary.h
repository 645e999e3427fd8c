/* Logarithm, exponential and sine from additions and multiplications alone, so that a forecast is
 * the same, bit for bit, with every compiler, C library and processor (the library's own differ in
 * the last bit between processors with and without fused multiply-add). Relative error below 3e-7.
 * The bodies of two stand here: in loops they become vectors. By range reduction on the bits of the
 * number, then a short series. Pure. */
#ifndef HUDDLE_ELEMENTARY_H
#define HUDDLE_ELEMENTARY_H

#include <stdint.h>
#include <string.h>

/* ln 2 in two parts, the first one exact in few bits: its whole multiples have no error. */
#define ELEMENTARY_LN2_HIGH 0.693359375f
#define ELEMENTARY_LN2_LOW (-2.12194440e-4f)

static inline uint32_t elementary_bits(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof(u));
    return u;
}

static inline float elementary_float(uint32_t u)
{
    float x;

    memcpy(&x, &u, sizeof(x));
    return x;
}

/* x > 0 and normal; smaller ones count as the smallest normal.
 * x = m 2^k with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh((m - 1) / (m + 1)). */
static inline float elementary_log(float x)
{
    uint32_t usual = -(uint32_t)(x > 1.17549435e-38f); /* all bits, or none: no branch */
    uint32_t u = ((elementary_bits(x) & usual) | (0x00800000u & ~usual)) - 0x3f3504f3u;
    int32_t k = (int32_t)u >> 23;
    float m = elementary_float((u & 0x007fffffu) + 0x3f3504f3u);
    float s = (m - 1) / (m + 1), s2 = s * s;
    float series = s2 * (1.0f / 3 + s2 * (1.0f / 5 + s2 * (1.0f / 7 + s2 * (1.0f / 9))));

    return (float)k * ELEMENTARY_LN2_HIGH + (2 * (s + s * series) + (float)k * ELEMENTARY_LN2_LOW);
}

/* Clamped to [-87, 88].
 * x = k log 2 + r with |r| <= log(2) / 2; the series of e^r to the seventh power. */
static inline float elementary_exp(float x)
{
    float c = !(x > -87) ? -87 : x > 88 ? 88 : x; /* no number: as far as it goes down */
    float k = (float)(int32_t)(c * 1.44269504f + (c < 0 ? -0.5f : 0.5f));
    float r = (c - k * ELEMENTARY_LN2_HIGH) - k * ELEMENTARY_LN2_LOW;
    float e =
        1 +
        r * (1 + r * (0.5f + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 +
                                                                   r * (1.0f / 720 + r / 5040))))));

    return e * elementary_float((uint32_t)((int32_t)k + 127) << 23);
}

float elementary_sine(float turns); /* sin(2 pi turns) */

#endif
