/* Changes of objects, from the loop thread to all who watch: a ring of the newest changes and the
 * streams of the watchers. Thread-safe.
 *
 * A watch starts behind a resourceVersion; one that has left the ring, or is from before a restart,
 * is 410 Gone, as in Kubernetes, and the client lists again. A watcher that does not read loses its
 * stream, never slows anybody down. */
#ifndef HUDDLE_API_WATCH_H
#define HUDDLE_API_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/controller.h"
#include "proto/base/cleanup.h"
#include "proto/base/httpd.h"
#include "proto/selector.h"

#define WATCH_RING 4096
#define WATCH_RING_BYTES (16u << 20) /* of their lines: a plan for 5,000 nodes is 15 MB */
#define WATCH_BOOKMARK_MS 60000

struct watch_hub;

/* `version`: that of the newest change there was; `most`: watchers at once. */
struct watch_hub *watch_hub_new(uint64_t version, size_t most);

/* Ends all streams and takes no more. Then the HTTP server is freed, then the hub. */
void watch_hub_close(struct watch_hub *h);
void watch_hub_free(struct watch_hub *h);
DEFINE_AUTO(watch_hub, struct watch_hub *, watch_hub_free);

/* From FX_CHANGE. */
void watch_hub_publish(struct watch_hub *h, enum change_type type, const char *kind,
                       const char *name, uint64_t version, json_t *object);

struct watch_request {
    const char *kind;        /* plural */
    const char *object_kind; /* "Node", for bookmarks */
    const char *name;        /* NULL: all */
    uint64_t since;
    int64_t until_ms; /* boot time */
    bool bookmarks;
    const json_t *known;       /* what the client has, or is to be told first: an array, or NULL */
    bool tell_known;           /* as ADDED */
    struct selector *selector; /* the hub's when the stream was begun; NULL: everything */
};

/* Streams `{"type":"ADDED|MODIFIED|DELETED","object":{...}}` lines of changes above `since`, until
 * the client goes away or `until_ms`. What ceases to match the selector is DELETED, what begins to
 * is ADDED. Returns 0; or the status of a refusal, with the call still to be answered: 410 when
 * `since` is too old, 429 when there are too many watchers, 503 at the end. */
int watch_hub_stream(struct watch_hub *h, const struct watch_request *rq, struct httpd_call *call);

/* Ends streams whose time is over and sends bookmarks; once a second. */
void watch_hub_tick(struct watch_hub *h, int64_t boot_ms);

size_t watch_hub_count(struct watch_hub *h);

#endif
