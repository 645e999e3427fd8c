/* Tests that need the kernel itself, where an emulator answers in its place for vfork, exec and
 * /proc: qemu-user (make check-arm64, which sets HUDDLE_EMULATED) and valgrind (make
 * check-valgrind, known by the library that it preloads). */
#ifndef HUDDLE_EMULATED_H
#define HUDDLE_EMULATED_H

#include <stdlib.h>
#include <string.h>

#include "tests/unit/skip.h"

#define SKIP_WHEN_EMULATED(why)               \
    do {                                      \
        if (getenv("HUDDLE_EMULATED"))        \
            SKIP(__func__, "emulated: " why); \
    } while (0)

#define SKIP_UNDER_VALGRIND(why)                              \
    do {                                                      \
        const char *loaded_ = getenv("LD_PRELOAD");           \
                                                              \
        if (loaded_ && strstr(loaded_, "vgpreload_memcheck")) \
            SKIP(__func__, "valgrind: " why);                 \
    } while (0)

/* Of a /proc status line "SigIgn": the signals that a program can set. 32 and 33 are the C
 * library's own, which it lets nobody change; GNU make leaves them ignored in its children. */
static inline unsigned long long settable_signals(const char *hex)
{
    return strtoull(hex, NULL, 16) & ~(3ull << 31);
}

#endif
