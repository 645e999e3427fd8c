/* One look at the node: everything the sensors read at one moment, as plain data. Filled by the
 * sensors (agent/sensor/), consumed by the core (agent.h), `--once` and `--record`. Counters are as
 * the kernel or device shows them (raw, may wrap or reset): energy_counter.h makes them cumulative.
 */
#ifndef HUDDLE_SAMPLE_H
#define HUDDLE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

struct sample_zone { /* one energy counter */
    char name[64];   /* "package-0", "dram" */
    char path[160];  /* unique on this node: "intel-rapl:0/intel-rapl:0:1", "nvml:GPU-..." */
    enum zone_kind kind;
    bool counted; /* part of the node's total: every joule once */
    bool valid;   /* `raw_uj` was read now; else `error` says why not */
    uint64_t raw_uj;
    uint64_t range_uj;          /* wraps here to 0; 0: never wraps */
    uint64_t max_power_uw;      /* plausibility limit; 0: unknown */
    enum provenance provenance; /* MEASURED, or ESTIMATED (power model, integrated GPU power) */
    char error[128];
};

struct sample_gpu {
    char model[96], uuid[64];
    uint64_t memory_bytes, memory_used_bytes;
    uint32_t utilization_permille;
    bool valid; /* it answers; what it does not tell is not known all the same */
    bool memory_known, utilization_known;
};

struct cpu_times { /* nanoseconds since boot, each kind apart; procfs.h says what is in which */
    uint64_t busy_ns, idle_ns, iowait_ns, steal_ns;
    uint64_t guest_ns; /* a part of busy_ns */
};

struct sample_cpu { /* all CPUs together */
    bool valid;
    uint32_t online;
    struct cpu_times times;
};

struct sample_one_cpu {
    uint32_t number; /* the kernel's: "cpu3" */
    struct cpu_times times;
};

struct sample_group { /* one cgroup or process group that the supervisor asked about */
    uint64_t id;      /* the supervisor's number for the replica */
    bool valid;
    uint64_t cpu_ns, memory_bytes;
};

#define SAMPLE_POD_UID 64

struct sample_pod { /* a pod of Kubernetes */
    char uid[SAMPLE_POD_UID];
    uint64_t cpu_ns, memory_bytes;
    uint64_t requested_milli; /* CPU; 0: nothing */
};

struct sample_problem {
    char what[200], fix[320];
};

struct sample {
    int64_t boot_ms, wall_ms;
    struct sample_zone *zones;
    size_t n_zones, cap_zones;
    struct sample_cpu cpu;
    struct sample_one_cpu *cpus; /* those online, by ascending number; none where nobody asked */
    size_t n_cpus, cap_cpus;
    struct {
        bool valid;
        uint64_t total_bytes, used_bytes;
    } memory;
    struct {
        bool known;
        uint64_t cpu_us, memory_us, io_us;
    } pressure;
    struct sample_gpu *gpus;
    size_t n_gpus, cap_gpus;
    struct sample_group *groups;
    size_t n_groups, cap_groups;
    bool pods_known;         /* somebody asked, and they could be looked at */
    struct sample_pod *pods; /* ascending by uid */
    size_t n_pods, cap_pods;
    struct sample_problem *problems;
    size_t n_problems, cap_problems;
};

void sample_clear(struct sample *s); /* keeps the memory */
void sample_done(struct sample *s);
void sample_copy(struct sample *to, const struct sample *from); /* `to` keeps its memory */
void sample_problem(struct sample *s, const char *what, const char *fix); /* once per text */

#endif
