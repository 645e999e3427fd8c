/* A unit test that this machine cannot run says why: tests/run.py lists the reason, and counts a
 * skip without one as a failure. Include after cmocka.h. */
#ifndef HUDDLE_SKIP_H
#define HUDDLE_SKIP_H

#include <stdio.h>

#define SKIP(test, why)                               \
    do {                                              \
        (void)printf("SKIP %s: %s\n", (test), (why)); \
        skip();                                       \
    } while (0)

#endif
