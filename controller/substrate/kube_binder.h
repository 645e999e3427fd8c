/* The scheduler of pods that ask for huddle (`schedulerName: huddle`), on the nodes that the core
 * opens for it (FX_KUBE_NODE): once a second each pod that waits is dealt a node
 * (kube_cluster_bind()) and bound to it (POST pods/binding, with its uid), or its condition
 * PodScheduled says why not: reason Unschedulable, for which a sleeping node is woken as for any
 * other, or HuddleUnsupported. On the loop, over kube_client.h; nothing is written but while this
 * controller leads. What the kubelet rejects is deleted, and that node gets no more for a minute.
 */
#ifndef HUDDLE_KUBE_BINDER_H
#define HUDDLE_KUBE_BINDER_H

#include "controller/controller.h"
#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_event.h"
#include "controller/substrate/kube_cluster.h"

struct kube_binder;

struct kube_binder_options {
    void *data;
    /* Until when a write may be sent; 0: none may begin. Else end_write() follows. */
    int64_t (*begin_write)(void *data);
    void (*end_write)(void *data);
    uint64_t (*epoch)(void *data);
    void (*say)(void *data, const struct kube_event *event);
    void (*note)(void *data, bool warning, const char *text);
};

struct kube_binder *kube_binder_new(struct kube_client *c,
                                    const struct kube_binder_options *options);
/* Before the client, whose calls in flight end without a word. Accepts NULL. */
void kube_binder_free(struct kube_binder *b);

void kube_binder_want(struct kube_binder *b, const struct effect *e); /* an FX_KUBE_NODE */

/* Once a second, while this controller leads and the core was told all. */
void kube_binder_look(struct kube_binder *b, struct kube_cluster *k, int64_t now_ms);

#endif
