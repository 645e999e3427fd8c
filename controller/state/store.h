/* The store: what the controller must not forget, in one folder on a local disk.
 *
 *     journal.db   objects, nodes, replicas, meta, journal, events: durable before a batch is done
 *     history.db   learned series: losable, never a reason not to start or not to commit
 *
 * Both are SQLite, opened once, by one process. store_commit() hands a batch to the store's own
 * thread (an fsync may take seconds); all batches that wait are committed by one transaction. A
 * batch is there whole or not at all, whenever the machine dies; batches become durable in the
 * order in which they were handed over.
 *
 * Full disk: a ballast file is given up and the commit tried again; when that does not help either,
 * batches fail with -ENOSPC until there is room. An I/O error (a failed fsync above all) leaves
 * unknown what is on the disk: nothing is tried again, every further batch fails with -EIO, and the
 * process must end (exit 70) and read again. Everything here but the store's own thread belongs to
 * the thread of the loop. */
#ifndef HUDDLE_STORE_H
#define HUDDLE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/state/tables.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/loop.h"

struct store;

/* What store_open() refuses, with the way out in `e`. */
enum store_refusal {
    STORE_NEWER = 1,   /* written by a newer huddle; untouched. Exit 78 */
    STORE_CORRUPT = 2, /* journal.db is damaged; untouched. Exit 78 */
    STORE_IN_USE = 3,  /* another process has it open. Exit 1 */
    STORE_NETWORK = 4, /* on a network file system. Exit 78 */
};

struct store_options {      /* zero is the default of each field */
    bool set_corrupt_aside; /* a damaged journal.db becomes journal.db.corrupt-TIME, and an empty
                               one is begun: only when a person asked for that */
    uint64_t journal_bytes; /* kept of the journal, 64 MiB; the oldest entries go first */
    uint64_t history_bytes; /* size of history.db, 256 MiB; what was not written longest goes */
    uint64_t ballast_bytes; /* 32 MiB */
    const char *vfs;        /* SQLite's VFS by name, for tests; NULL: the system's */
    /* Something that people should know and that fails no batch, e.g. "history.db is damaged: set
     * aside as ...". During store_open() and later on the loop's thread. */
    void (*warn)(void *data, const char *text);
    void *warn_data;
};

/* Opens the store in `folder`, which is made (0700) when its parent exists. 0, an enum
 * store_refusal, or -errno. */
int store_open(const char *folder, const struct store_options *options, struct loop *l,
               struct store **ret_store, struct err *e);

/* Commits what was handed over, calls every `done` that is due, and closes. What is handed over by
 * those last `done` is not written: -ECANCELED. Accepts NULL. */
void store_close(struct store *s);
DEFINE_AUTO(store, struct store *, store_close);

/* A controller_rows_fn with the store as its data: every row, but of the journal and the events
 * only the newest STORE_NEWEST each. For the time before the first store_commit(). */
#define STORE_NEWEST 2000
int store_rows(void *store, struct controller_row *ret_row);

/* status 0: durable. -ENOSPC, -ENOMEM: nothing of the batch was written, a later one may succeed.
 * -EIO: see above. `why` is text for people, NULL when status is 0.
 *
 * When a batch fails, so do all that were handed over before its `done` was called: nothing becomes
 * durable on top of what the caller still believes to be stored. */
typedef void store_done_fn(void *data, int status, const char *why);

/* `rows`, their keys and values are borrowed until `done` is called: once, on the loop's thread,
 * never from inside this call, in the order of the calls. n may be 0: done in its turn. */
void store_commit(struct store *s, const struct controller_row *rows, size_t n, store_done_fn *done,
                  void *data);

struct store_figures { /* since store_open() */
    uint64_t batches, transactions, failures;
    uint64_t commit_us_most; /* longest transaction */
    size_t waiting;          /* batches not done yet */
};
void store_figures(struct store *s, struct store_figures *ret_figures);

#endif
