/* What the store has on the disk: journal.db and history.db with their tables, how rows are put
 * into them, and how both are kept within their bytes. Not thread-safe. Private to store*.c. */
#ifndef HUDDLE_STORE_DISK_H
#define HUDDLE_STORE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/state/store.h"
#include "controller/state/store_file.h"
#include "proto/base/err.h"

typedef void store_warn_fn(void *data, const char *text);

struct store_disk {
    struct store_options options; /* every default filled in */
    store_warn_fn *warn;
    void *warn_data;
    int folder_fd;
    struct store_file journal, history; /* history.db NULL: there is none in this run */
    int64_t journal_bytes, was_bytes;   /* of the table journal: now, and before the transaction */
    int64_t stamp;                      /* of rows of history: one for each transaction */
    struct sqlite3_stmt *reading;
    int reading_table;
};

/* As store_open(). store_disk_done() is needed after failure too. */
int store_disk_init(struct store_disk *d, const char *folder, const struct store_options *options,
                    store_warn_fn *warn, void *warn_data, struct err *e);
void store_disk_done(struct store_disk *d, bool sync); /* sync false: after an I/O error */

int store_disk_rows(struct store_disk *d, struct controller_row *ret_row); /* as store_rows() */

/* One transaction on journal.db: begin, put (rows of history are passed over), commit. After any
 * error: store_disk_rollback(). */
int store_disk_begin(struct store_disk *d, struct err *e);
int store_disk_put(struct store_disk *d, const struct controller_row *row, struct err *e);
int store_disk_commit(struct store_disk *d, struct err *e);
void store_disk_rollback(struct store_disk *d);

/* The disk is full: makes room by giving up the ballast. False: there was none left. */
bool store_disk_make_room(struct store_disk *d);

/* Moves a grown log into journal.db. */
int store_disk_tidy(struct store_disk *d, struct err *e);

/* One transaction on history.db. It cannot fail: history that cannot be kept is warned of. */
void store_disk_history(struct store_disk *d, const struct controller_row *rows, size_t n);

#endif
