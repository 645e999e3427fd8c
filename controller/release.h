/* The order in which effects are carried out: rows first, and only what is durable is done.
 *
 * Batches are handed over in the order in which the core made them. A batch is carried out after
 * its rows are durable and after all batches before it. When they could not be stored, only its
 * `wake_safe` effects are carried out, the others are dropped; its rows are kept (the newest of
 * each key) and stored by release_retry(), so that the store catches up with the memory once it
 * works again. Until then every batch is treated like the failed one.
 *
 * One thread. No callback is made from inside release_batch() but carry_out and drop. */
#ifndef HUDDLE_RELEASE_H
#define HUDDLE_RELEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/controller.h"
#include "controller/state/store.h"
#include "proto/base/cleanup.h"

struct release;

struct release_options {
    /* store_commit() of store.h, or a test's. */
    void (*commit)(void *store, const struct controller_row *rows, size_t n, store_done_fn *done,
                   void *data);
    void *store;
    void (*carry_out)(void *data, struct effect *e);  /* never FX_STORE; may take what e holds */
    void (*drop)(void *data, const struct effect *e); /* it will not be done: tell who waits */
    /* A batch could not be stored, and none before it since the store worked. status: store.h */
    void (*failed)(void *data, int status, const char *why);
    /* All rows are stored again. What was dropped is not carried out by itself. */
    void (*works)(void *data);
    void *data;
    size_t kept_max; /* rows kept while the store fails; 100,000 */
};

struct release *release_new(const struct release_options *options);
void release_free(struct release *r); /* after the store was closed; accepts NULL */
DEFINE_AUTO(release, struct release *, release_free);

/* Takes the effects out of `fx`, which is empty afterwards. */
void release_batch(struct release *r, struct effects *fx);

/* Tries again to store what failed, if anything did: about once a second. */
void release_retry(struct release *r);

bool release_failed(const struct release *r); /* the store does not work at present */
bool release_idle(const struct release *r);   /* nothing waits to become durable */

/* More rows are kept than `kept_max`: end, and read the store again. */
bool release_overflowed(const struct release *r);

#endif
