/* Joules of one node into every account at once: the node's own series, the cluster's history and
 * its counterfactual. The rules:
 *   - what a node's counters tell is counted by its reports, for the time that they cover;
 *   - a sleeper's standby, and what a node without any counter draws by its curve, is counted by
 *     the controller's ledger as time passes;
 *   - shutdown and boot, which no counter sees, are one charge when the node has come up (cycle_j);
 *   - the counterfactual of a node's time is added with what it used in it, never twice. */
#ifndef HUDDLE_NODE_ENERGY_H
#define HUDDLE_NODE_ENERGY_H

#include "controller/state/cluster.h"

struct node_joules { /* over [from_ms, to_ms] of wall time */
    int64_t from_ms, to_ms;
    double measured_j, estimated_j, assumed_j;
};

void node_energy_count(struct cluster *c, struct node *n, const struct node_joules *j);

/* The time [from_ms, to_ms] has passed: counts what no report tells. */
void node_energy_pass(struct cluster *c, struct node *n, int64_t from_ms, int64_t to_ms);

/* The life cycle: it was seen off; it is no longer off; it booted (`woken`: because huddle woke
 * it). */
void node_energy_off(struct cluster *c, struct node *n, int64_t wall_ms);
void node_energy_up(struct node *n, int64_t wall_ms);
void node_energy_booted(struct cluster *c, struct node *n, int64_t wall_ms, bool woken);

#endif
