/* A move of a pod in status.moves of its ServedModel, so that whoever leads next finds it: written
 * against the object as it was read (resourceVersion), and read anew where somebody was quicker.
 * Moves of other pods that stand there stay. */
#ifndef HUDDLE_SUBSTRATE_KUBE_MOVE_NOTE_H
#define HUDDLE_SUBSTRATE_KUBE_MOVE_NOTE_H

#include <jansson.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_discovery.h"
#include "controller/kubernetes/recipe.h"

struct kube_move_note {          /* borrowed */
    const char *model;           /* NAME.NAMESPACE, as the core names it */
    const char *namespace, *pod; /* of the one that is to go; its uid, and where to */
    const char *uid, *node;
    enum recipe_way way;
    int64_t base;            /* replicas before, where the move writes them; else 0 */
    int64_t base_generation; /* the workload's, with them */
    int64_t deadline_wall_ms;
    uint64_t epoch; /* of who begins it */
};

/* The body of a merge patch of the status of `seen`, a ServedModel, in which the move stands or
 * does not; NULL: it is so. A new reference. Pure. */
json_t *kube_move_note_patch(const json_t *seen, const struct kube_move_note *n, bool stands);

/* Blocks. -ENOENT: there is no such model; other -errno, with the server's words: it could not be
 * written. `not_after_ms` as of kube_request. */
int kube_move_note_write(struct kube_client *c, const struct kube_capabilities *can,
                         const struct kube_move_note *n, bool stands, int64_t not_after_ms,
                         struct err *e);

#endif
