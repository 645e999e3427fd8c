/* CPU and memory of one cgroup, on v2, v1 and hybrid hosts alike; and of a process group through
 * /proc where there is no cgroup. */
#ifndef HUDDLE_CGROUP_H
#define HUDDLE_CGROUP_H

#include <stddef.h>
#include <stdint.h>

/* Where the files were found last, tried first the next time. Zero-initialise. */
struct cgroup_layout {
    size_t cpu, memory;
};

/* `name` is the path below each hierarchy. Looks for CPU time in root/cpuacct (v1; first, for on a
 * hybrid host the v2 side knows no CPU controller and may lag), root (v2) and root/unified
 * (hybrid); for memory in root/memory, root and root/unified. 0, or -errno of what is missing. */
int cgroup_read(const char *root, const char *name, struct cgroup_layout *layout,
                uint64_t *ret_cpu_ns, uint64_t *ret_memory_bytes);

/* The CPU limit of the agent's own cgroup and all above it, in thousandths of a CPU; 0: none. */
uint64_t cgroup_cpu_limit_milli(const char *root, const char *proc_root);

/* CPU time and resident memory of many process groups at once, in one walk over /proc. Time of
 * processes that have ended is lost here: a group's sum may fall (the caller treats it as any raw
 * counter). found[i] tells whether group i has a process. */
struct process_group {
    int64_t pgid;
    uint64_t cpu_ns, memory_bytes;
    int found;
};
int process_groups_read(const char *proc_root, struct process_group *groups, size_t n);

#endif
