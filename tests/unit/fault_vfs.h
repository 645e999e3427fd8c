/* A VFS for SQLite that does what the system's does until it is told to fail, or to wait: the
 * `left`-th next operation on a file returns `code` (for writes and syncs also all later ones when
 * `for_ever`). Operations are counted over all files opened through it. */
#ifndef HUDDLE_TEST_FAULT_VFS_H
#define HUDDLE_TEST_FAULT_VFS_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum fault_op {
    FAULT_OPEN = 1,
    FAULT_READ = 2,
    FAULT_WRITE = 4,
    FAULT_SYNC = 8,
    FAULT_CHANGE = 16
};

static struct fault {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned ops; /* of enum fault_op: which count and fail */
    long left;    /* until the failure; negative: never */
    int code;
    bool for_ever, happened;
    bool hold, held;        /* the next sync waits until hold is taken back */
    long log_syncs, writes; /* seen so far: syncs of logs, and writes since the last of these */
} fault = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER, .left = -1 };

static sqlite3_vfs fault_vfs;
static sqlite3_io_methods fault_methods;

struct fault_file {
    sqlite3_file base;
    bool log;
    sqlite3_file *real; /* right behind this struct */
};

static inline sqlite3_file *fault_real(sqlite3_file *f)
{
    return ((struct fault_file *)f)->real;
}

/* The code to return, or 0. */
static inline int fault_now(enum fault_op op)
{
    int code = 0;

    (void)pthread_mutex_lock(&fault.lock);
    if (fault.left >= 0 && (fault.ops & op)) {
        if (fault.left == 0) {
            code = fault.code;
            fault.happened = true;
        }
        if (fault.left > 0 || !fault.for_ever)
            fault.left--;
    }
    (void)pthread_mutex_unlock(&fault.lock);
    return code;
}

static inline void fault_set(unsigned ops, long left, int code, bool for_ever)
{
    (void)pthread_mutex_lock(&fault.lock);
    fault.ops = ops;
    fault.left = left;
    fault.code = code;
    fault.for_ever = for_ever;
    fault.happened = false;
    (void)pthread_mutex_unlock(&fault.lock);
}

static inline void fault_hold(bool hold)
{
    (void)pthread_mutex_lock(&fault.lock);
    fault.hold = hold;
    fault.held = false;
    (void)pthread_cond_broadcast(&fault.moved);
    (void)pthread_mutex_unlock(&fault.lock);
}

/* False: nothing was synced for a minute. */
static inline bool fault_await_held(void)
{
    struct timespec end;
    bool held;
    int r = 0;

    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    (void)pthread_mutex_lock(&fault.lock);
    while (!fault.held && r == 0)
        r = pthread_cond_timedwait(&fault.moved, &fault.lock, &end);
    held = fault.held;
    (void)pthread_mutex_unlock(&fault.lock);
    return held;
}

static inline int fault_close(sqlite3_file *f)
{
    return fault_real(f)->pMethods ? fault_real(f)->pMethods->xClose(fault_real(f)) : SQLITE_OK;
}

static inline int fault_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    int code = fault_now(FAULT_READ);

    return code ? code : fault_real(f)->pMethods->xRead(fault_real(f), to, n, at);
}

static inline int fault_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    int code = fault_now(FAULT_WRITE);

    fault.writes++;
    return code ? code : fault_real(f)->pMethods->xWrite(fault_real(f), from, n, at);
}

static inline int fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int code = fault_now(FAULT_CHANGE);

    return code ? code : fault_real(f)->pMethods->xTruncate(fault_real(f), size);
}

static inline int fault_sync(sqlite3_file *f, int flags)
{
    int code = fault_now(FAULT_SYNC);

    (void)pthread_mutex_lock(&fault.lock);
    fault.held = fault.hold;
    (void)pthread_cond_broadcast(&fault.moved);
    while (fault.hold)
        (void)pthread_cond_wait(&fault.moved, &fault.lock);
    if (((struct fault_file *)f)->log) {
        fault.log_syncs++;
        fault.writes = 0;
    }
    (void)pthread_mutex_unlock(&fault.lock);
    return code ? code : fault_real(f)->pMethods->xSync(fault_real(f), flags);
}

#define FAULT_PASS(name, args, ...)                                       \
    static int fault_##name args                                          \
    {                                                                     \
        return fault_real(f)->pMethods->name(fault_real(f), __VA_ARGS__); \
    }
FAULT_PASS(xFileSize, (sqlite3_file * f, sqlite3_int64 *size), size)
FAULT_PASS(xLock, (sqlite3_file * f, int level), level)
FAULT_PASS(xUnlock, (sqlite3_file * f, int level), level)
FAULT_PASS(xCheckReservedLock, (sqlite3_file * f, int *held), held)
FAULT_PASS(xFileControl, (sqlite3_file * f, int op, void *arg), op, arg)

static inline int fault_sector(sqlite3_file *f)
{
    return fault_real(f)->pMethods->xSectorSize(fault_real(f));
}

static inline int fault_traits(sqlite3_file *f)
{
    return fault_real(f)->pMethods->xDeviceCharacteristics(fault_real(f));
}

static inline int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                             int *out)
{
    struct fault_file *f = (struct fault_file *)file;
    sqlite3_vfs *real = vfs->pAppData;
    int code = fault_now(FAULT_OPEN);

    f->real = (sqlite3_file *)(f + 1);
    f->log = (flags & SQLITE_OPEN_WAL) != 0;
    f->base.pMethods = NULL;
    if (!code)
        code = real->xOpen(real, name, f->real, flags, out);
    if (!code)
        f->base.pMethods = &fault_methods;
    return code;
}

static inline int fault_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    sqlite3_vfs *real = vfs->pAppData;
    int code = fault_now(FAULT_CHANGE);

    return code ? code : real->xDelete(real, name, sync);
}

static inline void fault_register(void)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);

    if (fault_vfs.zName)
        return;
    fault_methods = (sqlite3_io_methods){
        .iVersion = 1, /* no shared memory: an exclusive log needs none */
        .xClose = fault_close,
        .xRead = fault_read,
        .xWrite = fault_write,
        .xTruncate = fault_truncate,
        .xSync = fault_sync,
        .xFileSize = fault_xFileSize,
        .xLock = fault_xLock,
        .xUnlock = fault_xUnlock,
        .xCheckReservedLock = fault_xCheckReservedLock,
        .xFileControl = fault_xFileControl,
        .xSectorSize = fault_sector,
        .xDeviceCharacteristics = fault_traits,
    };
    fault_vfs = *real;
    fault_vfs.zName = "fault";
    fault_vfs.pAppData = real;
    fault_vfs.szOsFile = (int)sizeof(struct fault_file) + real->szOsFile;
    fault_vfs.xOpen = fault_open;
    fault_vfs.xDelete = fault_delete;
    (void)sqlite3_vfs_register(&fault_vfs, 0);
}

#endif
