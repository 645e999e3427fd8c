/* How long a node must rest: before it may sleep again, and before a quarantined one is tried
 * again.
 *
 * Boot time decides: a wall clock that was wrong for a while, at the boot of a machine without a
 * battery say, neither ends a pause nor makes one of years. The record's stamps at wall time are
 * for people and for the next controller, who knows no more than they say: it waits for what is
 * left by them, and never longer than the longest pause that there is. Pure. */
#ifndef HUDDLE_NODE_PAUSE_H
#define HUDDLE_NODE_PAUSE_H

#include "controller/reconcile/node_lifecycle.h"

/* Begin now. */
void node_pause_sleep(struct node_record *r, const struct node_facts *f, int64_t now_ms,
                      int64_t pause_ms);
void node_pause_tries(struct node_record *r, int64_t wall_ms, int64_t now_ms, int64_t pause_ms);

/* Boot time at which they end; in the past: it may be done now. */
int64_t node_no_sleep_until_ms(const struct node_record *r, const struct node_facts *f,
                               int64_t now_ms);
int64_t node_next_try_ms(const struct node_record *r, int64_t wall_ms, int64_t now_ms);

/* Notes when the pauses of a restored record end, and forgets sleeps with a stamp still to come a
 * day after it was seen: they count as sleeps of the last 24 hours, and are older now. */
void node_pause_settle(struct node_record *r, const struct node_facts *f, int64_t now_ms);

#endif
