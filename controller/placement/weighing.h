/* A power cycle by what its joules weigh (gCO2, or money), each at its own time: what is saved
 * while the node is off, and what its boot costs at the end. Beside the break-even in joules (G6),
 * never in its place: a weight keeps a node awake, and puts none to sleep. Pure. */
#ifndef HUDDLE_WEIGHING_H
#define HUDDLE_WEIGHING_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/energy/intensity.h"
#include "controller/energy/node_curve.h"

#define WEIGHING_MOST_S 86400.0 /* a longer sleep is judged by its first day */

struct weighed {
    bool known;         /* the weight is, for all of the time concerned */
    double saved, cost; /* in the unit of the weight */
};

/* Off from now for `off_s`, after moves that take `move_j` now. */
struct weighed weighing_sleep(const struct intensity *weight, const struct node_curve *curve,
                              int64_t wall_ms, double off_s, double move_j);

#endif
