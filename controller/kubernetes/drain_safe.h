/* Does a pod end without losing a request? Between its removal from the endpoints and the moment
 * when every proxy has heard of it, requests still come: a preStop hook has to bridge that; then
 * what is in flight has to be finished within the grace period. Pure. */
#ifndef HUDDLE_KUBERNETES_DRAIN_SAFE_H
#define HUDDLE_KUBERNETES_DRAIN_SAFE_H

#include "controller/kubernetes/view.h"
#include "proto/base/err.h"

/* Seconds that must be left of the grace period behind the preStop hook. */
#define DRAIN_LEAST_S 5

enum drain_safety {
    DRAIN_SAFE,
    DRAIN_NO_PRE_STOP,
    DRAIN_GRACE_TOO_SHORT,
    DRAIN_SHUTDOWN_TIMEOUT_ZERO, /* vLLM aborts what is in flight unless --shutdown-timeout says
                                    otherwise */
};

/* `spec` is the pod's (or its template's) spec. `why` gets the words, with the way out. */
enum drain_safety drain_safety_of(const struct view_pod *p, const json_t *spec, struct err *why);
const char *drain_safety_name(enum drain_safety d); /* "NoPreStop" */

#endif
