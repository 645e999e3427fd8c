/* Lower bounds: no placement of the targets needs fewer awake nodes, or fewer watts. Per dimension
 * the largest nodes must cover the sum; and by dual-feasible functions (Martello and Toth, "Lower
 * bounds and reduction procedures for the bin packing problem", 1990), which see that two big
 * pieces never share a node; and by the relaxation of the cutting-stock problem (cutting.h), which
 * sees all mixtures. Spares and minimum included. */
#ifndef HUDDLE_BOUND_H
#define HUDDLE_BOUND_H

#include "controller/placement/plan.h"

/* `replicas` is parallel to the snapshot's models: how many are to be placed. Looks no
 * further once `enough` nodes are proven (those that a placement takes). */
uint32_t bound_nodes(const struct snapshot *s, const uint32_t *replicas, uint32_t enough);

/* Watts with that many nodes awake, idle: the cheapest ones awake, all others at standby. */
double bound_watts(const struct snapshot *s, uint32_t nodes);

#endif
