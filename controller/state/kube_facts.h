/* What a Kubernetes cluster is told to be, as the core takes it: plain data, without a type of the
 * API server. Made by substrate/kube_cluster.h, borrowed for the event. Texts are never NULL; ""
 * is: nothing. */
#ifndef HUDDLE_KUBE_FACTS_H
#define HUDDLE_KUBE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/field.h"

enum kube_stage { /* how far huddle has closed a node for pods: substrate/kube_stage.h */
                  KUBE_STAGE_NONE,
                  KUBE_STAGE_CANDIDATE, /* the scheduler would rather use another one */
                  KUBE_STAGE_DRAINING,  /* nothing more is scheduled there */
                  KUBE_STAGE_CLOSED,    /* nor stays there, but daemons */
                  KUBE_STAGE_KEPT,      /* wanted: what it is */
};

enum kube_bind { /* may pods that ask for huddle as their scheduler be bound to a node? */
                 KUBE_BIND_NEVER,
                 KUBE_BIND_CLOSED, /* not now: it sleeps, or is to be emptied */
                 KUBE_BIND_OPEN,
};

struct kube_node_facts {
    const char *name;
    bool gone;    /* the cluster has it no more: the rest means nothing */
    bool deleted; /* the cluster has it no more, but its machine is off, and its NodePower keeps it
                   */
    const char *uid, *address;
    const struct string_map *labels; /* sorted by key */
    bool ready;
    int64_t cpu_milli, memory_bytes;           /* allocatable */
    int64_t held_cpu_milli, held_memory_bytes; /* of that, requested by pods that are no replicas */
    uint32_t gpus;                             /* allocatable, less those of such pods */
    const char *gpu_model;
    uint64_t gpu_memory_bytes; /* of each; 0: not told */
    const char *closed;        /* why nothing may be placed on it */
    const char *stays;         /* why it cannot be emptied */
    const char *guest; /* why it cannot be emptied unless pods that are no replicas are evicted */
    enum kube_stage stage; /* as the cluster has it */
    bool told_asleep;      /* it has the condition of huddle, which goes last */
    const char *boot_id;   /* of the kubelet; "": not told (hollow nodes) */
    const char *beat;      /* when its readiness was written last, as text */
    uint32_t
        left; /* of one that drains: pods there, or about to be, that do not go with the node */
    const char *first_left; /* of these: NAMESPACE/NAME */
    const char *lacks;      /* what is not there (again) that a node at work has */
    bool lacks_daemon;      /* that is a daemon, or a driver of one; all else is there */
    const char *pending;    /* a pod that waits for a node and fits this one, which is closed */
};

struct kube_power_facts { /* a NodePower: the record of a node that a controller wrote */
    const char *node;
    bool gone;
    uint64_t epoch;     /* leaderEpoch of who wrote it */
    const char *record; /* status.record: JSON of state/rows.h; "": none */
};

struct kube_check_facts { /* may a closed node be switched off? Asked of the API server just now */
    const char *node, *op;
    const char *why; /* not; "": it may */
};

struct kube_pod_facts { /* of a replica of a declared model, on a node or pinned to it */
    const char *uid;
    bool gone;
    const char *name;         /* NAMESPACE/NAME */
    const char *model, *node; /* as the core names them */
    const char *address, *reason;
    const char *replaces; /* uid of the pod whose place it is to take, while it has not; "" */
    bool planned;         /* of such a one: a controller of huddle began it */
    bool ready, deleting;
    int64_t created_wall_ms; /* 0: not told */
};

enum kube_move_end {
    KUBE_MOVE_DONE,
    KUBE_MOVE_REFUSED, /* nothing was done */
    KUBE_MOVE_ABORTED, /* all was taken back */
    KUBE_MOVE_LEFT,    /* it could not be carried on: what was begun stands there */
};

/* An order that came to no end is given again by the core after so long: it may have been lost, or
 * the API server was not there. */
#define KUBE_MOVE_AGAIN_MS 30000

struct kube_moved { /* what came of an order to move a pod (FX_KUBE_MOVE) */
    const char *uid, *pod, *node;
    enum kube_move_end end;
    const char *reason, *why; /* one CamelCase word; a sentence, with the way out */
};

struct kube_model_facts { /* of a declared model's workload */
    const char *model;
    const char *problem;                        /* why there is none to look at */
    int64_t cpu_milli, memory_bytes, gpu_milli; /* that one of its pods requests */
    const char *held;          /* why none of its pods can be moved, with the way out */
    const char *drain, *loses; /* does one of its pods end without losing a request: one CamelCase
                                  word, "": not known; and why it does not */
    uint32_t wanted;           /* replicas, as the workload says */
    uint32_t pending;          /* pods without a node */
    const char *pending_why;   /* what the first of them waits for, if it is no node */
    const char *const *unfit;  /* nodes on which its pods may not stand; ascending */
    size_t n_unfit;
};

/* Of pods of one shape (what they ask, and whose they are) that wait, and for which no node is
 * woken. Told once for each reason, and again when there are ten times as many. */
struct kube_wait_facts {
    const char *pod, *uid; /* one of them: NAMESPACE/NAME */
    const char *why;       /* with the way out */
    size_t n;              /* of them, with this one */
};

struct kube_watch_facts {
    bool synced;         /* all that is there has been told once */
    const char *trouble; /* why what is known may be old */
    const char *missing; /* what cannot be declared there, with the way out */
};

#endif
