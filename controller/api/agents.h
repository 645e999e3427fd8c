/* The agents' own listener: TLS with certificates on both sides. A node comes in by the certificate
 * that it got when it joined, and may report and renew it, nothing else; people and their tokens
 * come in elsewhere, so that a flood there takes no connection here. Also who may join. */
#ifndef HUDDLE_API_AGENTS_H
#define HUDDLE_API_AGENTS_H

#include <stddef.h>

#include "controller/api/gate.h"
#include "controller/api/request.h"
#include "controller/api/server.h"
#include "proto/base/err.h"

/* Of options->pki, if there is one: reads the authority, and listens when there is an address, with
 * the certificate there: agents trust its authority, whatever people are shown. */
int agents_start(struct api_server *s, const struct api_options *options, struct err *e);

/* Is the action one of certificates, that a server without them does not have, or one that only
 * the other listener has? */
bool agents_lacks(const struct api_server *s, enum action action);

/* May this call join? 0, or the status in *ret_refusal. */
int agents_may_join(struct request *rq, struct gate_refusal *ret_refusal);

/* The join token that it shows, or NULL. */
const char *agents_join_token(const struct request *rq);

#endif
