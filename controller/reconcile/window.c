/* Local time against windows that may wrap past midnight: the part after midnight belongs to the
 * day on which the window began. */
#include "controller/reconcile/window.h"

#include <string.h>
#include <strings.h>

#define DAY_MS INT64_C(86400000)

static int day_named(const char *text, size_t n)
{
    static const char *const names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

    for (int d = 0; d < 7; d++)
        if (n >= 3 && strncasecmp(text, names[d], 3) == 0)
            return d;
    return -1;
}

unsigned window_days(const char *days)
{
    unsigned mask = 0;

    if (!days || !*days || strcmp(days, "*") == 0)
        return 0x7f;
    while (*days) {
        size_t n = strcspn(days, ","), dash = strcspn(days, "-");
        int first = day_named(days, n), last = first;

        if (dash < n)
            last = day_named(days + dash + 1, n - dash - 1);
        if (first < 0 || last < 0)
            return 0;
        for (int d = first;; d = (d + 1) % 7) {
            mask |= 1u << d;
            if (d == last)
                break;
        }
        days += n + (days[n] == ',');
    }
    return mask;
}

static bool covers_local(const struct policy_window *w, int64_t local_ms)
{
    int64_t day = local_ms / DAY_MS - (local_ms % DAY_MS < 0), at = local_ms - day * DAY_MS;
    unsigned days = window_days(w->days);
    unsigned today = 1u << (((day + 3) % 7 + 7) % 7), yesterday = 1u << (((day + 2) % 7 + 7) % 7);

    if (w->start_ms == w->end_ms)
        return (days & today) != 0;
    if (w->start_ms < w->end_ms)
        return (days & today) && at >= w->start_ms && at < w->end_ms;
    return ((days & today) && at >= w->start_ms) || ((days & yesterday) && at < w->end_ms);
}

static bool covers(const struct policy_window *w, const struct zone *z, int64_t wall_ms)
{
    return covers_local(w, wall_ms + (int64_t)zone_offset_s(z, wall_ms) * 1000);
}

bool windows_open(const struct policy_window *windows, struct zone *const *zones, size_t n,
                  int64_t wall_ms)
{
    bool any_allow = false, allowed = false;

    for (size_t i = 0; i < n; i++) {
        if (windows[i].deny && (!zones[i] || covers(&windows[i], zones[i], wall_ms)))
            return false;
        if (windows[i].deny)
            continue;
        any_allow = true;
        allowed |= zones[i] && covers(&windows[i], zones[i], wall_ms);
    }
    return allowed || !any_allow;
}
