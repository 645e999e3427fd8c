/* The part of plan_check that counts room: no node is filled beyond its CPU, memory, devices and
 * maxPerNode, not even while both halves of a move run; devices are of the models that are allowed,
 * and a fixed port is there once. */
#ifndef HUDDLE_PLAN_CHECK_ROOM_H
#define HUDDLE_PLAN_CHECK_ROOM_H

#include "controller/placement/plan.h"

int plan_check_room(const struct plan *p, struct err *e);

#endif
