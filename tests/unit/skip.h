/* A unit test that this machine cannot run says why: tests/run.py lists the reason, and counts a
 * skip without one as a failure. Include after cmocka.h. */
#ifndef HUDDLE_SKIP_H
#define HUDDLE_SKIP_H

#include <errno.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define SKIP(test, why)                               \
    do {                                              \
        (void)printf("SKIP %s: %s\n", (test), (why)); \
        skip();                                       \
    } while (0)

/* Processes are watched through pidfds, which valgrind 3.19 does not know. */
static inline void skip_without_pidfd(const char *test)
{
    int fd = pidfd_open(getpid(), 0);

    if (fd < 0 && errno == ENOSYS)
        SKIP(test, "no pidfd_open() here");
    assert_true(fd >= 0 && close(fd) == 0);
}

#endif
