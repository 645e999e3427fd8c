/* CPU time and resident memory of process groups, for replicas without a cgroup.
 *
 * Members are found in /proc: the leader at once, the others by walks that are far between and look
 * only at processes that are new since the last one (and at all of them now and then, for numbers
 * are used again). Between walks only the known members are read, from files that stay open.
 * Time of processes that have ended is lost: a group's sum may fall, and its reader takes it as any
 * raw counter. */
#ifndef HUDDLE_PROCESS_GROUP_H
#define HUDDLE_PROCESS_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process_group {
    int64_t pgid; /* 0: not asked for */
    bool found;   /* out: it has a process */
    uint64_t cpu_ns, memory_bytes;
};

struct process_member {
    int64_t pid, pgid;
    int fd; /* of its stat; 0: not kept open */
};

struct process_groups { /* zero-initialise */
    struct process_member *members;
    size_t n_members, cap_members;
    int64_t *seen; /* every process at the last walk, ascending */
    size_t n_seen, cap_seen;
    unsigned looks;
    size_t n_open;
};

void process_groups_done(struct process_groups *p);

/* Adds to the `groups`, whose sums the caller has zeroed. Members of other groups are forgotten. */
void process_groups_read(struct process_groups *p, const char *proc_root,
                         struct process_group *groups, size_t n);

#endif
