/* Takes off pods what a move has left on them once it is over: the annotations of the pod that has
 * taken another's place, and the cost of deletion of one that stayed after all. By the leader
 * alone, one request at a time; a pod that may not be written is tried again after a while. */
#ifndef HUDDLE_SUBSTRATE_KUBE_MARKS_H
#define HUDDLE_SUBSTRATE_KUBE_MARKS_H

#include "controller/kube_client/kube_client.h"
#include "controller/substrate/kube_cluster.h"
#include "controller/substrate/kube_leader.h"
#include "controller/substrate/kube_mover.h"

struct kube_marks;

struct kube_marks_options { /* borrowed for the call; what it names lives longer */
    struct kube_client *client;
    struct kube_leader *leader;
    const struct kube_cluster *cluster;
    const struct kube_mover *mover;
    void *data;
    void (*note)(void *data, bool warning, const char *text);
};

struct kube_marks *kube_marks_new(const struct kube_marks_options *options);
void kube_marks_free(struct kube_marks *m); /* before client and leader; accepts NULL */

/* Once a second, while this controller leads. */
void kube_marks_look(struct kube_marks *m, int64_t now_ms);

#endif
