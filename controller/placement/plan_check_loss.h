/* The part of plan_check that loses nodes (G5): a plan that takes nodes away leaves room for every
 * floor when any one more is lost, on nodes that may run the model, with devices that it may have,
 * within maxPerNode. */
#ifndef HUDDLE_PLAN_CHECK_LOSS_H
#define HUDDLE_PLAN_CHECK_LOSS_H

#include "controller/placement/plan.h"

int plan_check_losses(const struct plan *p, struct err *e);

#endif
