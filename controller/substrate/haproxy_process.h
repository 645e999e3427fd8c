/* Starting HAProxy as a daemon of its own, and seeing a process end. The daemon belongs to nobody:
 * it outlives whoever started it, has its own session, none of our descriptors and none of our
 * environment. Nothing here ends a process. */
#ifndef HUDDLE_HAPROXY_PROCESS_H
#define HUDDLE_HAPROXY_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/loop.h"

struct haproxy_start {   /* borrowed for the call */
    const char *program; /* absolute */
    const char *config, *pid_file;
    pid_t replaces;       /* asked to finish once the new one listens (-sf); 0: none */
    const char *takeover; /* socket over which listening sockets are handed on (-x), or NULL */
};

/* Starts; `fn` is told once, from the loop, never from inside, when the daemon listens (result 0)
 * or did not come up: -ECHILD when it ended, also because it could not be run; `said` are its last
 * words, one line, or how it ended. -ETIMEDOUT; `said` may be "". */
struct haproxy_launch;
typedef void haproxy_started_fn(void *data, int result, const char *said);
int haproxy_launch(struct loop *l, const struct haproxy_start *start, haproxy_started_fn *fn,
                   void *data, struct haproxy_launch **ret_launch, struct err *e);
void haproxy_launch_free(struct haproxy_launch *x); /* looks away. Accepts NULL */

/* Tells once, from the loop, when process `pid` has ended. NULL when that cannot be watched. */
struct haproxy_watch;
typedef void haproxy_ended_process_fn(void *data);
struct haproxy_watch *haproxy_watch(struct loop *l, pid_t pid, haproxy_ended_process_fn *fn,
                                    void *data);
void haproxy_watch_free(struct haproxy_watch *w); /* accepts NULL */

/* Is `pid` a process that was started with this configuration file? */
bool haproxy_runs(pid_t pid, const char *config);

/* The first pid in a pid file, or 0. */
pid_t haproxy_read_pid(const char *pid_file);

/* The absolute path of a program: itself when it has a slash, else from PATH and the folders of
 * system programs. NULL when there is none that can be executed. Heap. */
char *haproxy_find_program(const char *name);

#endif
