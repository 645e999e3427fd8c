/* Takes an agent's report into the cluster: differences of cumulative counters, and facts.
 *
 * Lost, repeated, late and reordered reports count nothing twice and lose nothing (DESIGN 5.1):
 *   - a report of the epoch in force with a higher sequence is counted against the newest one;
 *   - a new epoch starts at zero, so its first report counts in full; the one before is remembered,
 *     and a straggler of it with a higher sequence still gives its increments (but no facts);
 *   - a lower sequence, an epoch older than that, or a repeat with the same content counts nothing;
 *   - the same (epoch, sequence) with other content is a restored snapshot or a clone: neither is
 *     counted, and the agent is told to begin a new epoch.
 * A life that is over and speaks on belongs to a second agent (twin.h).
 * Joules that no machine could have drawn in the time are not counted either.
 * A node never seen before starts its totals now: what its agent counted earlier is not ours. */
#ifndef HUDDLE_NODE_REPORT_H
#define HUDDLE_NODE_REPORT_H

#include "controller/state/cluster.h"

enum report_verdict {
    REPORT_COUNTED,
    REPORT_REPEATED,
    REPORT_LATE,     /* counted if it could be; its facts are old */
    REPORT_CONFLICT, /* answer with new_epoch */
};

struct report_outcome {
    enum report_verdict verdict;
    bool rebooted; /* another boot than before */
    bool new_node;
    bool wild;              /* its joules cannot be, and were not counted: a gap */
    uint32_t adopted;       /* replicas taken over that the controller did not know */
    enum twin_finding twin; /* of a report of another life than the one in force */
};

struct node *node_report_take(struct cluster *c, const struct wire_report *report, int64_t now_ms,
                              int64_t wall_ms, struct report_outcome *ret_outcome);

#endif
