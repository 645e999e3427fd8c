/* One kind of object, followed: listed, then watched for ever. Callbacks tell what is there now.
 *
 * Listing is paged (limit=500), or streamed where the server can (sendInitialEvents, 1.34 on; a
 * server that cannot after all is noticed by its refusal or by a deadline, and remembered). Watches
 * resume from the last resourceVersion, bookmarks included; an expired one (HTTP 410, an ERROR
 * event of code 410, or an expired `continue`) lists again, and what has gone meanwhile is told by
 * uid. A connection without a byte for 150 s is opened again. After a connection broke, the server
 * is asked whether it knows the resourceVersion at all: one whose store was restored from a backup
 * answers such a watch with silence. Events that cannot follow from what is known have it listed
 * again, at most every 30 s. Retries back off from .8 s to 30 s with jitter. Listings ask for the
 * newest state (no resourceVersion). resourceVersions are compared for equality alone, and only
 * keys are kept. Source: KEP-3157, KEP-956, client-go tools/cache/reflector.go. */
#ifndef HUDDLE_KUBE_WATCH_H
#define HUDDLE_KUBE_WATCH_H

#include <jansson.h>
#include <stdbool.h>

#include "controller/kube_client/kube_client.h"

struct kube_watch;

struct kube_key {                       /* borrowed */
    const char *namespace, *name, *uid; /* namespace "" of cluster-wide objects */
};

struct kube_watcher {
    const char *path;   /* of the list: "/api/v1/pods", may carry "?fieldSelector=..."; copied */
    bool stream_lists;  /* kube_capabilities.streaming_lists */
    int64_t silence_ms; /* 0: 150 s */
    void *data;
    /* Added, or changed: the object is borrowed for the call. An object of the same name with
     * another uid is told as gone first. Told again without a change after listing again. */
    void (*changed)(void *data, const json_t *object);
    void (*gone)(void *data, const struct kube_key *key);
    /* Something that cannot be read is there: nothing may be decided on its node. Ends with a later
     * changed() or gone() of the key. With name "" nobody knows which: told behind synced(), ends
     * with the next one. May be NULL. */
    void (*unknown)(void *data, const struct kube_key *key, const char *why);
    /* All that was there at the beginning has been told (also after listing again). */
    void (*synced)(void *data);
    /* The state of the connection changed: 0 well, else -errno with the reason. May be NULL. */
    void (*state)(void *data, int code, const struct kube_status *status);
};

/* Callbacks come from the loop, never from inside the functions here; they may send requests and
 * stop the watch. Stop it before the client is freed. */
int kube_watch_start(struct kube_client *c, const struct kube_watcher *w,
                     struct kube_watch **ret_watch, struct err *e);
void kube_watch_stop(struct kube_watch *w); /* accepts NULL; no callback after it */

/* False before the first synced(), and while it is listed again. */
bool kube_watch_synced(const struct kube_watch *w);

#endif
