/* What a move does next, as data: one call of the API server, a wait, or its end. Pure. */
#ifndef HUDDLE_KUBERNETES_MOVE_ACT_H
#define HUDDLE_KUBERNETES_MOVE_ACT_H

#include "controller/kubernetes/view.h"
#include "proto/base/err.h"

enum move_verb {
    ACT_WAIT,
    ACT_CREATE,       /* POST body */
    ACT_MARK,         /* merge patch of the victim: cheapest to delete */
    ACT_HAND_OVER,    /* merge patch of the surge: the withheld label */
    ACT_DELETE_SURGE, /* DELETE with body (DeleteOptions) */
    ACT_UNMARK,       /* merge patch of a pod: as it was */
    ACT_NOTE,         /* merge patch of a pod: its part in the move */
    ACT_SCALE,        /* merge patch of `scale` of the workload, whose name it is */
    ACT_EVICT,        /* POST body, an Eviction; apiVersion is the sender's to add */
    ACT_FINISHED,     /* `name` has taken the victim's place */
    ACT_REFUSED,      /* nothing was done */
    ACT_ABORTED,      /* all was taken back; or another pod was removed in the victim's place */
};

struct move_act {
    enum move_verb verb;
    char *name;         /* of the pod that is acted on; "" where none is */
    json_t *body;       /* own reference, or NULL */
    bool grows;         /* SCALE: one more, as view_workload.one_more tells later */
    const char *reason; /* one CamelCase word: of WAIT, REFUSED, ABORTED; static */
    struct err why;     /* for people, with the way out */
};

/* They are told, or on an object: `body` is taken over. */
void move_act_set(struct move_act *a, enum move_verb verb, const struct view_meta *on,
                  json_t *body);
void move_act_say(struct move_act *a, enum move_verb verb, const char *reason,
                  const struct err *why);
void move_act_done(struct move_act *a);

/* A merge patch of one part of the metadata ("annotations"), which is refused if the object was
 * changed meanwhile. `values` is taken over. */
json_t *move_act_patch(const struct view_meta *m, const char *part, json_t *values);

/* A reason against beginning a move. */
typedef void move_reason_fn(void *data, const char *reason, const char *why);

#endif
