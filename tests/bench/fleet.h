/* Many nodes, as their reports: what bench-ingest sends. Every report of a node says one joule more
 * than the one before. */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/strbuf.h"

#define FLEET_REPLICAS 4       /* on each node, of one model */
#define FLEET_MODEL_NODES 1024 /* nodes of one model: a model has 4,096 replicas at most */

struct fleet {
    size_t n_nodes;
    uint64_t *sequence; /* of each node's newest report */
};

void fleet_init(struct fleet *f, size_t nodes);
void fleet_done(struct fleet *f);

/* "n00042"; "m007" */
#define FLEET_NAME_MAX 24
void fleet_name(size_t node, char name[FLEET_NAME_MAX]);
void fleet_model(size_t node, char name[FLEET_NAME_MAX]);

/* The node's next report, encoded; its first one has an inventory. */
void fleet_report(struct fleet *f, size_t node, struct strbuf *out);

#endif
