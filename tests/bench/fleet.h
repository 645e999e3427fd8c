/* Many nodes, as their reports: what bench-ingest sends and bench-state keeps. Every report of a
 * node says one joule more than the one before. */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/strbuf.h"

#define FLEET_REPLICAS_MOST 16

struct fleet {
    size_t n_nodes;
    size_t n_replicas;  /* on each node, of one model */
    size_t model_nodes; /* neighbours that run the same model */
    uint64_t *sequence; /* of each node's newest report */
};

/* `replicas` on each node, at most FLEET_REPLICAS_MOST; one model for so many nodes. */
void fleet_init(struct fleet *f, size_t nodes, size_t replicas, size_t model_nodes);
void fleet_done(struct fleet *f);

/* "n00042"; "m007" */
#define FLEET_NAME_MAX 24
void fleet_name(size_t node, char name[FLEET_NAME_MAX]);
void fleet_model(const struct fleet *f, size_t node, char name[FLEET_NAME_MAX]);

/* The node's next report, encoded; its first one has an inventory. */
void fleet_report(struct fleet *f, size_t node, struct strbuf *out);

#endif
