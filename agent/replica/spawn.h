/* From fork to exec: how a process of a replica is made. What is checked before is in launch.h;
 * what happens to it afterwards in process.h and probe.h.
 *
 * The child is a session and process group of its own, holds descriptors 0-2 alone, default
 * signals, no capability, no_new_privs, no core dumps, umask 022 and / as its folder. */
#ifndef HUDDLE_REPLICA_SPAWN_H
#define HUDDLE_REPLICA_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "agent/replica/launch.h"
#include "proto/base/err.h"

/* Runs in the child before it becomes the program, still as the agent's user: system calls only.
 * Returns 0 or -errno, which ends the child. */
typedef int spawn_before_fn(const void *data);

struct spawn { /* borrowed for the call */
    const struct launch *launch;
    int output_fd;        /* its stdout and stderr; stdin is /dev/null */
    const int *procs_fds; /* cgroup.procs of the cgroups it joins */
    size_t n_procs_fds;
    spawn_before_fn *before; /* NULL: nothing */
    const void *before_data;
    bool ends_with_us; /* SIGKILL when the agent ends */
};

struct spawned { /* descriptors are the caller's to close */
    pid_t pid;
    int pidfd;
    int status_fd; /* for spawn_status() */
};

int spawn(const struct spawn *s, struct spawned *ret_spawned, struct err *e);

/* Once the child has ended or become its program: 0 when it did, or -errno of the step that failed,
 * named in `e` ("cannot execute /x/y: No such file or directory"). Before that, -EAGAIN. */
int spawn_status(int status_fd, const struct launch *launch, struct err *e);

/* fork(), with every signal blocked in the child until it says otherwise. */
pid_t spawn_fork(void);

/* For children of ours; both use system calls only. */
void spawn_close_from(int first);
void spawn_drop_capabilities(void); /* all sets, for good */

#endif
