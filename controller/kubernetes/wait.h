/* What a pod that has no node waits for: room, which a node that wakes brings, or something that no
 * node brings. Pure.
 *
 * Volumes and claims are looked up; what only the scheduler knows is taken from its message
 * (source: kubernetes/pkg/scheduler/framework/plugins, volumebinding and dynamicresources: what
 * their PreFilter finds it says without having asked a node). */
#ifndef HUDDLE_KUBERNETES_WAIT_H
#define HUDDLE_KUBERNETES_WAIT_H

#include "controller/kubernetes/survey.h"

enum wait {
    WAIT_NOT,            /* it has a node, or one is being made free for it, or it ends */
    WAIT_UNTRIED,        /* no scheduler has said yet that it finds none */
    WAIT_ROOM,           /* a node */
    WAIT_GATE,           /* a scheduling gate */
    WAIT_CLAIM_MISSING,  /* a PersistentVolumeClaim, or its volume, that is not there */
    WAIT_CLAIM_UNBOUND,  /* ... that has to be bound before a node is looked for */
    WAIT_RESOURCE_CLAIM, /* a ResourceClaim that is not there, or has no devices yet */
    WAIT_COUNT
};

enum wait wait_of(const struct survey *s, const struct view_pod *p);

/* One CamelCase word; after "the pod waits for"; and what to do, a sentence's part. */
const char *wait_code(enum wait w);
const char *wait_words(enum wait w);
const char *wait_way_out(enum wait w);

#endif
