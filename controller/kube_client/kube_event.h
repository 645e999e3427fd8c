/* Events of events.k8s.io/v1, for people who ask `kubectl describe`. Best effort and never state: a
 * server forgets them after an hour. kube_events_tell() only writes into memory; what stands there
 * goes out one at a time over kube_client.h, and only while requests that matter leave the rate
 * limiter at least half of its tokens. What waits for too long is dropped, and counted.
 *
 * The same event (all but its note) within 6 minutes is a repeat: its Event is patched with a
 * series of a count and the time of the last, its note stays that of the first. 4096 are
 * remembered. For each object 25 writes are free, and one more each 5 minutes; repeats that may not
 * be written are still counted. Of all objects together 50 are free, and two more each second: what
 * is told of a large cluster at once is told in part. Notes are cut to 1024 bytes. What regards no
 * namespace (a Node) goes into `default`, where servers want it. Source:
 * k8s.io/client-go/tools/events, KEP-383. */
#ifndef HUDDLE_KUBE_EVENT_H
#define HUDDLE_KUBE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/kube_client/kube_client.h"

struct kube_events;

struct kube_event {              /* borrowed; texts may be NULL only where said */
    bool warning;                /* else Normal */
    const char *reason, *action; /* "NodeAsleep", "Sleep": at most 128 bytes, not empty */
    const char *note;            /* for people */
    struct {
        const char *api_version, *kind, *name; /* "v1", "Node", "n3" */
        const char *namespace;                 /* "" or NULL: it is in none */
        const char *uid;                       /* "" or NULL: not known */
    } regarding;
};

struct kube_event_counts {
    uint64_t told, written;
    uint64_t dropped_busy;    /* waited too long: for the rate limiter, an answer, its turn */
    uint64_t dropped_spam;    /* too many about one object */
    uint64_t dropped_refused; /* by the server: rights, or the namespace is going */
    uint64_t dropped_gone;    /* what they regard is gone, or was pushed out by newer ones */
};

/* `controller` is a qualified name ("huddle.energy/controller"), `instance` the pod's or host's. */
int kube_events_new(struct kube_client *c, const char *controller, const char *instance,
                    struct kube_events **ret_events, struct err *e);
void kube_events_free(struct kube_events *v); /* before the client; what waits is lost */
DEFINE_AUTO(kube_events, struct kube_events *, kube_events_free);

/* Never blocks. -EINVAL: the event lacks something, or names what cannot be a name. */
int kube_events_tell(struct kube_events *v, const struct kube_event *event, struct err *e);
/* The object of this uid is gone: nothing about it is written any more. */
void kube_events_gone(struct kube_events *v, const char *uid);

struct kube_event_counts kube_events_counts(const struct kube_events *v);

#endif
