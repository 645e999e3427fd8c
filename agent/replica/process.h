/* The replicas' processes on this node: started, watched, signalled, and found again by the next
 * agent. They outlive the agent; a restarted one adopts them.
 *
 * Each replica has a folder STATE/replicas/UID/ with
 *   record      who it is (record.h), written and synced by the child itself before it becomes the
 *               program. STATE/replicas/lock is held by the agent and, until exec, by such a child:
 *               the next agent waits for it, so that one killed at any instant loses no replica and
 *               none is started twice.
 *   log, log.1  stdout and stderr, together at most `log_bytes` (log_copier.h).
 *
 * A process is its own session and group, without new privileges, without capabilities, with only
 * the descriptors 0-2 and the environment of its launch, and in a cgroup of its own where this node
 * allows it. A pid is believed only together with start time, boot id and pid namespace; signals go
 * through pidfds. Only own children are waited for, each by its pid. Callbacks come from the loop,
 * never from inside a call here. */
#ifndef HUDDLE_REPLICA_PROCESS_H
#define HUDDLE_REPLICA_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/replica/launch.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/loop.h"
#include "proto/base/strbuf.h"
#include "proto/wire.h"

struct processes;

struct processes_options { /* borrowed for the call; NULL or 0: the default in brackets */
    struct loop *loop;
    const char *state_dir;     /* exists; replicas/ is made below it */
    const char *proc_root;     /* [/proc] */
    const char *cgroup_root;   /* [/sys/fs/cgroup] */
    const char *cgroup_parent; /* ["huddle"] below the agent's own cgroup, or an absolute name below
                                  each hierarchy: "/huddle"; "none": no cgroups */
    bool cpu_share_only; /* [a quota, too] of CPU a replica gets at least what it asks for, and
                            more while others leave it */
    uint64_t log_bytes;  /* [8 MiB] per replica */
    unsigned ended_kept; /* [32] folders of replicas that have ended, for their logs */
};

struct process_exit {
    int64_t pid;
    bool never_ran; /* not started: `text` says at which step and why */
    bool known;     /* false: adopted, so its status is told to nobody */
    int code;       /* of a known exit; -1 when a signal ended it */
    int signal;     /* 0: none */
    const char
        *text; /* "exited with code 3", "killed by SIGSEGV", "killed: more than its memory..." */
    const char *tail; /* its last log lines in one line: process_log_tail() */
};

/* Told once for each process started or adopted, after all that it left behind is gone. The uid may
 * be started again from inside. */
typedef void process_exit_fn(void *data, const char *uid, const struct process_exit *exit);

/* -EBUSY when another agent holds the lock for longer than 10 s. */
int processes_new(const struct processes_options *options, process_exit_fn *fn, void *data,
                  struct processes **ret_processes, struct err *e);
void processes_free(struct processes *p); /* forgets them; they run on */
DEFINE_AUTO(processes, struct processes *, processes_free);

/* Why replicas have no cgroup, or not all limits, with the way out; "" when nothing is missing. */
const char *processes_problem(const struct processes *p);

/* Looks through STATE/replicas once, before the first start. `fn` is called for each record:
 * `alive` ones are watched from now on. Of others the record is removed, what they left behind is
 * killed, and `why` says what became of them ("ended while no agent ran", "the node was booted
 * since"). A damaged record is set aside as record.bad. `desired` is NULL when it could not be
 * read: a replica that is alive can then only be stopped. -errno when it cannot be told whether one
 * lives, or it may not be signalled: its record stays, and nothing of it was touched. */
struct process_found {
    const char *uid;
    const struct wire_desired *desired; /* as it was started; borrowed for the call */
    int64_t pid;
    int64_t started_boot_ms; /* CLOCK_BOOTTIME */
    bool alive;
    const char *why;
};
typedef void process_found_fn(void *data, const struct process_found *found);
int processes_adopt(struct processes *p, process_found_fn *fn, void *data, struct err *e);

/* Starts `desired` as `launch` says. 0 once it is forked: a failure from there on is told as an
 * exit that never ran. -EINVAL for a uid that is no file name, -EBUSY while one of this uid runs.
 * `ret_pid` may be NULL. */
int process_start(struct processes *p, const struct wire_desired *desired,
                  const struct launch *launch, int64_t *ret_pid, struct err *e);

/* Sends a signal to the leader, which passes it on as it sees fit; SIGKILL goes to its whole
 * cgroup. When the leader has ended, what is left of its cgroup and process group is killed. -ESRCH
 * when it has ended (its exit is told soon, or was). */
int process_signal(struct processes *p, const char *uid, int signal);

/* What runs, for the sensors: one after the other, in no order that means anything. Borrowed until
 * the next start or exit. */
struct process_use {
    const char *uid;
    int64_t pid;                       /* also that of the group; 0 when unknown */
    const struct string_list *cgroups; /* absolute folders, one for each hierarchy; may be empty */
};
size_t processes_count(const struct processes *p);
struct process_use processes_use(const struct processes *p, size_t i);

/* Whose a port is. A socket is the replica's when its leader, a member of its cgroup or one of its
 * session holds it. Where this agent may not look into another user's processes (CAP_SYS_PTRACE),
 * every socket of the replica's user counts as its own. */
enum port_holder {
    PORT_FREE,     /* nobody listens, as far as can be seen */
    PORT_OWN,      /* the replica alone */
    PORT_STRANGERS /* somebody else, perhaps beside it; `e` says who */
};
enum port_holder process_port(struct processes *p, const char *uid, const char *address,
                              uint32_t port, struct err *e);

/* Open connections to a port of this node, in which a request may be under way. -errno when they
 * cannot be counted. */
int process_connections(const struct processes *p, uint32_t port);

/* The last `lines` lines of its log in one line of at most `most` bytes, for people: printable
 * UTF-8, lines joined by " | ", cut at the front. Nothing when there is no log. */
void process_log_tail(const struct processes *p, const char *uid, size_t lines, size_t most,
                      struct strbuf *out);

#endif
