/* Rows of the store <-> nodes and replicas (JSON). Reading is forgiving: a row of an older or newer
 * version gives what it has; facts are not in rows. */
#ifndef HUDDLE_ROWS_H
#define HUDDLE_ROWS_H

#include <jansson.h>

#include "controller/state/cluster.h"

/* The life-cycle record alone, as it also stands in a NodePower on Kubernetes. */
json_t *node_record_to_row(const struct node_record *r);
void node_record_from_row(struct node_record *r, const json_t *row);

json_t *node_to_row(const struct node *n);
void node_from_row(struct node *n, const json_t *row);

json_t *replica_to_row(const struct replica *r);
/* Everything but model, node and revision, which the caller finds by replica_row_*(). */
void replica_from_row(struct replica *r, const json_t *row);

/* Counters: totals together with where the agent's counters stood, so that a restart counts nothing
 * twice. */
json_t *node_counters_to_row(const struct node *n);
void node_counters_from_row(struct cluster *c, struct node *n, const json_t *row);
json_t *model_counters_to_row(const struct model *m);
void model_counters_from_row(struct model *m, const json_t *row);

/* The series of the last four weeks. Those in the rows of counters are of the last three hours:
 * these are to be read first. */
json_t *node_history_to_row(const struct node *n);
void node_history_from_row(struct node *n, const json_t *row);
json_t *model_history_to_row(const struct model *m);
void model_history_from_row(struct model *m, const json_t *row);

/* Energy, awake nodes and requests of the whole cluster. */
json_t *cluster_history_to_row(const struct cluster *c);
void cluster_history_from_row(struct cluster *c, const json_t *row);

/* One chunk of a demand series: DEMAND_CHUNK steps from `first`. */
json_t *demand_to_row(const struct demand *d, int64_t first);
void demand_from_row(struct demand *d, const json_t *row);

#endif
