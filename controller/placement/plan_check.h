/* Proves the guarantees on a plan before anybody acts on it. Independent of how the plan was made:
 * it recounts everything from the plan and its snapshot. Pure.
 *
 *   G1 no node is slept that is not sleepable, or that keeps a placement
 *   G2 every model keeps its floor of ready replicas in every state on the way (make before break)
 *   G5 awake nodes stay at or above minimum + spare, and none is woken beyond maxAwake; the loss of
 *      any one awake node leaves room for every model's floor; budgets, windows and each node's
 *      power cycles of a day hold
 *   G6 sleep only where off-time exceeds break-even, and waking is proven
 *   capacity: no node is filled beyond its CPU, memory, devices, maxPerNode; a fixed port is there
 *      once, and devices are of the models that are allowed */
#ifndef HUDDLE_PLAN_CHECK_H
#define HUDDLE_PLAN_CHECK_H

#include "controller/placement/plan.h"

/* Returns 0, or -EPERM with "G5: ..." in `e`, naming the first broken guarantee and the node or
 * model. */
int plan_check(const struct plan *p, struct err *e);

#endif
