/* The planner's improvement of what stands in the GPU arena: what evacuation and relocation do in a
 * few rounds, on the pods placed so far, with a budget of moves. And how far it could go. */
#ifndef HUDDLE_BENCH_OPENB_MOVES_H
#define HUDDLE_BENCH_OPENB_MOVES_H

#include "controller/placement/packing.h"

struct moved;

/* `s` is borrowed; its models and nodes are those of the arena. */
struct moved *moved_new(const struct snapshot *s);
void moved_free(struct moved *m); /* accepts NULL */

/* Empties nodes and moves pods that pay, at most `budget` of them; *p is begun anew from where all
 * stand then. Returns the moves made. */
uint32_t moved_improve(struct moved *m, struct packing *p, int64_t budget);

/* No placement of what stands in `p` uses fewer devices: whole ones, and the fewest that hold the
 * shares by the relaxation of the cutting-stock problem (cutting.h). CPU, memory and the sizes of
 * nodes are left out, which only lowers it. */
double openb_bound(const struct packing *p);

#endif
