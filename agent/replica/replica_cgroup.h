/* One cgroup per replica, on hosts with cgroup v2, v1 or both, below the agent's own cgroup or a
 * configured one. It counts, limits, and holds together: whatever a replica starts ends with it.
 *
 * v1: cpu, cpuacct and memory. v2: the unified hierarchy; limits need its controllers enabled down
 * to us, which the kernel refuses in a cgroup that holds processes: the agent itself must then live
 * beside its replicas (systemd: Delegate=yes and DelegateSubgroup=agent), not above them. */
#ifndef HUDDLE_REPLICA_CGROUP_H
#define HUDDLE_REPLICA_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/field.h"

#define CGROUP_HIERARCHIES 4 /* v2, cpu, cpuacct, memory */

struct cgroup_hierarchy {
    char *folder;              /* where a folder is made for each replica */
    char *name;                /* the same below the hierarchy's root: "huddle" */
    bool unified, cpu, memory; /* cpu, memory: limits can be set */
};

struct cgroup_home {
    struct cgroup_hierarchy hierarchies[CGROUP_HIERARCHIES];
    size_t n;
    bool share_only;   /* a replica gets at least its CPU, and no quota */
    bool ours;         /* below our own cgroup, and not a configured one that others may use */
    char problem[320]; /* why there is no cgroup or not every limit, and the way out; or "" */
};

/* Finds out what is possible and makes the parent folders. Never fails: what is missing stands in
 * `problem`. `parent` as in processes_options. */
void cgroup_home_init(struct cgroup_home *home, const char *root, const char *proc_root,
                      const char *parent);
void cgroup_home_done(struct cgroup_home *home);

struct replica_cgroup {
    struct string_list folders;        /* absolute, one for each hierarchy */
    int procs_fds[CGROUP_HIERARCHIES]; /* cgroup.procs, open for writing */
    size_t n_fds;
};

/* Makes it and sets the limits (0: none): of CPU a weight, which is its share when all want more
 * than there is, and a quota, which it never exceeds. Without any hierarchy it stays empty. -errno
 * when a limit that this home can set is refused. */
int replica_cgroup_make(const struct cgroup_home *home, const char *uid, uint64_t cpu_milli,
                        uint64_t memory_bytes, struct replica_cgroup *ret_cgroup, struct err *e);
void replica_cgroup_close(struct replica_cgroup *c); /* the descriptors */
void replica_cgroup_done(struct replica_cgroup *c);

/* Kills every process in it. */
void replica_cgroup_kill(const struct string_list *folders);

/* 0 when it is gone, -EBUSY while a process is left in it. */
int replica_cgroup_remove(const struct string_list *folders);

/* Did the kernel kill in it for want of memory? */
bool replica_cgroup_out_of_memory(const struct string_list *folders);

#endif
