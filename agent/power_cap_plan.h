/* What a watt cap means for each CPU package, and when it is taken back. Pure.
 *
 * The cap of the reply is for all packages of the node together. It is shared in proportion to what
 * each may use at most, and never below the local floor: POWER_CAP_FLOOR_PERCENT of a package's
 * maximum, whatever the controller says (SAFETY 4), and never above what the package had before. */
#ifndef HUDDLE_POWER_CAP_PLAN_H
#define HUDDLE_POWER_CAP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POWER_CAP_PACKAGES_MAX 64u
#define POWER_CAP_FLOOR_PERCENT 40u
#define POWER_CAP_CONTROLLER_LOST_MS 600000

/* The limit that a package had before the first cap: durable state of the agent, so that it can be
 * given back after a crash. */
struct power_cap_original {
    char path[64]; /* "intel-rapl:0" */
    uint64_t limit_uw;
    bool enabled;
};

struct power_cap_originals {
    struct power_cap_original package[POWER_CAP_PACKAGES_MAX];
    size_t n; /* 0: no cap was set, there is nothing to give back */
};

struct power_cap_package {
    uint64_t max_uw;      /* the most it may be limited to (the constraint's maximum) */
    uint64_t original_uw; /* as found before any cap */
    uint64_t limit_uw;    /* out: to be set */
};

/* Shares `cap_uw` (0: no cap, the originals) out over the packages. Returns the sum of their
 * limits: the cap that will be in force. */
uint64_t power_cap_plan(uint64_t cap_uw, struct power_cap_package *packages, size_t n);

/* The cap to have now: `wanted_uw` of the last reply, or 0 once the controller has not been heard
 * for POWER_CAP_CONTROLLER_LOST_MS (a dead controller must not throttle the fleet for ever) or at
 * exit. */
uint64_t power_cap_wanted(uint64_t wanted_uw, int64_t last_reply_ms, int64_t now_ms, bool exiting);

#endif
