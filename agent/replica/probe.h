/* One look at whether a replica is ready: HTTP (an answer of 2xx or 3xx), TCP (accepts a
 * connection) or a command (exit code 0). Asynchronous on a loop, one answer per probe. */
#ifndef HUDDLE_REPLICA_PROBE_H
#define HUDDLE_REPLICA_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/replica/launch.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/http.h"
#include "proto/base/loop.h"
#include "proto/wire.h"

struct probe;

/* `why` is for people: "HTTP 503", "connection refused", "exit code 1: not loaded", "no answer
 * within 1000 ms". "" when ready. Borrowed for the call. */
typedef void probe_done_fn(void *data, bool ready, const char *why);

struct probe_target {            /* borrowed for the call */
    const char *address;         /* of this node: "10.0.0.7", "fd00::7", "localhost" */
    uint32_t port;               /* of the replica; the probe's own port has precedence */
    const struct launch *launch; /* PROBE_EXEC: runtimes_resolve_probe() */
};

/* Starts one look. `fn` is called once, from the loop, within timeout_ms (1 s when 0), never from
 * inside. PROBE_NONE is ready at once. What cannot be started is an answer, too: not ready. */
struct probe *probe_start(struct loop *l, struct http_client *c, const struct wire_probe *spec,
                          const struct probe_target *target, probe_done_fn *fn, void *data);

/* Ends it without its callback; a running command is killed. Not after the callback. NULL: no-op.
 */
void probe_cancel(struct probe *p);

#endif
