/* What one replica uses of CPU: mean and variance over about the last ten minutes of the means
 * between reports, from the agent's counter. Plain data; zero-initialised knows nothing. */
#ifndef HUDDLE_CPU_USE_H
#define HUDDLE_CPU_USE_H

#include <stdbool.h>
#include <stdint.h>

struct cpu_use {
    double mean_milli, variance; /* thousandths of a CPU; their square */
    double seconds;              /* seen */
    uint64_t epoch, last_ns;     /* the counter as it was, of that life of the agent; 0: never */
    int64_t last_ms;
};

/* The counter at one moment of the node's boot time. 0, a step back, another life of the agent, and
 * a gap in which the node may have slept are no use of 0: they begin a new interval. */
void cpu_use_take(struct cpu_use *u, uint64_t epoch, int64_t boot_ms, uint64_t cpu_ns);

/* Is it known by now? */
bool cpu_use_known(const struct cpu_use *u);

#endif
