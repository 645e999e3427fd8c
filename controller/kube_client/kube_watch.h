/* One kind of object, followed: listed, then watched for ever. Callbacks tell what is there now.
 *
 * Listing is paged (limit=500), or streamed where the server can (sendInitialEvents, 1.34 on; a
 * server that ignores it is noticed by a deadline and remembered). Watches resume from the last
 * resourceVersion, bookmarks included; an expired one (HTTP 410, an ERROR event of code 410, or an
 * expired `continue`) lists again, and what has gone meanwhile is told by uid. A connection without
 * a byte for 150 s is opened again. Retries back off from .8 s to 30 s with jitter.
 * resourceVersions are compared for equality alone. Source: KEP-3157, KEP-956, client-go
 * tools/cache/reflector.go. */
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
    const char *path;  /* of the list: "/api/v1/pods", may carry "?fieldSelector=..."; copied */
    bool stream_lists; /* kube_capabilities.streaming_lists */
    void *data;
    /* Added, or changed: the object is borrowed for the call. An object of the same name with
     * another uid is told as gone first. */
    void (*changed)(void *data, const json_t *object);
    void (*gone)(void *data, const struct kube_key *key);
    /* Something that cannot be read is there: nothing may be decided on its node. Told with what is
     * known of the key (texts may be ""); ends with a later changed() or gone(), or with synced().
     * May be NULL. */
    void (*unknown)(void *data, const struct kube_key *key, const char *why);
    /* All that was there at the beginning has been told (also after listing again). */
    void (*synced)(void *data);
    /* The state of the connection changed: 0 well, else -errno with the reason. May be NULL. */
    void (*state)(void *data, int code, const struct kube_status *status);
};

int kube_watch_start(struct kube_client *c, const struct kube_watcher *w,
                     struct kube_watch **ret_watch, struct err *e);
void kube_watch_stop(struct kube_watch *w); /* accepts NULL; no callback after it */
bool kube_watch_synced(const struct kube_watch *w);

#endif
