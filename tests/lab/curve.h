/* How many watts a node draws at which utilization: a published curve of eleven points, linear in
 * between. The lab's meter and nothing else uses it; huddle has to learn the curve by itself. */
#ifndef LAB_CURVE_H
#define LAB_CURVE_H

#define CURVE_POINTS 11

struct curve {
    double watts[CURVE_POINTS]; /* at 0, 10, ... 100 % */
    double standby_w, boot_w;   /* asleep; from power-on to the operating system's start */
};

/* Dell PowerEdge R740, SPECpower_ssj2008 result 20170829-00780. Standby and boot power have no
 * published figure; 12 W and the draw at 20 % are assumed. */
extern const struct curve CURVE_R740;

double curve_watts(const struct curve *c, double utilization);

/* No way to do `work` (in full nodes, 0 to n_nodes) on n_nodes draws less than this, at any
 * instant: the lower convex envelope of {asleep, curve}, with nodes split and slept at no cost. */
double curve_bound_watts(const struct curve *c, double work, unsigned n_nodes);

#endif
