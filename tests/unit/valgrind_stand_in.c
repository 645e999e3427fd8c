/* What valgrind 3.19 (Debian 12) answers wrongly, for the tests of what starts and watches
 * processes: pidfd_open() and pidfd_send_signal(), ENOSYS there, and a lower hard limit of
 * descriptors, EPERM there. Linked into test programs alone (unit.mk), where it comes before the C
 * library's. Where the kernel itself answers, its answer counts: then this is a way through to it.
 *
 * A stand-in for a pidfd is the reading end of a pipe, written to once the process has ended:
 * readable then, as a pidfd is. A thread looks at /proc for that. Unlike a pidfd it does not keep a
 * number from meaning another process later: good enough for a test, and no more. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/replica/identity.h"

#define LOOK_MS 2
#define THREADS_MAX 1024
#define STACK_BYTES (256u << 10)
#define DESCRIPTORS_MAX 4096

static _Atomic pid_t pid_of[DESCRIPTORS_MAX]; /* by stand-in; 0: none */
static pthread_t threads[THREADS_MAX];
static size_t n_threads;
static pid_t owner; /* a fork has this memory, and none of the threads */

struct watch {
    pid_t pid;
    int fd; /* the writing end */
};

static bool ended(pid_t pid)
{
    struct process_stat st;
    int r = process_stat_read("/proc", pid, &st);

    if (r < 0) /* it may have failed for want of descriptors, which says nothing */
        return kill(pid, 0) < 0 && errno == ESRCH;
    return st.state == 'Z' || st.state == 'X';
}

/* Until the process has ended, or nobody holds the reading end any more. */
static void *look(void *data)
{
    struct watch *w = data;
    struct pollfd reader = { .fd = w->fd };

    while (!ended(w->pid) && poll(&reader, 1, LOOK_MS) == 0)
        ;
    (void)!write(w->fd, "", 1);
    (void)close(w->fd);
    free(w);
    return NULL;
}

static int start_thread(pid_t pid, int fd)
{
    struct watch *w = malloc(sizeof(*w));
    pthread_attr_t small;
    sigset_t all, before;
    int r;

    if (owner != getpid()) {
        owner = getpid();
        n_threads = 0;
    }
    if (!w || n_threads == THREADS_MAX) {
        free(w);
        return -EMFILE;
    }
    *w = (struct watch){ .pid = pid, .fd = fd };
    (void)sigfillset(&all); /* signals are the business of the test's own thread */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_attr_init(&small);
    (void)pthread_attr_setstacksize(&small, STACK_BYTES);
    r = -pthread_create(&threads[n_threads], &small, look, w);
    (void)pthread_attr_destroy(&small);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        n_threads++;
    else
        free(w);
    return r;
}

/* A thread that still looked while the program ends would count as lost memory. */
__attribute__((destructor)) static void join_all(void)
{
    for (size_t i = 0; owner == getpid() && i < n_threads; i++)
        (void)pthread_join(threads[i], NULL);
}

static int stand_in(pid_t pid)
{
    int fds[2], r;

    if (kill(pid, 0) < 0 && errno == ESRCH)
        return -ESRCH;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    r = fds[0] < DESCRIPTORS_MAX ? start_thread(pid, fds[1]) : -EMFILE;
    if (r < 0) {
        (void)close(fds[0]);
        (void)close(fds[1]);
        return r;
    }
    pid_of[fds[0]] = pid;
    return fds[0];
}

int pidfd_open(pid_t pid, unsigned flags)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, flags);

    if (fd >= 0 || errno != ENOSYS)
        return fd;
    fd = stand_in(pid);
    if (fd < 0)
        errno = -fd;
    return fd < 0 ? -1 : fd;
}

int pidfd_send_signal(int fd, int signal, siginfo_t *info, unsigned flags)
{
    pid_t pid;
    int r = (int)syscall(SYS_pidfd_send_signal, fd, signal, info, flags);

    if (r == 0 || (errno != ENOSYS && errno != EBADF))
        return r;
    pid = fd >= 0 && fd < DESCRIPTORS_MAX ? pid_of[fd] : 0;
    if (pid == 0) {
        errno = EBADF;
        return -1;
    }
    return kill(pid, signal);
}

/* The kernel lets everybody lower a limit. Here the soft one alone is lowered. AddressSanitizer
 * calls this before its own shadow memory is there. */
__attribute__((no_sanitize("address", "undefined"))) int setrlimit(__rlimit_resource_t what,
                                                                   const struct rlimit *limit)
{
    int r = (int)syscall(SYS_prlimit64, 0, what, limit, NULL);
    struct rlimit now;

    if (r == 0 || errno != EPERM || what != RLIMIT_NOFILE || getrlimit(what, &now) < 0 ||
        limit->rlim_max > now.rlim_max) {
        errno = r == 0 ? errno : EPERM;
        return r;
    }
    now.rlim_cur = limit->rlim_cur;
    return (int)syscall(SYS_prlimit64, 0, what, &now, NULL);
}
