/* Tells systemd about the daemon's state (sd_notify(3)'s protocol: one datagram to the socket that
 * $NOTIFY_SOCKET names), so that Type=notify and WatchdogSec= work without linking libsystemd. */
#ifndef HUDDLE_BASE_NOTIFY_H
#define HUDDLE_BASE_NOTIFY_H

#include <stdint.h>

/* "READY=1", "WATCHDOG=1", "STOPPING=1", "RELOADING=1", "STATUS=..."; several may be joined by line
 * ends. Does nothing when nobody asked to be told. Returns 0, or -errno of the datagram. */
int notify_systemd(const char *state);

/* How often WATCHDOG=1 should be told: half of what the manager allows; 0: it does not watch. */
int64_t notify_watchdog_ms(void);

#endif
