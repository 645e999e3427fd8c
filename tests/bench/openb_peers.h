/* The peers of the GPU arena, run beside huddle on the same arrivals. */
#ifndef HUDDLE_BENCH_OPENB_PEERS_H
#define HUDDLE_BENCH_OPENB_PEERS_H

#include "controller/placement/room.h"
#include "tests/bench/openb_trace.h"

/* Best fit as in FGD's simulator (Weng et al., "Beware of fragmentation: scheduling GPU-sharing
 * workloads with fragmentation gradient descent", USENIX ATC 2023): the node with the least left of
 * CPU and devices, as shares of the largest node; the fullest device that fits. NO_INDEX: none. */
uint32_t best_fit(const struct trace *t, const struct room *rooms, const struct served_model *spec,
                  uint64_t *ret_mask);

/* Published by its authors for the lists of the trace, mean of 10 runs; NAN: not published. */
struct published {
    double random, dot_product, packing, best_fit, fgd;
};
struct published published_of(const char *pods_path);

#endif
