/* Nodes that are awake beyond what is placed: minimum and spare of each pool, room for the loss of
 * any one node (G5), and, the spare apart, room for the replicas that may be wanted before another
 * node could be booted. That room is counted per pool (a model counts where it may run first) and
 * for all its models together: empty nodes are cheaper than replicas that wait on each. */
#ifndef HUDDLE_RESERVE_H
#define HUDDLE_RESERVE_H

#include "controller/placement/outlook.h"
#include "controller/placement/packing.h"

struct reserve {
    uint32_t n_pools;
    struct outlook_need *need; /* per pool */
    struct outlook_need *room; /* per pool: of the nodes awake or coming, not closed */
    struct outlook_need *lost; /* per pool: what the spare nodes stand for */
};

void reserve_init(struct reserve *r, const struct packing *p, const struct outlook *o);
void reserve_done(struct reserve *r);

/* Would the pool have room enough without this node? */
bool reserve_spares(const struct reserve *r, const struct packing *p, uint32_t node);

/* The node is closed (sign -1) or a host again (+1). */
void reserve_count(struct reserve *r, const struct packing *p, uint32_t node, double sign);

/* The room of all pools together that a packing can fill when the spares are lost, without `node`.
 */
struct outlook_need reserve_room_without(const struct reserve *r, const struct packing *p,
                                         uint32_t node);

/* Wakes, or turns back, what is lacking: the quickest first, and only nodes that help. */
void reserve_wake(struct reserve *r, struct packing *p);

#endif
