/* The CPU time that the processes of one lab node have used, from where the host keeps it:
 *
 *     v2:FILE   a cgroup v2 cpu.stat (usage_usec)
 *     v1:FILE   a cgroup v1 cpuacct.usage (nanoseconds)
 *     ns:INODE  no cgroups: the sum over /proc of the processes of one PID namespace
 *
 * Readings of ns: are in clock ticks and miss a process whose parent ignores its end; both blur the
 * picture by milliseconds, never by a share. */
#ifndef LAB_CPU_SOURCE_H
#define LAB_CPU_SOURCE_H

#include <stdint.h>

/* Returns 0, or -errno (nothing there, or not readable). */
int cpu_source_read(const char *source, uint64_t *ret_cpu_ns);

#endif
