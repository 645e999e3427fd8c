/* The table: see power_curve.h. */
#include "proto/power_curve.h"

#include <stddef.h>
#include <string.h>

#include "proto/base/array.h"

/* The guest and ARM curves are assumptions. Guest: one CPU's share of a two-socket server of 2017
 * to 2020 (idle a little under half, convex shape of power against load smoothed to a line). */
static const struct power_curve curves[] = {
    { "arm",
      "assumption, no measurement: an ARM server, 1.0 W per core idle and 3.0 W busy",
      true,
      { 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0 } },
    { "dell-r740",
      "SPECpower_ssj2008 result 20170829-00780, Dell PowerEdge R740",
      false,
      { 52.3, 129, 147, 170, 195, 224, 255, 292, 344, 408, 457 } },
    { "guest",
      "assumption, no measurement: one virtual CPU's share of a server, 2.0 W idle and 7.0 W busy",
      true,
      { 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0 } },
    { "hp-ml110-g4",
      "SPECpower_ssj2008, HP ProLiant ML110 G4, as used by CloudSim",
      false,
      { 86, 89.4, 92.6, 96, 99.5, 102, 106, 108, 112, 114, 117 } },
    { "hp-ml110-g5",
      "SPECpower_ssj2008, HP ProLiant ML110 G5, as used by CloudSim",
      false,
      { 93.7, 97, 101, 105, 110, 116, 121, 125, 129, 133, 135 } },
};

const struct power_curve *power_curve_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
        if (strcmp(curves[i].name, name) == 0)
            return &curves[i];
    }
    return NULL;
}

const struct power_curve *power_curve_auto(const char *architecture)
{
    bool arm = strncmp(architecture, "aarch64", 7) == 0 || strncmp(architecture, "arm", 3) == 0;

    return power_curve_find(arm ? "arm" : "guest");
}

const char *power_curve_names(void)
{
    return "arm, dell-r740, guest, hp-ml110-g4, hp-ml110-g5";
}

double power_curve_watts(const struct power_curve *c, double u, uint32_t cpus)
{
    double scale = c->per_cpu ? (double)cpus : 1.0;

    if (!(u > 0))
        return c->watts[0] * scale;
    if (u >= 1)
        return c->watts[POWER_CURVE_POINTS - 1] * scale;
    double place = u * (POWER_CURVE_POINTS - 1);
    size_t i = (size_t)place;
    return (c->watts[i] + (c->watts[i + 1] - c->watts[i]) * (place - (double)i)) * scale;
}
