/* What the files of kube_client know of the client beside its public face. */
#ifndef HUDDLE_KUBE_CLIENT_PRIVATE_H
#define HUDDLE_KUBE_CLIENT_PRIVATE_H

#include "controller/kube_client/kube_client.h"

struct loop *kube_client_loop(struct kube_client *c);

#endif
