/* A short-lived child process on a loop, kept within bounds: its output, its time, and what it may
 * take over from us. For helpers that are asked one thing: power drivers, for example.
 *
 * The child is a session and process group of its own, with default signals, / as its folder, umask
 * 077, no_new_privs, no core dump, and limits on descriptors, CPU time and file size. It holds its
 * three standard descriptors and its program (descriptor 3, only when that is a script), and is
 * killed when we end. When it ends, what it left in its group is killed too. */
#ifndef HUDDLE_BASE_CHILD_H
#define HUDDLE_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/loop.h"

struct child;

struct child_order { /* borrowed for the call */
    int program_fd;  /* an open file: what was checked is what is run (fexecve) */
    const char *const *argv, *const *envp; /* closed by NULL */
    int stdin_fd;                          /* read by the child; -1: /dev/null */
    size_t most_out;                       /* bytes of stdout; more is CHILD_FLOODED and ends it */
    size_t most_err;     /* bytes of stderr that are kept; what is above is dropped */
    int64_t deadline_ms; /* boot time: SIGTERM to its group */
    int64_t grace_ms;    /* from there to SIGKILL */
};

enum child_end {
    CHILD_EXITED,   /* code: its exit code */
    CHILD_SIGNALED, /* code: the signal */
    CHILD_LATE,     /* ended by us at its deadline */
    CHILD_FLOODED,  /* ended by us: it wrote without end */
    CHILD_UNBORN,   /* its program could not be run; code: -errno */
};

struct child_result { /* borrowed for the callback */
    enum child_end end;
    int code;
    const char *out, *err; /* NUL-terminated, and may hold NULs */
    size_t n_out, n_err;
};

/* `fn` is called once, from the loop, never from inside child_start(). */
typedef void child_done_fn(void *data, const struct child_result *result);
int child_start(struct loop *l, const struct child_order *order, child_done_fn *fn, void *data,
                struct child **ret_child, struct err *e);

/* Before its end: kills it, without callback. May be called from the callback. Accepts NULL. */
void child_free(struct child *c);
DEFINE_AUTO(child, struct child *, child_free);

#endif
