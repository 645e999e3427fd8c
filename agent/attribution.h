/* One interval's joules of a node, given to its replicas. Pure, in integers: the shares and what
 * is left over add up to the node exactly.
 *
 * The idle part (what the node would have drawn doing nothing: idle_power.h) goes by reserved CPU:
 * a replica pays for its part of the node's capacity, and what nobody reserved is nobody's. A
 * replica that reserves nothing counts as an equal part of what the others leave. The rest, the
 * dynamic part, goes by the CPU time that each used; the CPU time of everybody else is nobody's. */
#ifndef HUDDLE_ATTRIBUTION_H
#define HUDDLE_ATTRIBUTION_H

#include <stddef.h>
#include <stdint.h>

struct attribution_share {
    uint64_t reserved_milli;      /* 0: nothing reserved */
    uint64_t cpu_ns;              /* used in the interval */
    uint64_t idle_uj, dynamic_uj; /* out */
};

struct attribution_node {
    uint64_t energy_uj;      /* of the interval */
    uint64_t idle_uj;        /* part of it; more than all is all */
    uint64_t capacity_milli; /* 0: unknown, the replicas share all of it */
    uint64_t busy_ns;        /* CPU time that was used by anybody; 0: unknown */
};

/* Fills in the shares. Returns what no replica caused. */
uint64_t attribution_split(const struct attribution_node *node, struct attribution_share *shares,
                           size_t n);

#endif
