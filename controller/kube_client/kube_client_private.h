/* What the files of kube_client know of the client beside its public face. */
#ifndef HUDDLE_KUBE_CLIENT_PRIVATE_H
#define HUDDLE_KUBE_CLIENT_PRIVATE_H

#include "controller/kube_client/kube_client.h"

struct loop *kube_client_loop(struct kube_client *c);

/* Would a request that can be done without hold up none that cannot: nothing stands in the line,
 * and half of the limiter's tokens are there. */
bool kube_client_has_room(const struct kube_client *c);

#endif
