/* Which life of a node's agent a report is of: an epoch is a life. One is in force, the one before
 * it is remembered with its counters, some older ones by their names (see node_report.h). */
#ifndef HUDDLE_NODE_LIFE_H
#define HUDDLE_NODE_LIFE_H

#include "controller/state/cluster.h"
#include "controller/state/node_report.h"

/* Is the report of a second agent (twin.h)? Where it is the one that is left of two, it takes the
 * place of the one that fell silent, unless that one sleeps; to be asked before node_life_base().
 */
enum twin_finding node_life_twin(const struct cluster *c, struct node *n,
                                 const struct wire_report *w, int64_t now_ms);

/* The base to count against, or NULL: count nothing. */
struct report_base *node_life_base(struct node *n, const struct wire_report *w,
                                   enum report_verdict *ret_verdict);

/* Of what is counted; not of when it was sent, for a repeat is sent later. */
uint64_t node_life_digest(const struct wire_report *w);

#endif
