/* See early.h. */
#include "controller/forecast/early.h"

#include <math.h>

#include "controller/forecast/elementary.h"

#define NORMAL_PER_MEDIAN 1.4826f
#define FREEDOM_MIN 4u

/* Abramowitz and Stegun 26.2.23, error below 4.5e-4. */
static float normal_quantile(float level)
{
    float p = level < 0.5f ? level : 1 - level;
    float t = sqrtf(-2 * elementary_log(p));
    float z = t - (2.515517f + t * (0.802853f + t * 0.010328f)) /
                      (1 + t * (1.432788f + t * (0.189269f + t * 0.001308f)));

    return level < 0.5f ? -z : z;
}

/* Abramowitz and Stegun 26.7.5, two terms. */
float early_student(float level, uint32_t freedom)
{
    float z = normal_quantile(level), z2 = z * z;
    float n = (float)(freedom < FREEDOM_MIN ? FREEDOM_MIN : freedom);

    return z * (1 + (z2 + 1) / (4 * n) + (3 + z2 * (16 + 5 * z2)) / (96 * n * n));
}

float early_scale(const float *error, uint32_t n)
{
    float v[EARLY_FULL];
    uint32_t held = n < EARLY_FULL ? n : EARLY_FULL;

    if (held == 0)
        return 0;
    for (uint32_t i = 0; i < held; i++) {
        float x = fabsf(error[i]);
        uint32_t at = i;

        for (; at > 0 && v[at - 1] > x; at--)
            v[at] = v[at - 1];
        v[at] = x;
    }
    return NORMAL_PER_MEDIAN * (held % 2 ? v[held / 2] : (v[held / 2 - 1] + v[held / 2]) / 2);
}

float early_shrunk(float distance, uint32_t n, float level, float scale)
{
    float known = (float)n / (float)EARLY_FULL, normal;

    if (n >= EARLY_FULL)
        return distance;
    normal = early_student(level, n > 0 ? n - 1 : 0) * scale;
    return normal + known * (distance - normal);
}
