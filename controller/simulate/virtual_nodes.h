/* The nodes of the virtual cluster under the controller's own life cycle (reconcile/
 * node_lifecycle.h): each has a durable record and an agent that agrees with what it is asked, the
 * driver's readings are those of the rack. So nodes settle, cool down, keep to budgets, windows and
 * power cycles of the day, and are quarantined when they do not come up, by the code that does so
 * in production. As there, one that did not come up in time sleeps again only where the pool
 * says wakeProven, and after a day (SAFETY, T11). What cannot happen here (lost reports, people, a
 * restarted controller) has no edge. */
#ifndef HUDDLE_SIMULATE_VIRTUAL_NODES_H
#define HUDDLE_SIMULATE_VIRTUAL_NODES_H

#include "controller/placement/plan.h"
#include "controller/reconcile/limits.h"
#include "controller/simulate/rack.h"
#include "controller/state/node_record.h"

struct virtual_nodes;

/* `policy` and `pool` are borrowed. */
struct virtual_nodes *virtual_nodes_new(const struct rack_hardware *hw,
                                        const struct power_policy *policy,
                                        const struct power_pool *pool);
void virtual_nodes_free(struct virtual_nodes *v); /* accepts NULL */

/* What the newest plan wants of each node. `window_open`: may nodes sleep now? */
void virtual_nodes_plan(struct virtual_nodes *v, const struct plan *plan, bool window_open);

/* Takes every edge that is due, and does what follows to the rack. `wall_ms`: of this step. */
void virtual_nodes_step(struct virtual_nodes *v, struct rack *r, int64_t wall_ms);

/* What a snapshot says of a node: state, sleepable, wakeable, cycles. */
void virtual_nodes_see(const struct virtual_nodes *v, const struct rack *r, uint32_t node,
                       int64_t wall_ms, struct snap_node *s);

/* Its counts, and the window that the newest plan saw; of moves it knows nothing. Borrowed. */
const struct limits *virtual_nodes_limits(const struct virtual_nodes *v);

/* May replicas be started there? */
bool virtual_nodes_takes(const struct virtual_nodes *v, uint32_t node);

#endif
