/* Changes of objects, from the loop thread to all who watch: a ring of the newest changes and the
 * streams of the watchers. Thread-safe.
 *
 * A watch starts behind a resourceVersion; one that has left the ring is 410 Gone, as in
 * Kubernetes, and the client lists again. A watcher that does not read loses its stream, never
 * slows anybody down. */
#ifndef HUDDLE_API_WATCH_H
#define HUDDLE_API_WATCH_H

#include <jansson.h>
#include <stdint.h>

#include "controller/controller.h"
#include "proto/base/cleanup.h"
#include "proto/base/httpd.h"

#define WATCH_RING 4096

struct watch_hub;

struct watch_hub *watch_hub_new(void);
void watch_hub_free(struct watch_hub *h); /* ends all streams */
DEFINE_AUTO(watch_hub, struct watch_hub *, watch_hub_free);

/* From FX_CHANGE. */
void watch_hub_publish(struct watch_hub *h, enum change_type type, const char *kind,
                       const char *name, uint64_t version, json_t *object);

/* Streams `{"type":"ADDED|MODIFIED|DELETED","object":{...}}` lines of a kind (and a name, or NULL)
 * with a version above `since` to the client, until it goes away or `seconds` (0: no limit) have
 * passed. Returns 0, or 410 when `since` is older than the ring. */
int watch_hub_stream(struct watch_hub *h, const char *kind, const char *name, uint64_t since,
                     int64_t seconds, struct httpd_call *call);

/* Ends streams whose time is over; once a second. */
void watch_hub_tick(struct watch_hub *h, int64_t now_ms);

#endif
