/* The CPU time of the node and of each CPU as counters that only grow, for readers that take a
 * falling counter for a restart (Prometheus). The kernel's own fall: idle and iowait by a little,
 * when a CPU's account is settled anew, and far when a CPU was unplugged and came back. A small
 * fall is waited out, so that nothing is counted twice; a far one is a new beginning, and adds
 * nothing. Pure. */
#ifndef HUDDLE_CPU_COUNTERS_H
#define HUDDLE_CPU_COUNTERS_H

#include "agent/sample.h"

struct cpu_counter {
    uint32_t number;
    bool online;            /* in the last sample; what it has counted stays */
    struct cpu_times last;  /* as the kernel had it, its highest since the last far fall */
    struct cpu_times total; /* since boot, less what was lost in falls */
};

struct cpu_counters {       /* zero-initialise */
    struct cpu_counter all; /* its number means nothing; online: it is known */
    struct cpu_counter *cpus;
    size_t n_cpus, cap_cpus; /* by ascending number; those seen once stay */
};

void cpu_counters_add(struct cpu_counters *c, const struct sample *s);
void cpu_counters_done(struct cpu_counters *c);

#endif
