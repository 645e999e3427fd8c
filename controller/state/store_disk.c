/* journal.db and history.db: see store_disk.h. They are never attached to one connection: a commit
 * to two logs is not atomic, and the losable must not take the durable with it. */
#include "controller/state/store_disk.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/state/store_folder.h"
#include "proto/base/array.h"

#define MIB ((uint64_t)1 << 20)
#define BYTES_OF_ROW "length(CAST(key AS BLOB)) + length(CAST(value AS BLOB))"

static const char *const JOURNAL_STEPS[] = {
    "CREATE TABLE object  (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE node    (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE replica (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE meta    (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE journal (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE event   (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT",
};
static const struct store_schema JOURNAL = {
    .application_id = 0x6875646a, /* "hudj" */
    .steps = JOURNAL_STEPS,
    .version = ARRAY_LEN(JOURNAL_STEPS),
    .durable = true,
};

static const char *const HISTORY_STEPS[] = {
    "CREATE TABLE history (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL,"
    "                      written INTEGER NOT NULL) STRICT;"
    "CREATE INDEX history_written ON history (written)",
};
static const struct store_schema HISTORY = {
    .application_id = 0x68756468, /* "hudh" */
    .steps = HISTORY_STEPS,
    .version = ARRAY_LEN(HISTORY_STEPS),
    .durable = false,
};

static void warn(const struct store_disk *d, const char *what, const struct err *e)
{
    char text[ERR_TEXT_MAX + 64];

    (void)snprintf(text, sizeof(text), "%s%s", e->text, what);
    d->warn(d->warn_data, text);
}

/* --- opening ------------------------------------------------------------------------------------
 */

static int set_aside(struct store_disk *d, const char *path, struct err *e)
{
    struct err note = ERR_INIT;
    char aside[STORE_NAME_MAX];
    int r = store_file_set_aside(path, aside, e);

    if (r < 0)
        return r;
    err_set(&note, 0, "%s was damaged and is now %s", path, aside);
    warn(d, ": begun anew, empty", &note);
    return fsync(d->folder_fd) < 0 ? err_errno(e, -errno, "%s", path) : 0;
}

static int open_journal(struct store_disk *d, const char *folder, struct err *e)
{
    const char *vfs = d->options.vfs;
    char path[STORE_NAME_MAX];
    int r;

    (void)snprintf(path, sizeof(path), "%s/journal.db", folder);
    r = store_file_open(&d->journal, path, &JOURNAL, vfs, e);
    if (r == STORE_CORRUPT && d->options.set_corrupt_aside && (r = set_aside(d, path, e)) == 0)
        r = store_file_open(&d->journal, path, &JOURNAL, vfs, e);
    if (r != 0)
        return r;
    /* Events are deleted by their writer; what a lost batch left behind goes here. */
    r = store_file_exec(&d->journal,
                        "DELETE FROM event WHERE key <= (SELECT key FROM event ORDER BY key DESC"
                        " LIMIT 1 OFFSET 2000)",
                        e);
    if (r == 0)
        r = store_file_sum(&d->journal, "SELECT " BYTES_OF_ROW " FROM journal", &d->journal_bytes,
                           e);
    return r;
}

/* Whatever is wrong with history, the controller starts. */
static void open_history(struct store_disk *d, const char *folder)
{
    struct err e = ERR_INIT;
    char path[STORE_NAME_MAX];
    int r;

    (void)snprintf(path, sizeof(path), "%s/history.db", folder);
    r = store_file_open(&d->history, path, &HISTORY, d->options.vfs, &e);
    if ((r == STORE_CORRUPT || r == STORE_NEWER || r == -EINVAL) &&
        (r = set_aside(d, path, &e)) == 0)
        r = store_file_open(&d->history, path, &HISTORY, d->options.vfs, &e);
    if (r == 0)
        r = store_file_sum(&d->history, "SELECT max(written) FROM history", &d->stamp, &e);
    if (r != 0) {
        store_file_close(&d->history, false);
        warn(d, ": no history is kept in this run", &e);
    }
}

static struct store_options with_defaults(const struct store_options *given)
{
    struct store_options o = *given;

    if (o.journal_bytes == 0)
        o.journal_bytes = 64 * MIB;
    if (o.history_bytes == 0)
        o.history_bytes = 256 * MIB;
    if (o.ballast_bytes == 0)
        o.ballast_bytes = 32 * MIB;
    return o;
}

int store_disk_init(struct store_disk *d, const char *folder, const struct store_options *options,
                    store_warn_fn *warn_fn, void *warn_data, struct err *e)
{
    struct err note = ERR_INIT;
    int r;

    *d = (struct store_disk){
        .options = with_defaults(options),
        .warn = warn_fn,
        .warn_data = warn_data,
        .folder_fd = -1,
    };
    if (strlen(folder) + 64 > STORE_NAME_MAX)
        return err_errno(e, -ENAMETOOLONG, "the store's folder");
    if ((r = store_folder_open(folder, &d->folder_fd, e)) != 0 ||
        (r = open_journal(d, folder, e)) != 0)
        return r;
    open_history(d, folder);
    r = store_ballast_load(d->folder_fd, d->options.ballast_bytes);
    if (r < 0) {
        err_errno(&note, r, "%s: no room for the ballast of %" PRIu64 " MiB", folder,
                  d->options.ballast_bytes / MIB);
        warn(d, ": make room", &note);
    }
    /* The names of new files must be as durable as what will be in them. */
    return fsync(d->folder_fd) < 0 ? err_errno(e, -errno, "%s", folder) : 0;
}

void store_disk_done(struct store_disk *d, bool sync)
{
    (void)sqlite3_finalize(d->reading);
    store_file_close(&d->journal, sync);
    store_file_close(&d->history, sync);
    if (d->folder_fd >= 0)
        (void)close(d->folder_fd);
    *d = (struct store_disk){ .folder_fd = -1 };
}

/* --- reading ------------------------------------------------------------------------------------
 */

static int read_table(struct store_disk *d, enum store_table table, struct err *e)
{
    const struct store_file *f = table == TABLE_HISTORY ? &d->history : &d->journal;
    bool numbered = table == TABLE_JOURNAL || table == TABLE_EVENT;
    char sql[128];

    (void)snprintf(sql, sizeof(sql), "SELECT key, value FROM %s%s", store_table_name(table),
                   numbered ? " ORDER BY key DESC LIMIT 2000" : "");
    _Static_assert(STORE_NEWEST == 2000, "the limits in SQL say so too");
    return store_file_prepare(f, sql, &d->reading, e);
}

static bool readable(const struct store_disk *d, int table)
{
    return store_table_name((enum store_table)table) && (table != TABLE_HISTORY || d->history.db);
}

/* 1: a row, 0: the table's end. */
static int next_row(struct store_disk *d, struct controller_row *ret_row, struct err *e)
{
    bool history = d->reading_table == TABLE_HISTORY;
    int rc = sqlite3_step(d->reading);

    if (rc == SQLITE_ROW) {
        *ret_row = (struct controller_row){
            (enum store_table)d->reading_table,
            (const char *)sqlite3_column_text(d->reading, 0),
            (const char *)sqlite3_column_text(d->reading, 1),
        };
        if (ret_row->key && ret_row->value)
            return 1;
        rc = SQLITE_NOMEM;
    }
    return rc == SQLITE_DONE ? 0
                             : store_file_error(history ? &d->history : &d->journal, rc, "read", e);
}

int store_disk_rows(struct store_disk *d, struct controller_row *ret_row)
{
    struct err e = ERR_INIT;
    int r = 0;

    for (; d->reading_table < STORE_TABLES; d->reading_table++) {
        if (!readable(d, d->reading_table))
            continue;
        if (!d->reading)
            r = read_table(d, (enum store_table)d->reading_table, &e);
        if (r == 0)
            r = next_row(d, ret_row, &e);
        if (r > 0)
            return r;
        (void)sqlite3_finalize(TAKE(d->reading));
        if (r < 0 && d->reading_table != TABLE_HISTORY)
            break;
        if (r < 0)
            warn(d, ": the rest of the history is left out", &e);
        r = 0;
    }
    if (r < 0)
        warn(d, "", &e);
    d->reading_table = 0;
    return r;
}

/* --- journal.db ---------------------------------------------------------------------------------
 */

int store_disk_begin(struct store_disk *d, struct err *e)
{
    d->was_bytes = d->journal_bytes;
    return store_file_exec(&d->journal, "BEGIN IMMEDIATE", e);
}

int store_disk_put(struct store_disk *d, const struct controller_row *row, struct err *e)
{
    if (row->table == TABLE_HISTORY)
        return 0;
    if (!store_table_name(row->table))
        return err_set(e, -EINVAL, "store: there is no table %d", (int)row->table);
    if (row->table == TABLE_JOURNAL && row->value)
        d->journal_bytes += (int64_t)(strlen(row->key) + strlen(row->value));
    return store_file_put(&d->journal, row, 0, e);
}

static int prune_journal(struct store_disk *d, struct err *e)
{
    int64_t freed = 1;
    int r = 0;

    while (d->journal_bytes > (int64_t)d->options.journal_bytes && freed > 0 && r == 0) {
        r = store_file_sum(&d->journal,
                           "DELETE FROM journal WHERE key IN"
                           " (SELECT key FROM journal ORDER BY key LIMIT 64)"
                           " RETURNING " BYTES_OF_ROW,
                           &freed, e);
        d->journal_bytes -= freed;
    }
    return r;
}

int store_disk_commit(struct store_disk *d, struct err *e)
{
    int r = prune_journal(d, e);

    return r < 0 ? r : store_file_exec(&d->journal, "COMMIT", e);
}

void store_disk_rollback(struct store_disk *d)
{
    store_file_rollback(&d->journal);
    d->journal_bytes = d->was_bytes;
}

bool store_disk_make_room(struct store_disk *d)
{
    struct err note = ERR_INIT;

    if (!store_ballast_drop(d->folder_fd))
        return false;
    err_set(&note, 0, "%s: the disk is full: the ballast of %" PRIu64 " MiB was given up",
            d->journal.path, d->options.ballast_bytes / MIB);
    warn(d, ": make room now", &note);
    return true;
}

int store_disk_tidy(struct store_disk *d, struct err *e)
{
    return store_file_checkpoint(&d->journal, e);
}

/* --- history.db ---------------------------------------------------------------------------------
 */

static int history_bytes(const struct store_disk *d, int64_t *ret_bytes, struct err *e)
{
    int64_t pages = 0, unused = 0, size = 0;
    int r;

    if ((r = store_file_sum(&d->history, "PRAGMA page_count", &pages, e)) < 0 ||
        (r = store_file_sum(&d->history, "PRAGMA freelist_count", &unused, e)) < 0 ||
        (r = store_file_sum(&d->history, "PRAGMA page_size", &size, e)) < 0)
        return r;
    *ret_bytes = (pages - unused) * size;
    return 0;
}

static int prune_history(struct store_disk *d, struct err *e)
{
    int64_t bytes = 0;
    int r = history_bytes(d, &bytes, e);

    for (int round = 0; round < 64 && r == 0 && bytes > (int64_t)d->options.history_bytes; round++)
        if ((r = store_file_exec(&d->history,
                                 "DELETE FROM history WHERE key IN"
                                 " (SELECT key FROM history ORDER BY written LIMIT 64)",
                                 e)) == 0)
            r = history_bytes(d, &bytes, e);
    return r;
}

static int write_history(struct store_disk *d, const struct controller_row *rows, size_t n,
                         struct err *e)
{
    int r = store_file_exec(&d->history, "BEGIN IMMEDIATE", e);

    d->stamp++;
    for (size_t i = 0; i < n && r == 0; i++)
        r = store_file_put(&d->history, &rows[i], d->stamp, e);
    if (r == 0)
        r = prune_history(d, e);
    if (r == 0)
        r = store_file_exec(&d->history, "COMMIT", e);
    return r == 0 ? store_file_checkpoint(&d->history, e) : r;
}

void store_disk_history(struct store_disk *d, const struct controller_row *rows, size_t n)
{
    struct err e = ERR_INIT;
    int r;

    if (!d->history.db || n == 0 || (r = write_history(d, rows, n, &e)) == 0)
        return;
    store_file_rollback(&d->history);
    if (r == -ENOSPC || r == -ENOMEM) {
        warn(d, ": the history of the last minute is not kept", &e);
        return;
    }
    store_file_close(&d->history, false);
    warn(d, ": no history is kept until the next start", &e);
}
