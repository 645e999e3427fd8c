/* The front door of the standalone substrate: one HAProxy (Debian's 2.6 or 3.0) before all models,
 * driven over its Runtime API, never reloaded for a server or a model, never killed.
 *
 * Wants in (FX_DOOR), facts out (CE_DOOR, every second). Everything between is level-triggered:
 * each second HAProxy's own state is read, compared with what is wanted, and the difference is
 * carried out. So nothing depends on history: an HAProxy that was restarted by anybody, or a
 * controller that was, ends in the same state.
 *
 * Models appear and vanish at run time, but HAProxy cannot add a backend at run time. So the
 * configuration holds SLOTS, backends that belong to nobody; a map file (model -> slot), changed
 * over the Runtime API, gives them away. The other way, a graceful reload per new model, was not
 * taken: the old process goes on with its long answers where no Runtime API sees them (a replica
 * would be stopped with requests in flight), servers added at run time must be added again while
 * requests come in, and counters start over. A slot costs a few kilobytes.
 *
 * `run`: HAProxy is started as a daemon of its own session; it outlives the controller, and the
 * next one adopts it by its socket. It is started again when it is gone. Another configuration (an
 * upgrade, another `listen`) takes over its listening sockets, and the old process ends when its
 * last request does. Not `run`: somebody else's HAProxy with the text of front_door_config(),
 * reached at `socket`. Neither: only `endpoints_file` is written; no facts are told.
 *
 * Routing, first match: header X-Huddle-Model; Host header (without port) = MODEL; path /MODEL/...
 * (the prefix is taken off); Host MODEL.anything. A request waits while no server is ready, at most
 * `queue_ms`, then 503 with Retry-After. What could not be connected is sent to another server;
 * what was sent is never sent twice.
 *
 * Files in `dir`: haproxy.cfg and wait.lua (written anew at each start), models.map and probes.map
 * (the state: which model has which slot), haproxy.sock, haproxy.pid. */
#ifndef HUDDLE_FRONT_DOOR_H
#define HUDDLE_FRONT_DOOR_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/controller.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/loop.h"
#include "proto/base/strbuf.h"

struct front_door;

struct front_door_options { /* borrowed for the call; zero is the default of each field */
    bool run;
    const char *listen;         /* address:port of clients; "127.0.0.1:8080" */
    const char *program;        /* "haproxy": looked for in PATH, /usr/sbin, /usr/local/sbin */
    const char *socket;         /* not `run`: of the HAProxy that is there; NULL or "": none */
    const char *dir;            /* made when missing, 0700; required unless only endpoints */
    const char *endpoints_file; /* NULL or "": none */
    uint32_t slots;             /* models of each kind of health check; 64 */
    int64_t queue_ms;           /* longest wait for a server; 60 s */
    int64_t answer_ms;          /* longest silence of a server within an answer; 10 min */
    uint64_t seed;              /* of the first epoch: random per start */
};

/* Facts: borrowed for the callback, which comes from the loop, every second, and four times as
 * often for some seconds after something was wanted. */
typedef void front_door_facts_fn(void *data, const struct door_facts *facts);

/* Something people should know, once per change, for the log. */
typedef void front_door_note_fn(void *data, bool warning, const char *text);

/* Prepares `dir`, and adopts or starts HAProxy from the loop. Fails only for what never mends by
 * itself: a bad option, an unusable `dir`, no such program. */
int front_door_new(struct loop *l, const struct front_door_options *o, front_door_facts_fn *facts,
                   front_door_note_fn *note, void *data, struct front_door **ret_door,
                   struct err *e);

/* HAProxy runs on. Accepts NULL. */
void front_door_free(struct front_door *d);
DEFINE_AUTO(front_door, struct front_door *, front_door_free);

/* Takes an FX_DOOR (copied). What cannot be said to HAProxy safely (names, addresses) is refused
 * with a note, and shows as DOOR_ABSENT. Until front_door_settle(), models that were never named
 * here keep what they have. */
void front_door_want(struct front_door *d, const struct effect *effect);

/* The first batch of effects was carried out: every model that exists has been named. */
void front_door_settle(struct front_door *d);

/* It has answered, and not failed since (/readyz). */
bool front_door_reached(const struct front_door *d);

/* The HAProxy configuration for these options, for `huddle-controller front-door-config` and for
 * `run`. It needs the files of `dir`, which front_door_new() makes. */
int front_door_config(const struct front_door_options *o, struct strbuf *out, struct err *e);

#endif
