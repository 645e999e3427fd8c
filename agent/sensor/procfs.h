/* Parsers of the kernel's text, pure: /proc/stat, /proc/meminfo, /proc/pressure, cgroup files.
 * They take any bytes (NUL-terminated) without harm; an absent or malformed field is an error of
 * the whole, never a 0. */
#ifndef HUDDLE_PROCFS_H
#define HUDDLE_PROCFS_H

#include <stdint.h>

#include "agent/sample.h"

/* /proc/stat in ticks of 1/ticks_per_s. busy = user + nice + system + irq + softirq (the kernel
 * counts guest time within user and nice: it is in busy once, and shown in guest_ns); iowait is
 * idle time and shown apart; steal is neither busy nor idle. `online` counts the cpuN lines.
 *
 * The nanoseconds of all CPUs together wrap at 2^64 (512 CPUs: after 13 months): the readers of
 * such counters take differences, and one that runs backwards for a moment is known to them. */
int procfs_stat(const char *text, uint64_t ticks_per_s, struct sample_cpu *ret_cpu);

/* Each CPU that is online, as above, by ascending number: the kernel leaves out those that are
 * unplugged. At most `max` (`online` of the same text: room for all). Returns how many. A line that
 * is malformed, or out of order, tells nothing of its CPU and is left out. */
size_t procfs_cpus(const char *text, uint64_t ticks_per_s, struct sample_one_cpu *cpus, size_t max);

/* /proc/meminfo; used = MemTotal - MemAvailable (before Linux 3.14: - MemFree - Buffers - Cached).
 */
int procfs_meminfo(const char *text, uint64_t *ret_total_bytes, uint64_t *ret_used_bytes);

/* The total of the "some" line of a pressure file, microseconds. */
int procfs_pressure(const char *text, uint64_t *ret_some_us);

/* "key value" lines: usage_usec of cpu.stat. */
int procfs_keyed(const char *text, const char *key, uint64_t *ret_value);

/* cgroup v2 cpu.max ("max 100000", "150000 100000") in thousandths of a CPU; 0: no limit. */
int procfs_cpu_max(const char *text, uint64_t *ret_milli);

/* /proc/PID/stat: process group, and user + system ticks (waited-for children left out). */
int procfs_pid_stat(const char *text, int64_t *ret_group, uint64_t *ret_ticks,
                    uint64_t *ret_rss_pages);

/* /proc/self/cgroup: the path of the process in the v2 hierarchy (controller "") or in the v1
 * hierarchy of `controller`. -ENOENT when it is in none. */
int procfs_cgroup_path(const char *text, const char *controller, char *path, size_t size);

#endif
