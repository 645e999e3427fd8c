/* Tests that need the kernel itself: a user-mode emulator (make check-arm64) answers in its place
 * for vfork, exec and /proc. HUDDLE_EMULATED is set there. */
#ifndef HUDDLE_EMULATED_H
#define HUDDLE_EMULATED_H

#include <stdlib.h>

#include "tests/unit/skip.h"

#define SKIP_WHEN_EMULATED(why)               \
    do {                                      \
        if (getenv("HUDDLE_EMULATED"))        \
            SKIP(__func__, "emulated: " why); \
    } while (0)

/* Of a /proc status line "SigIgn": the signals that a program can set. 32 and 33 are the C
 * library's own, which it lets nobody change; GNU make leaves them ignored in its children. */
static inline unsigned long long settable_signals(const char *hex)
{
    return strtoull(hex, NULL, 16) & ~(3ull << 31);
}

#endif
