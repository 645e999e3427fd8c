/* Carries out a move (adopt.h) on a cluster, from a command line: looks at what is there, does what
 * is next, until it is done. It may be ended at any moment: asked for again, the move goes on. */
#ifndef HUDDLE_KUBERNETES_MOVE_RUN_H
#define HUDDLE_KUBERNETES_MOVE_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_discovery.h"
#include "proto/base/err.h"

#define MOVE_SETTLE_MS INT64_C(5000)
#define MOVE_DEADLINE_MS INT64_C(600000)

struct move_order {
    const char *namespace, *pod;
    const char *node; /* "" with `abort` */
    int64_t settle_ms, deadline_ms;
    bool acknowledge_drain;
    bool dry_run; /* tell what would be done, and everything that stands against it */
    bool abort;   /* take a move of this pod back */
};

enum move_end {
    MOVE_DONE,    /* or, of a dry run: would be done */
    MOVE_REFUSED, /* nothing was done */
    MOVE_ABORTED, /* all was taken back */
};

/* Gets a line for people whenever something happens. */
typedef void move_tell_fn(void *data, const char *line);

/* Blocks. One of enum move_end, with the reason and its way out in e unless done; or -errno: the
 * cluster could not be asked, and what was begun stands there. */
int move_run(struct kube_client *c, const struct kube_capabilities *can, const struct move_order *o,
             move_tell_fn *tell, void *data, struct err *e);

#endif
