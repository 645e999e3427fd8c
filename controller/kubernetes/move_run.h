/* Carries out a move (adopt.h) on a cluster, on a thread that may wait: looks at what is there,
 * does what is next, until it is done. It may be ended at any moment: asked for again, the move
 * goes on. */
#ifndef HUDDLE_KUBERNETES_MOVE_RUN_H
#define HUDDLE_KUBERNETES_MOVE_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_discovery.h"
#include "controller/kubernetes/recipe.h"
#include "proto/base/err.h"

#define MOVE_SETTLE_MS INT64_C(5000)
#define MOVE_DEADLINE_MS INT64_C(600000)

/* What is written down of a move before its first write. */
struct move_plan {
    enum recipe_way way;
    int64_t base;            /* replicas before, where they are written; else 0 */
    int64_t base_generation; /* the workload's, with them */
};

/* What a controller that moves pods by itself adds; called on the thread of move_run(). */
struct move_guard {
    void *data;
    /* Before each look: 0, and whether the move is still wanted: else it is taken back, unless it
     * is handed over. Or -errno with the reason: the run ends there, and what was begun stands. */
    int (*look)(void *data, bool *ret_wanted, struct err *e);
    /* Around each write to the cluster: 0 and the boot time by which it is to be sent; or -errno as
     * above, and then end_write() is not called. */
    int (*begin_write)(void *data, const struct move_plan *plan, int64_t *ret_not_after_ms,
                       struct err *e);
    void (*end_write)(void *data);
    /* Why it was refused or taken back: a word, and a sentence with the way out. */
    void (*ended)(void *data, const char *reason, const char *why);
};

struct move_order {
    const char *namespace, *pod;
    const char *uid;  /* of that pod and no other of its name; NULL: whatever there is */
    const char *node; /* "" with `abort` */
    /* Replicas before, and the workload's generation with them, as a model's status has it of this
     * move; 0: not. */
    int64_t base, base_generation;
    const char *workload_kind, *workload; /* of the pod, for when neither it nor its follower is
                                             there; NULL: not known */
    int64_t settle_ms, deadline_ms;
    int64_t patience_ms; /* as of adopt_move */
    bool acknowledge_drain;
    bool unrecorded; /* with a guard: nothing but annotations of pods tells of the move */
    bool dry_run;    /* tell what would be done, and everything that stands against it */
    bool abort;      /* take a move of this pod back */
    const char *by;  /* as of adopt_move */
    int64_t poll_ms; /* between two looks; 0: the default */
    const struct move_guard *guard; /* NULL: a person waits for it */
};

enum move_end {
    MOVE_DONE,    /* or, of a dry run: would be done */
    MOVE_REFUSED, /* nothing was done */
    MOVE_ABORTED, /* all was taken back */
};

/* Gets a line for people whenever something happens. */
typedef void move_tell_fn(void *data, const char *line);

/* By adoption where that can be. Where the cluster, its rules or rights do not allow that, and
 * nobody else writes `replicas`, and for StatefulSets: by one more replica that stands in
 * (stand_in.h).
 *
 * Blocks, on the loop of the client: where that is stopped, the request or the pause of that moment
 * ends, and the guard is asked. One of enum move_end, with the reason and its way out in e unless
 * done; or -errno: the cluster could not be asked, and what was begun stands there. */
int move_run(struct kube_client *c, const struct kube_capabilities *can, const struct move_order *o,
             move_tell_fn *tell, void *data, struct err *e);

#endif
