/* Nodes of Kubernetes as the core wants them (FX_KUBE_NODE), written: NodePower first, then taints
 * and label (kube_stage.h); and the look whether a closed node may be switched off. On the loop,
 * over kube_client.h, one request for a node at a time. Level-triggered: what was wanted is written
 * until it is seen, and put right when somebody changes it.
 *
 * Nothing is written but while this controller leads, in the term in which it was wanted. The
 * epoch of a new term alone is written to a NodePower before a node is closed, or looked at to be
 * switched off, and not otherwise.
 *
 * The look, every 2 s while it is wanted: the Node has taint and label and no volume in use; then,
 * from the API server itself, none from a watch or a cache (no resourceVersion): its NodePower says
 * asleep, in this act and term; no pod is there but daemons; its kubelet renews its Lease in
 * kube-node-lease (seen to change within 40 s, by our clock alone); and this controller still leads
 * for longer than it takes the agent to switch off. */
#ifndef HUDDLE_KUBE_NODES_H
#define HUDDLE_KUBE_NODES_H

#include <jansson.h>

#include "controller/controller.h"
#include "controller/kube_client/kube_client.h"
#include "proto/base/loop.h"

struct kube_nodes;

struct kube_nodes_options {
    void *data;
    /* May a write begin? The boot time by which it is to be sent, and end_write() follows; or 0. */
    int64_t (*begin_write)(void *data);
    void (*end_write)(void *data);
    int64_t (*left_ms)(void *data); /* of the term */
    uint64_t (*epoch)(void *data);
    void (*raise_epoch)(void *data, uint64_t seen);   /* one was read that is higher than ours */
    json_t *(*drivers)(void *data, const char *node); /* kube_cluster_drivers() */
    void (*checked)(void *data, const struct kube_check_facts *f);
    void (*note)(void *data, bool warning, const char *text);
};

struct kube_nodes *kube_nodes_new(struct loop *l, struct kube_client *c,
                                  const struct kube_nodes_options *options);
/* Before the client, whose calls in flight end without a word. Accepts NULL. */
void kube_nodes_free(struct kube_nodes *k);

/* As the watches see them; what is kept is a part of it. */
void kube_nodes_node(struct kube_nodes *k, const json_t *object);
void kube_nodes_node_gone(struct kube_nodes *k, const char *name);
void kube_nodes_power(struct kube_nodes *k, const json_t *object);
void kube_nodes_power_gone(struct kube_nodes *k, const char *name);

void kube_nodes_want(struct kube_nodes *k, const struct effect *e); /* an FX_KUBE_NODE */

#endif
