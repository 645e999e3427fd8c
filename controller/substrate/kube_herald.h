/* What people should know of a cluster of Kubernetes, as Events about its objects: the core's
 * events that are published (FX_EVENT) of nodes, pods, ServedModels, PowerPools and PowerPolicies,
 * through kube_event.h. Best effort; a server that refuses them is noted once. */
#ifndef HUDDLE_SUBSTRATE_KUBE_HERALD_H
#define HUDDLE_SUBSTRATE_KUBE_HERALD_H

#include "controller/controller.h"
#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_event.h"
#include "proto/base/cleanup.h"

struct kube_herald;

int kube_herald_new(struct kube_client *c, struct kube_herald **ret_herald, struct err *e);
void kube_herald_free(struct kube_herald *h); /* before the client; accepts NULL */
DEFINE_AUTO(kube_herald, struct kube_herald *, kube_herald_free);

/* The Event that an effect becomes; false: it regards nothing that Kubernetes has. `uid` is that of
 * a declared object, "": not known. *ret borrows from the effect and from `scratch`. Pure. */
bool kube_herald_event(const struct effect *e, const char *uid, char scratch[512],
                       struct kube_event *ret);
void kube_herald_tell(struct kube_herald *h, const struct effect *e, const char *uid);
/* Another one, which the core does not know of. */
void kube_herald_say(struct kube_herald *h, const struct kube_event *event);
/* Once a second: what is wrong with the Events, when that is new; else NULL. Static text. */
const char *kube_herald_problem(struct kube_herald *h);

#endif
