/* What `huddle-agent --record` wrote of a node: how busy it was, and what it drew. Of it come the
 * demand of what runs there, in busy CPUs, and the node's curve of power against utilization, as
 * the controller learns it (energy/node_curve.h). Pure. */
#ifndef HUDDLE_SIMULATE_RECORDING_H
#define HUDDLE_SIMULATE_RECORDING_H

#include <stddef.h>

#include "controller/simulate/csv.h"

struct recording_row { /* from one line to the next */
    double at_s, seconds, cpus;
    double busy;  /* CPUs, mean */
    double watts; /* mean; NAN: not known */
};

struct recording {
    struct recording_row *rows;
    size_t n_rows, cap_rows;
};

/* `c` stands at the first line. What is between two lines is left out where the agent did not know
 * it. */
int recording_read(struct csv *c, struct recording *ret, struct err *e);
void recording_done(struct recording *r);

/* Watts at utilization 0, 0.1, ... 1, ascending. -EINVAL: it drew nothing that was known, or did
 * not vary enough in its load to tell idle from full (a fifth of the CPUs). */
int recording_curve(const struct recording *r, double ret_watts[11], struct err *e);

#endif
