/* Why every node and replica is where it is, and what that costs in joules (G9): as a sentence and
 * as JSON, from a plan that is only read. */
#ifndef HUDDLE_EXPLAIN_H
#define HUDDLE_EXPLAIN_H

#include <jansson.h>

#include "controller/placement/plan.h"
#include "proto/base/strbuf.h"

/* Each appends one sentence to `out`, without a line end. */
void explain_node(const struct plan *p, uint32_t node, struct strbuf *out);
void explain_model(const struct plan *p, uint32_t model, struct strbuf *out);

/* A present replica, by its index in the snapshot: stays, moves or is surplus. */
void explain_replica(const struct plan *p, uint32_t replica, struct strbuf *out);

/* {name, why, joules} of each; joules null where none are at stake. New references. A node's joules
 * are those at stake with its verdict; a replica's are its share of its node's watts over one step.
 */
json_t *explain_node_json(const struct plan *p, uint32_t node);
json_t *explain_model_json(const struct plan *p, uint32_t model);
json_t *explain_replica_json(const struct plan *p, uint32_t replica);

/* {summary, nodes, models, replicas} of the whole plan. New reference. */
json_t *explain_json(const struct plan *p);

#endif
