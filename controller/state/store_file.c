/* One SQLite file: see store_file.h. The order in store_file_open() matters: the lock is taken
 * before anything is believed, and nothing is written before the file is known to be ours, not
 * newer than we are, and whole. */
#include "controller/state/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "controller/state/store.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define CHECKPOINT_FRAMES 1000 /* 4 MB */

const char *store_table_name(enum store_table table)
{
    static const char *const names[STORE_TABLES] = {
        [TABLE_OBJECT] = "object", [TABLE_NODE] = "node",       [TABLE_REPLICA] = "replica",
        [TABLE_META] = "meta",     [TABLE_JOURNAL] = "journal", [TABLE_HISTORY] = "history",
        [TABLE_EVENT] = "event",
    };

    return (unsigned)table < STORE_TABLES ? names[table] : NULL;
}

/* --- errors -------------------------------------------------------------------------------------
 */

static int errno_of(const struct store_file *f, int rc)
{
    int system = f->db ? sqlite3_system_errno(f->db) : 0;

    if (rc == SQLITE_IOERR_NOMEM)
        return -ENOMEM;
    if (rc == SQLITE_IOERR_WRITE && (system == EDQUOT || system == EFBIG))
        return -ENOSPC; /* SQLite knows only ENOSPC as "full" */
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EBADMSG;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return -EACCES;
    default:
        return -EIO;
    }
}

int store_file_error(const struct store_file *f, int rc, const char *what, struct err *e)
{
    int system = f->db ? sqlite3_system_errno(f->db) : 0;

    return err_set(e, errno_of(f, rc), "%s: %s: %s%s%s", f->path, what,
                   f->db ? sqlite3_errmsg(f->db) : sqlite3_errstr(rc), system ? ": " : "",
                   system ? strerror(system) : "");
}

static int refusal_of(const struct store_file *f, int r, struct err *e)
{
    char cause[ERR_TEXT_MAX];

    (void)snprintf(cause, sizeof(cause), "%s", e ? e->text : "");
    if (r == -EBUSY)
        return err_set(e, STORE_IN_USE,
                       "%s is in use by another process (fuser %s names it): stop that first",
                       f->path, f->path);
    if (r == -EBADMSG)
        return err_set(e, STORE_CORRUPT,
                       "%s is damaged (%.200s). It was left as it is. Bring back a copy of it, or "
                       "move it and %s-wal away to begin an empty store",
                       f->path, cause, f->path);
    return r;
}

/* --- statements ---------------------------------------------------------------------------------
 */

int store_file_prepare(const struct store_file *f, const char *sql, sqlite3_stmt **ret_stmt,
                       struct err *e)
{
    int rc = sqlite3_prepare_v3(f->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_stmt, NULL);

    return rc == SQLITE_OK ? 0 : store_file_error(f, rc, "prepare", e);
}

int store_file_exec(const struct store_file *f, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(f->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : store_file_error(f, rc, sql, e);
}

/* The first column of the first row, as text of at most size - 1 bytes; "" when there is no row. */
static int query_text(const struct store_file *f, const char *sql, char *text, size_t size,
                      struct err *e)
{
    sqlite3_stmt *stmt = NULL;
    int rc, r = store_file_prepare(f, sql, &stmt, e);

    if (r < 0)
        return r;
    text[0] = '\0';
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const char *value = (const char *)sqlite3_column_text(stmt, 0);

        if (value)
            (void)snprintf(text, size, "%s", value);
        else
            rc = SQLITE_NOMEM;
    }
    r = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_file_error(f, rc, sql, e);
    (void)sqlite3_finalize(stmt);
    return r;
}

int store_file_sum(const struct store_file *f, const char *sql, int64_t *ret_sum, struct err *e)
{
    sqlite3_stmt *stmt = NULL;
    int64_t sum = 0;
    int rc, r = store_file_prepare(f, sql, &stmt, e);

    if (r < 0)
        return r;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        sum += sqlite3_column_int64(stmt, 0);
    r = rc == SQLITE_DONE ? 0 : store_file_error(f, rc, sql, e);
    (void)sqlite3_finalize(stmt);
    if (r == 0)
        *ret_sum = sum;
    return r;
}

void store_file_rollback(const struct store_file *f)
{
    if (!sqlite3_get_autocommit(f->db)) /* many errors roll back by themselves */
        (void)sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
}

/* --- opening ------------------------------------------------------------------------------------
 */

/* The log takes over the mode of the file. An existing file is not opened here: closing it would
 * drop the locks that this process may hold on it. */
static int make_private(const struct store_file *f, struct err *e)
{
    int fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        (void)close(fd);
    else if (errno != EEXIST)
        return err_errno(e, -errno, "%s", f->path);
    return chmod(f->path, 0600) < 0 ? err_errno(e, -errno, "%s", f->path) : 0;
}

static int on_wal(void *data, sqlite3 *db, const char *name, int frames)
{
    struct store_file *f = data;

    (void)db;
    (void)name;
    f->wal_frames = frames;
    return SQLITE_OK;
}

static int connect_db(struct store_file *f, const char *vfs, struct err *e)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(f->path, &f->db, flags, vfs);

    if (rc != SQLITE_OK)
        return store_file_error(f, rc, "open", e);
    if ((rc = sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL)) != SQLITE_OK ||
        (rc = sqlite3_db_config(f->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL)) != SQLITE_OK ||
        (rc = sqlite3_db_config(f->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL)) != SQLITE_OK)
        return store_file_error(f, rc, "configure", e);
    return store_file_exec(f,
                           "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON;"
                           "PRAGMA temp_store = MEMORY",
                           e);
}

static int check_owner(const struct store_file *f, const struct store_schema *schema,
                       int64_t *ret_version, struct err *e)
{
    int64_t id = 0, version = 0, tables = 0;
    int r;

    if ((r = store_file_sum(f, "PRAGMA user_version", &version, e)) < 0 ||
        (r = store_file_sum(f, "PRAGMA application_id", &id, e)) < 0 ||
        (r = store_file_sum(f, "SELECT count(*) FROM sqlite_schema", &tables, e)) < 0)
        return r;
    if (id != schema->application_id && (id || version || tables))
        return err_set(e, -EINVAL, "%s is a database of another program: move it away", f->path);
    if (version > schema->version)
        return err_set(e, STORE_NEWER,
                       "%s has version %lld, written by a newer huddle-controller; this one knows "
                       "%d. It was left as it is: install the newer huddle-controller again",
                       f->path, (long long)version, schema->version);
    *ret_version = version;
    return 0;
}

static int check_whole(const struct store_file *f, struct err *e)
{
    char text[200];
    int r = query_text(f, "PRAGMA quick_check(1)", text, sizeof(text), e);

    if (r < 0 || strcmp(text, "ok") == 0)
        return r;
    return err_set(e, -EBADMSG, "quick_check: %s", text);
}

static int use_log(struct store_file *f, bool durable, struct err *e)
{
    char mode[16];
    int r = query_text(f, "PRAGMA journal_mode = WAL", mode, sizeof(mode), e);

    if (r < 0)
        return r;
    if (strcmp(mode, "wal") != 0)
        return err_set(e, -EIO, "%s: no write-ahead log here (journal_mode is %s)", f->path, mode);
    f->checkpoint_at = CHECKPOINT_FRAMES;
    (void)sqlite3_wal_hook(f->db, on_wal, f); /* in place of the automatic checkpoints */
    return store_file_exec(
        f,
        durable ? "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216"
                : "PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 16777216",
        e);
}

static int migrate(const struct store_file *f, const struct store_schema *schema, int64_t version,
                   struct err *e)
{
    char stamp[96];
    int r = 0;

    for (; version < schema->version && r == 0; version++) {
        (void)snprintf(stamp, sizeof(stamp), "PRAGMA application_id = %d; PRAGMA user_version = %d",
                       schema->application_id, (int)version + 1);
        if ((r = store_file_exec(f, "BEGIN IMMEDIATE", e)) == 0 &&
            (r = store_file_exec(f, schema->steps[version], e)) == 0 &&
            (r = store_file_exec(f, stamp, e)) == 0)
            r = store_file_exec(f, "COMMIT", e);
        if (r < 0)
            store_file_rollback(f);
    }
    return r;
}

static int open_checked(struct store_file *f, const struct store_schema *schema, const char *vfs,
                        struct err *e)
{
    int64_t version = 0;
    int r;

    if ((r = make_private(f, e)) != 0 || (r = connect_db(f, vfs, e)) != 0 ||
        (r = check_owner(f, schema, &version, e)) != 0 || (r = check_whole(f, e)) != 0 ||
        (r = use_log(f, schema->durable, e)) != 0)
        return r;
    return migrate(f, schema, version, e);
}

int store_file_open(struct store_file *f, const char *path, const struct store_schema *schema,
                    const char *vfs, struct err *e)
{
    int r;

    *f = (struct store_file){ .path = xstrdup(path) };
    r = open_checked(f, schema, vfs, e);
    if (r == 0)
        return 0;
    r = refusal_of(f, r, e);
    store_file_close(f, false);
    return r;
}

void store_file_close(struct store_file *f, bool sync)
{
    for (int i = 0; i < STORE_TABLES; i++) {
        (void)sqlite3_finalize(f->put[i]);
        (void)sqlite3_finalize(f->drop[i]);
    }
    if (sync && f->db &&
        sqlite3_wal_checkpoint_v2(f->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK)
        (void)sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    (void)sqlite3_close(f->db);
    free(f->path);
    *f = (struct store_file){ 0 };
}

/* --- rows ---------------------------------------------------------------------------------------
 */

static int statement_of(struct store_file *f, const struct controller_row *row,
                        sqlite3_stmt **ret_stmt, struct err *e)
{
    sqlite3_stmt **at = row->value ? &f->put[row->table] : &f->drop[row->table];
    const char *name = store_table_name(row->table);
    char sql[200];
    int r = 0;

    if (!row->value)
        (void)snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE key = ?1", name);
    else if (row->table != TABLE_HISTORY)
        (void)snprintf(sql, sizeof(sql),
                       "INSERT INTO %s VALUES (?1, ?2)"
                       " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                       name);
    else
        (void)snprintf(sql, sizeof(sql),
                       "INSERT INTO %s VALUES (?1, ?2, ?3) ON CONFLICT (key)"
                       " DO UPDATE SET value = excluded.value, written = excluded.written",
                       name);
    if (!*at)
        r = store_file_prepare(f, sql, at, e);
    *ret_stmt = *at;
    return r;
}

int store_file_put(struct store_file *f, const struct controller_row *row, int64_t stamp,
                   struct err *e)
{
    sqlite3_stmt *stmt;
    int rc, r = statement_of(f, row, &stmt, e);

    if (r < 0)
        return r;
    rc = sqlite3_bind_text(stmt, 1, row->key, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK && row->value)
        rc = sqlite3_bind_text(stmt, 2, row->value, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK && row->value && row->table == TABLE_HISTORY)
        rc = sqlite3_bind_int64(stmt, 3, stamp);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    r = rc == SQLITE_DONE ? 0 : store_file_error(f, rc, "write", e);
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt); /* they are borrowed */
    return r;
}

int store_file_checkpoint(struct store_file *f, struct err *e)
{
    int rc, r;

    if (f->wal_frames < f->checkpoint_at)
        return 0;
    rc = sqlite3_wal_checkpoint_v2(f->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    r = rc == SQLITE_OK ? 0 : store_file_error(f, rc, "checkpoint", e);
    f->checkpoint_at = r == 0 ? CHECKPOINT_FRAMES : f->wal_frames + CHECKPOINT_FRAMES;
    return r == -ENOSPC || r == -ENOMEM ? 0 : r;
}

/* --- damaged files ------------------------------------------------------------------------------
 */

int store_file_set_aside(const char *path, char ret_name[STORE_NAME_MAX], struct err *e)
{
    time_t now = (time_t)(clock_wall_ms() / 1000);
    char log[STORE_NAME_MAX], aside[STORE_NAME_MAX], when[32];
    struct tm tm;

    if (strlen(path) + 64 > STORE_NAME_MAX)
        return err_errno(e, -ENAMETOOLONG, "%s", path);
    (void)strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    (void)snprintf(ret_name, STORE_NAME_MAX, "%s.corrupt-%s", path, when);
    (void)snprintf(log, sizeof(log), "%s-wal", path);
    (void)snprintf(aside, sizeof(aside), "%s.corrupt-%s-wal", path, when);
    /* The log first: an old log must never be found beside a new file. */
    if (renameat2(AT_FDCWD, log, AT_FDCWD, aside, RENAME_NOREPLACE) < 0 && errno != ENOENT)
        return err_errno(e, -errno, "cannot set %s aside as %s", log, aside);
    if (renameat2(AT_FDCWD, path, AT_FDCWD, ret_name, RENAME_NOREPLACE) < 0)
        return err_errno(e, -errno, "cannot set %s aside as %s", path, ret_name);
    return 0;
}
