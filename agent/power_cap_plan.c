/* What a watt cap means for each package: see power_cap_plan.h. */
#include "agent/power_cap_plan.h"

/* A share is `fill` / FILL_ONE of a package's maximum; originals may be far above the maximum (a
 * board that means "no limit" writes 4 kW). */
#define FILL_ONE (1ull << 20)
#define FILL_MOST (1024 * FILL_ONE)
#define LIMIT_MOST_UW 1000000000000ull /* 1 MW: keeps the products below 2^64 */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t limit_at(const struct power_cap_package *p, uint64_t fill)
{
    uint64_t max_uw = least(p->max_uw, LIMIT_MOST_UW);
    uint64_t floor_uw = max_uw * POWER_CAP_FLOOR_PERCENT / 100;
    uint64_t wide = max_uw / FILL_ONE * fill, fine = max_uw % FILL_ONE * fill / FILL_ONE;
    uint64_t share_uw = (wide + fine + 500) / 1000 * 1000; /* whole mW: plain numbers stay plain */

    if (share_uw < floor_uw)
        share_uw = floor_uw;
    return least(share_uw, p->original_uw);
}

static uint64_t sum_at(const struct power_cap_package *packages, size_t n, uint64_t fill)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += limit_at(&packages[i], fill);
    return sum;
}

uint64_t power_cap_plan(uint64_t cap_uw, struct power_cap_package *packages, size_t n)
{
    uint64_t low = 0, high = FILL_MOST, sum = 0;

    /* The greatest fill whose sum stays within the cap; at 0 all stand at their floors. */
    while (cap_uw > 0 && low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (sum_at(packages, n, middle) <= cap_uw)
            low = middle;
        else
            high = middle - 1;
    }
    for (size_t i = 0; i < n; i++) {
        bool all = cap_uw == 0 || low == FILL_MOST;
        packages[i].limit_uw = all ? packages[i].original_uw : limit_at(&packages[i], low);
        sum += packages[i].limit_uw;
    }
    return sum;
}

uint64_t power_cap_wanted(uint64_t wanted_uw, int64_t last_reply_ms, int64_t now_ms, bool exiting)
{
    return exiting || now_ms - last_reply_ms >= POWER_CAP_CONTROLLER_LOST_MS ? 0 : wanted_uw;
}
