/* What a process is to be, as plain data: which program with which words, as whom, within which
 * limits. Made by runtimes.h from the node's own runtimes.d, carried out by process.h and probe.h.
 */
#ifndef HUDDLE_REPLICA_LAUNCH_H
#define HUDDLE_REPLICA_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/base/err.h"

struct launch {
    char **argv; /* closed by NULL; argv[0] is an absolute path */
    size_t n_argv, cap_argv;
    char **envp; /* KEY=VALUE, closed by NULL; the whole environment */
    size_t n_envp, cap_envp;
    bool switch_user; /* else the agent's own user, without its capabilities */
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* supplementary */
    size_t n_groups;
    uint64_t cpu_milli, memory_bytes; /* limits, where there is a cgroup; 0: none */
    uint64_t open_files;              /* RLIMIT_NOFILE; 0: 65536, or the agent's hard limit */
};

void launch_done(struct launch *l);

static inline void auto_launch(struct launch *l)
{
    launch_done(l);
}

/* Appends a word to argv, or KEY=VALUE to envp (replacing an earlier KEY). Both stay closed. */
void launch_argument(struct launch *l, const char *word);
void launch_variable(struct launch *l, const char *key, const char *value);
const char *launch_variable_get(const struct launch *l, const char *key); /* or NULL */

/* The user that the process runs as: uid, gid and supplementary groups by name. "" keeps the
 * agent's own. -ENOENT for a name that this node does not know. */
int launch_user(struct launch *l, const char *name, struct err *e);

/* Who runs a replica whose runtime names no user: "nobody" when the agent is root, since a replica
 * must not be root; "" (the agent's own user) otherwise, and in a user namespace that has no other
 * user than its root. */
const char *launch_default_user(void);

/* Does the text of a /proc/PID/uid_map hold this uid? Pure. */
bool uid_map_holds(const char *map, uid_t uid);

#endif
