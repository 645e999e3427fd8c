/* Emptying nodes so that they can sleep: those first that save most watts a move, their replicas,
 * the hardest to place first, by best fit onto nodes that are in use. A node is closed only when
 * the saving over the expected off-time exceeds what the moves, the power cycle and more overloads
 * of the others cost, the off-time exceeds break-even (G6), budgets, minimum, spare and the room
 * for what may come hold (reserve.h), and the loss of any one node is still survived (G5). */
#ifndef HUDDLE_EVACUATION_H
#define HUDDLE_EVACUATION_H

#include "controller/placement/outlook.h"
#include "controller/placement/packing.h"
#include "controller/placement/reserve.h"

/* Fills p->closed, takes the closed ones off `reserve`, and fills verdict, off_s, joules_at_stake
 * and why of `nodes` (parallel to the snapshot's): of the closed ones, and why the others stay
 * awake. Returns for how many seconds none of these is expected to be let go; INFINITY: as far as
 * can be seen. */
double evacuation(struct packing *p, struct outlook *o, struct reserve *reserve,
                  struct plan_node *nodes);

#endif
