/* A wake test (state/wake_test.h) beside the life cycle: which cycles it has completed, and how it
 * ends. It takes no edge by itself: the caller wishes sleep and wake as it wants them, and what
 * node_lifecycle() makes of that is followed here. Pure.
 *
 * It has passed when the node's own agent vanished and came back with another boot id by our wake,
 * so many times. Any other way back ends it: what its agent refused, what a time-out or a person
 * turned back, and a driver that seems to switch another machine. A restart of the controller does
 * not: the cycle in hand goes on, or begins again. */
#ifndef HUDDLE_WAKE_TEST_H
#define HUDDLE_WAKE_TEST_H

#include "controller/reconcile/node_lifecycle.h"

/* Why the life cycle turns such a test back (T3). */
#define WAKE_TEST_READS_OFF "its driver reads off while its agent reports"

static inline bool wake_test_runs(const struct node_record *r)
{
    return r->test.state == WAKE_TEST_RUNNING;
}

/* Begins anew; cycles: 1 to WAKE_TEST_CYCLES_MOST. */
void wake_test_begin(struct node_record *r, const char *by, uint32_t cycles, int64_t wall_ms,
                     int64_t now_ms);

/* Ends it by a person's word: the node stays what it is. */
void wake_test_stop(struct node_record *r, const char *text, int64_t wall_ms);

/* After each step of the life cycle, from `before` to `record`. */
void wake_test_follow(struct node_record *record, const struct node_record *before,
                      const struct node_facts *facts, int64_t now_ms);

/* The median and the worst of those that were measured. */
struct wake_times wake_times_of(const uint32_t *ms, uint32_t n);

#endif
