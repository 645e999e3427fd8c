/* The endpoints of all models as JSON, for balancers other than ours:
 *
 *     {"models": {"chat": {"servers": [
 *         {"uid": "chat-00c0ffee", "address": "10.0.0.7:20001", "state": "ready", "weight":
 * 100}]}}}
 *
 * state: ready; drain (no new requests, those in flight go on); down (wanted, but its check fails
 * at our front door, if there is one). A server that is not named is gone. Pure. */
#ifndef HUDDLE_ENDPOINTS_FILE_H
#define HUDDLE_ENDPOINTS_FILE_H

#include "controller/substrate/door_wants.h"
#include "controller/substrate/haproxy_view.h"

/* Heap; models ascending by name, servers by uid. `v` may be NULL. */
char *endpoints_file_text(const struct door_wants *w, const struct haproxy_view *v);

#endif
