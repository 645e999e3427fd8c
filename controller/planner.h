/* The planner's thread: snapshots in, plans out, in order. A plan for 10,000 nodes takes seconds;
 * here it delays nobody. The brain (placement/brain.h) belongs to this thread alone. */
#ifndef HUDDLE_PLANNER_H
#define HUDDLE_PLANNER_H

#include <stdint.h>

#include "controller/placement/plan.h"
#include "controller/state/snapshot.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/loop.h"

struct planner;

/* `plan` is the callee's; NULL with the reason: none could be made. On the loop's thread, once for
 * each planner_ask(). */
typedef void planner_done_fn(void *data, struct plan *plan, const char *why);

struct planner_options {
    uint64_t seed, max_steps;
    planner_done_fn *done;
    void *data;
};

int planner_new(struct loop *l, const struct planner_options *options, struct planner **ret_planner,
                struct err *e);

/* Waits for the plan in hand; what still waits is not planned, and `done` is not called again.
 * Accepts NULL. */
void planner_free(struct planner *p);
DEFINE_AUTO(planner, struct planner *, planner_free);

/* Processor time that plans took so far, in ns. From any thread. */
uint64_t planner_cpu_ns(const struct planner *p);

/* Takes the reference. */
void planner_ask(struct planner *p, struct snapshot *snapshot);

#endif
