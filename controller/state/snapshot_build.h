/* Takes the present picture of the cluster. */
#ifndef HUDDLE_SNAPSHOT_BUILD_H
#define HUDDLE_SNAPSHOT_BUILD_H

#include "controller/state/cluster.h"

struct snapshot_moment {
    uint64_t version;
    int64_t now_ms, wall_ms;
    bool warming_up;
    bool observations; /* for the planner: with the demand it was not given yet */
    bool doubt;        /* every demand is unknown (the front door is away) */
};

struct snapshot *snapshot_build(struct cluster *c, const struct snapshot_moment *moment);

/* May the model run on the node: its selector and the node's runtimes (or its leave to run free
 * commands) allow it. */
bool node_eligible(const struct node *n, const struct served_model *spec);

/* Milliseconds from the wake to the first report that must be allowed for: own wakes when there
 * were at least three, else the slowest of the pool, never less than ten minutes unless declared.
 */
int64_t node_boot_p99_ms(const struct node *n);

/* Its learned curve, with what its pool declares of standby and boot. */
struct node_curve node_curve_in_pool(const struct node *n);

/* May the node be given new replicas now? */
bool node_schedulable(const struct cluster *c, const struct node *n, int64_t now_ms);

/* Start to ready of a replica: declared, or learned, or a minute. */
int64_t model_load_ms(const struct model *m);
/* May outdated replicas of the model be replaced now: no failure that is waited out, and no SLO
 * that broke after the change. */
bool model_renews(const struct model *m, int64_t wall_ms);

double model_capacity(const struct model *m); /* declared or learned; NAN: unknown */

/* Is the replica part of a picture (its model lives, its node is there)? */
bool replica_counts(const struct replica *r);

/* The interval after which reports of this node are due. */
int64_t node_interval_ms(const struct node *n);

/* Has huddle woken it (and does that proof hold), or does a person vouch for its pool? Not
 * if a test failed since. */
bool node_wake_proven(const struct node *n, int64_t wall_ms);

#endif
