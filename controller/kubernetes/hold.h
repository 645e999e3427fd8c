/* What holds a pod to its node, so that its node cannot sleep: whether huddle may move a pod at
 * all. Of one pod alone; budgets and room are asked elsewhere. Pure. */
#ifndef HUDDLE_KUBERNETES_HOLD_H
#define HUDDLE_KUBERNETES_HOLD_H

#include "controller/kubernetes/survey.h"

enum hold {
    HOLD_NONE,   /* it can be moved, or is gone with its node (a daemon), or has ended */
    HOLD_NOBODY, /* no controller would make it again */
    HOLD_JOB,
    HOLD_OWNER, /* recipe.h has no way to move it */
    HOLD_NOT_SAFE_TO_EVICT,
    HOLD_DO_NOT_DISRUPT,
    HOLD_HOST_PATH,
    HOLD_PINNED_VOLUME,   /* a volume that only its node reaches */
    HOLD_ONE_NODE_VOLUME, /* ReadWriteOnce: two nodes cannot have it at once */
    HOLD_CLAIM_TEMPLATES, /* a StatefulSet with volumes of its own, which outlive their pods */
    HOLD_NAMED_CLAIM,     /* a resource claim that may be shared, allocated on this node */
    HOLD_DAEMON_VOLUME,   /* a DaemonSet's pod with a claim: no mere daemon */
    HOLD_COUNT
};

enum hold hold_of(const struct survey *s, const struct view_pod *p);
const char *hold_code(enum hold h);  /* "BarePod" */
const char *hold_words(enum hold h); /* "nothing would make it again" */
/* The same of this pod, whose owner is named where it is HOLD_OWNER. */
const char *hold_words_of(const struct survey *s, const struct view_pod *p, enum hold h);
const char *hold_way_out(enum hold h); /* for people */

#endif
