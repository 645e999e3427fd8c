/* The part of plan_check that counts room: no node is filled beyond its CPU, memory, devices and
 * maxPerNode, not even while both halves of a move run; then plan_check_losses(). */
#ifndef HUDDLE_PLAN_CHECK_ROOM_H
#define HUDDLE_PLAN_CHECK_ROOM_H

#include "controller/placement/plan.h"

int plan_check_room(const struct plan *p, struct err *e);

#endif
