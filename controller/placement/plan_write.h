/* Writes a packing down as a plan: placements, verdicts, counts, watts, bound and reasons. */
#ifndef HUDDLE_PLAN_WRITE_H
#define HUDDLE_PLAN_WRITE_H

#include "controller/placement/packing.h"

/* Fills everything of `plan` but id, snapshot and models' sizing, which are there already, as are
 * the verdicts and reasons of nodes that evacuation gave. */
void plan_write(struct plan *plan, const struct packing *p);

/* Takes sleeps, moves and stops out of a plan: what is left only starts and wakes. */
void plan_tame(struct plan *plan);

/* Counts and watts anew from placements and verdicts. */
void plan_count(struct plan *plan);

#endif
