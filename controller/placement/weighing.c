/* See weighing.h. The cycle's joules are those of the boot, but for a shutdown of seconds. */
#include "controller/placement/weighing.h"

#include <math.h>

#define J_PER_KWH 3.6e6

struct weighed weighing_sleep(const struct intensity *weight, const struct node_curve *curve,
                              int64_t wall_ms, double off_s, double move_j)
{
    int64_t wake_ms = wall_ms + (int64_t)(fmin(off_s, WEIGHING_MOST_S) * 1000);
    int64_t booted_ms = wake_ms + (int64_t)(fmin(curve->boot_s, WEIGHING_MOST_S) * 1000);
    struct intensity_mean now = intensity_over(weight, wall_ms, wall_ms);
    struct intensity_mean off = intensity_over(weight, wall_ms, wake_ms);
    struct intensity_mean boot = intensity_over(weight, wake_ms, booted_ms);
    double off_j = (curve->watts[0] - curve->standby_w) * (double)(wake_ms - wall_ms) / 1000;

    if (now.known < 1 || off.known < 1 || boot.known < 1)
        return (struct weighed){ .known = false };
    return (struct weighed){
        .known = true,
        .saved = off_j * off.value / J_PER_KWH,
        .cost = (curve->cycle_j * boot.value + move_j * now.value) / J_PER_KWH,
    };
}
