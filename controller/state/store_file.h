/* One SQLite file of the store: opening it with every check, writing rows, checkpoints. Private to
 * store*.c, which alone know SQLite. One connection, used by one thread at a time.
 *
 * Results of SQLite become -errno: -ENOSPC (full, nothing was written), -ENOMEM, -EBADMSG
 * (damaged), -EBUSY (in use), -EIO (anything after which it is unknown what the disk holds). */
#ifndef HUDDLE_STORE_FILE_H
#define HUDDLE_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/state/tables.h"
#include "proto/base/err.h"

#define STORE_TABLES 8 /* array size by enum store_table */

struct sqlite3;
struct sqlite3_stmt;

struct store_schema {
    int application_id;
    const char *const *steps; /* steps[v] leads from version v to v + 1 */
    int version;              /* number of steps */
    bool durable;             /* a commit returns when it is on the disk */
};

struct store_file {
    struct sqlite3 *db;
    char *path;
    struct sqlite3_stmt *put[STORE_TABLES], *drop[STORE_TABLES]; /* made when first used */
    int wal_frames, checkpoint_at;
};

const char *store_table_name(enum store_table table); /* NULL: there is no such table */

/* 0, an enum store_refusal (the file is untouched), or -errno. */
int store_file_open(struct store_file *f, const char *path, const struct store_schema *schema,
                    const char *vfs, struct err *e);

/* `sync`: moves the log into the file first; never after an I/O error. */
void store_file_close(struct store_file *f, bool sync);

/* The result of a call of SQLite as -errno, with its text and the file's name in e. */
int store_file_error(const struct store_file *f, int rc, const char *what, struct err *e);

int store_file_prepare(const struct store_file *f, const char *sql, struct sqlite3_stmt **ret_stmt,
                       struct err *e);
int store_file_exec(const struct store_file *f, const char *sql, struct err *e);
int store_file_sum(const struct store_file *f, const char *sql, int64_t *ret_sum,
                   struct err *e); /* of the first column of all rows */
void store_file_rollback(const struct store_file *f);

/* Writes or deletes one row, inside a transaction. `stamp` is stored with rows of history. */
int store_file_put(struct store_file *f, const struct controller_row *row, int64_t stamp,
                   struct err *e);

/* Moves the log into the file when it has grown. -ENOSPC is no error: it is tried again later. */
int store_file_checkpoint(struct store_file *f, struct err *e);

/* Renames the file and its log to PATH.corrupt-TIME[-wal]; never over another one. */
#define STORE_NAME_MAX 4096
int store_file_set_aside(const char *path, char ret_name[STORE_NAME_MAX], struct err *e);

#endif
