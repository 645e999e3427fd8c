/* What Kubernetes says of a node, put into the cluster's own node: see kube_facts.h. Where an agent
 * runs there too, its reports say what was drawn, Kubernetes what may be used. */
#ifndef HUDDLE_KUBE_NODE_H
#define HUDDLE_KUBE_NODE_H

#include "controller/state/cluster.h"
#include "controller/state/kube_facts.h"

/* True: something changed that people or plans would see. */
bool node_kube_take(struct cluster *c, struct node *n, const struct kube_node_facts *f,
                    int64_t now_ms);

/* After a report brought an inventory: what the cluster gives is what counts. */
void node_kube_restore(struct cluster *c, struct node *n);

#endif
