/* What a cgroup counts, on v2, v1 and hybrid hosts alike, and how far the agent's own is limited.
 */
#ifndef HUDDLE_CGROUP_H
#define HUDDLE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/field.h"

enum cgroup_count { CGROUP_CPU_NS, CGROUP_MEMORY_BYTES };

struct cgroup_file { /* zero: not open */
    int fd;
    bool keyed;
};

/* `folders` are the absolute folders of one cgroup, one in each hierarchy that it is in. -ENOENT
 * when none counts this. The caller closes. */
int cgroup_file_open(const struct string_list *folders, enum cgroup_count what,
                     struct cgroup_file *ret_file);
/* -ENODEV once the cgroup is gone, also when there is a new one of its name. */
int cgroup_file_read(const struct cgroup_file *f, uint64_t *ret_value);
void cgroup_file_close(struct cgroup_file *f);

/* The CPU limit of the agent's own cgroup and all above it, in thousandths of a CPU; 0: none. */
uint64_t cgroup_cpu_limit_milli(const char *root, const char *proc_root);

#endif
