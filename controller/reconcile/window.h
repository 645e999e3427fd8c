/* Windows of a PowerPolicy: when moving and sleeping are allowed. Pure.
 *
 * Deny wins over allow. With no allow window, everything that is not denied is allowed. Windows are
 * in local time: a local hour that comes twice (end of daylight saving) is inside both times, one
 * that is skipped never is. A window in a zone that is not known counts as denied. */
#ifndef HUDDLE_WINDOW_H
#define HUDDLE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/zone.h"
#include "proto/manifest.h"

/* zones[i] belongs to windows[i]; NULL: not known. */
bool windows_open(const struct policy_window *windows, struct zone *const *zones, size_t n,
                  int64_t wall_ms);

/* "Mon-Fri", "Sat,Sun", "Fri-Mon,Wed", "*": bit 0 is Monday. 0: cannot be read. */
unsigned window_days(const char *days);

#endif
