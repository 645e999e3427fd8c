/* The API's calls on their way to the loop and back: the `api_backend` (api/backend.h) of this
 * daemon. Server threads put a call in a queue; the loop takes it, asks the core, and answers when
 * what was changed or seen is durable: nobody is shown what a crash could undo. Reports go to the
 * boxes of ingest.h instead. */
#ifndef HUDDLE_CALLS_H
#define HUDDLE_CALLS_H

#include "controller/api/backend.h"
#include "controller/controller.h"
#include "controller/ingest.h"
#include "proto/base/cleanup.h"
#include "proto/base/loop.h"

struct calls;

struct calls_options {
    struct controller *core;
    struct ingest *ingest;
    /* On the loop's thread: runs the event through the core; its ticket is filled in. */
    void (*step)(void *data, struct controller_event *event);
    /* On the loop's thread: calls_answer() with these, in its turn behind all effects so far; also
     * when the store does not work. Takes the object. */
    void (*answer)(void *data, uint64_t ticket, int status, json_t *object, const char *message);
    /* On the loop's thread: may this object be put, dry run or not? -errno with the reason, which
     * is answered 422. NULL: any. */
    int (*admit)(void *data, const struct manifest *object, struct err *e);
    /* On the loop's thread: finds out who asks; calls_answer() with this ticket, now or later.
     * NULL: nobody but huddle knows tokens. */
    void (*review)(void *data, uint64_t ticket, const struct api_question *question);
    /* On any thread: see api/backend.h. */
    bool (*ready)(void *data, struct err *e);
    void (*stats)(void *data, struct api_stats *ret_stats);
    void *data;
};

struct calls *calls_new(struct loop *l, const struct calls_options *options);

/* Answers everything that waits, and whatever still comes, with 503; then the server can end. */
void calls_close(struct calls *c);
void calls_free(struct calls *c); /* after the server and the loop were freed; accepts NULL */
DEFINE_AUTO(calls, struct calls *, calls_free);

struct api_backend calls_backend(struct calls *c);

/* From FX_ANSWER, or a review: the call of this ticket is decided. */
void calls_answer(struct calls *c, uint64_t ticket, int status, json_t *object,
                  const char *message);

#endif
