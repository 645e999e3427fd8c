/* Fragmentation gradient descent, run beside huddle on the same arrivals (Weng et al., "Beware of
 * fragmentation: scheduling GPU-sharing workloads with fragmentation gradient descent", USENIX ATC
 * 2023), written from the paper. A node's fragmentation is the mean, over the kinds of pods by
 * popularity, of its free devices that a pod of that kind cannot use; a pod goes where it grows
 * least. As in the authors' runs, the kinds are the most frequent 95 % and known beforehand, the
 * score is the whole part of 100 / (1 + exp(growth in devices)), and of equal scores the first
 * node's is taken. Scores are kept per node and kind until the node changes. */
#ifndef HUDDLE_BENCH_OPENB_FGD_H
#define HUDDLE_BENCH_OPENB_FGD_H

#include "controller/placement/room.h"
#include "tests/bench/openb_trace.h"

struct fgd;

/* `trace` and `specs` (one per kind) are borrowed. */
struct fgd *fgd_new(const struct trace *trace, const struct served_model *specs);
void fgd_free(struct fgd *f); /* accepts NULL */

/* The node for one more pod of the kind, NO_INDEX: none. *ret_mask: its devices. */
uint32_t fgd_pick(struct fgd *f, const struct room *rooms, uint32_t kind, uint64_t *ret_mask);

/* The node's room changed. */
void fgd_changed(struct fgd *f, uint32_t node);

#endif
