/* Between the server's threads and the loop: reports on their way in, replies on their way out.
 *
 * A report is decoded on the thread that read it and waits in its node's box until the loop takes
 * it; the answer is made at once from the node's newest published reply, so no agent ever waits for
 * the loop, the planner or the disk. What the report itself causes is in the answer to the next one
 * (the core asks for it soon when it matters, by next_interval).
 *
 * Everything that grows in a report is cumulative, so a newer report replaces one that still waits:
 * a slow loop costs detail, never counts, and memory is bounded. Kept beside a newer one is only
 * what it does not contain: an inventory, the end of an epoch, a stage of power. When even those
 * fill the box the agent is told to come again (503): nothing is lost either way. While a crowd of
 * reports waits for long, agents are told to report less often, but never so rarely that they would
 * be taken for silent.
 *
 * Where another controller leads, reports are his (421): what agents measure is of use to one, and
 * their consent too.
 *
 * A token that belongs to a node reports for that node alone: anything else is refused and kept for
 * the loop to tell people of. */
#ifndef HUDDLE_INGEST_H
#define HUDDLE_INGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/api/auth.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/strbuf.h"
#include "proto/wire.h"

#define INGEST_BOX 4 /* reports of one node that wait, at most */

struct ingest;

struct ingest_options {
    size_t nodes_max;              /* reports of more nodes are refused */
    int64_t interval_ms;           /* the agents' normal one, to stretch under load */
    int64_t (*clock_ms)(void);     /* boot time; NULL: clock_boot_ms() */
    bool (*elsewhere)(void *data); /* another controller leads; from any thread; NULL: none does */
    void (*ring)(void *data);      /* reports wait where none did; from any thread */
    void *data;
};

struct ingest_stats {
    uint64_t reports, refused; /* refused: bad, another's, too many nodes, or no room */
    uint64_t replaced;         /* by a newer one before the loop took it */
};

struct ingest *ingest_new(const struct ingest_options *options);
void ingest_free(struct ingest *in);
DEFINE_AUTO(ingest, struct ingest *, ingest_free);

/* Any thread: takes a report's bytes, sent by this bearer, and appends the encoded Reply. Returns
 * 200, or 400 (not a report), 403 (of another node than the bearer's, or too many nodes), 421
 * (another controller leads), 503 (come again), with the reason in e. */
int ingest_put(struct ingest *in, const struct bearer *by, const void *bytes, size_t n,
               struct strbuf *reply, struct err *e);

struct ingest_foreign {       /* reports in the name of a node that is not the bearer's */
    struct bearer by;         /* of the first */
    char node[AUTH_NODE_MAX]; /* that it named */
    uint64_t n;               /* how many there were, of whomever */
};

/* The loop: those since the last time that this was true. At most once a minute, so that who keeps
 * trying does not wash older events away. */
bool ingest_take_foreign(struct ingest *in, struct ingest_foreign *ret_foreign);

/* The loop: the report that waits longest, the time it waited already in its age; NULL: none, and
 * the next one rings. The caller frees it. */
struct wire_report *ingest_take(struct ingest *in);

/* Any thread: from now on. Nodes that are known stay. */
void ingest_set_nodes_max(struct ingest *in, size_t nodes_max);

/* The loop, from FX_REPLY: answers this node from now on. Takes the heap bytes. */
void ingest_publish(struct ingest *in, const char *node, char *bytes, size_t n);

/* The loop, from FX_FORGET: its place is free for another node. Reports that wait are taken first,
 * and keep it. */
void ingest_forget(struct ingest *in, const char *node);

void ingest_stats(struct ingest *in, struct ingest_stats *ret_stats);

#endif
