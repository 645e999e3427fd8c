/* Evicts pods that are no replicas of models from nodes that drain, in pools that say so
 * (FX_KUBE_NODE with `evict`): one at a time, by the API's eviction, which asks the
 * PodDisruptionBudget, and never by a deletion. A ReplicaSet that gave one is left alone until the
 * next is ready, half a minute at least; one whose budget refused, for ten seconds. A budget is
 * charged before the preconditions of an eviction are looked at, so the pod is read once more just
 * before. On the loop, by the leader alone; from Kubernetes 1.22 on (policy/v1). */
#ifndef HUDDLE_SUBSTRATE_KUBE_EVICTOR_H
#define HUDDLE_SUBSTRATE_KUBE_EVICTOR_H

#include "controller/controller.h"
#include "controller/kube_client/kube_client.h"
#include "controller/substrate/kube_cluster.h"
#include "controller/substrate/kube_writer.h"

struct kube_evictor;

struct kube_evictor *kube_evictor_new(const struct kube_writer *options);
/* Before the client, whose call in flight ends without a word. Accepts NULL. */
void kube_evictor_free(struct kube_evictor *x);

void kube_evictor_want(struct kube_evictor *x, const struct effect *e); /* an FX_KUBE_NODE */

/* Once a second, while this controller leads and the core was told all. */
void kube_evictor_look(struct kube_evictor *x, const struct kube_cluster *k, int64_t now_ms);

bool kube_evictor_busy(const struct kube_evictor *x); /* a request of it has no answer yet */

#endif
