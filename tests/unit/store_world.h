/* A store in a folder of its own for tests: open, commit and wait, read back, take away. */
#ifndef HUDDLE_TEST_STORE_WORLD_H
#define HUDDLE_TEST_STORE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/state/store.h"
#include "proto/base/array.h"
#include "proto/base/loop.h"

#define STORE_PATH 128

struct store_world {
    char folder[STORE_PATH];
    struct store_options options;
    struct loop *l;
    struct store *s;
    struct err e;
    size_t waiting;      /* commits that were not told yet */
    int status;          /* of the last told */
    char why[512];       /* of the last failure */
    char order[256];     /* one letter per told batch, a capital when it failed */
    char warnings[4096]; /* one line each */
    size_t n_rows;       /* by store_world_read() */
};

static inline void world_warn(void *data, const char *text)
{
    struct store_world *w = data;

    strncat(w->warnings, text, sizeof(w->warnings) - strlen(w->warnings) - 1);
    strncat(w->warnings, "\n", sizeof(w->warnings) - strlen(w->warnings) - 1);
}

static inline void world_init(struct store_world *w)
{
    *w = (struct store_world){ 0 };
    snprintf(w->folder, sizeof(w->folder), "%s/huddle-store-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); /* fast syncs */
    assert_non_null(mkdtemp(w->folder));
    w->options =
        (struct store_options){ .ballast_bytes = 4096, .warn = world_warn, .warn_data = w };
    assert_int_equal(loop_new(&w->l, &w->e), 0);
}

static inline int world_open(struct store_world *w)
{
    w->e = (struct err)ERR_INIT;
    return store_open(w->folder, &w->options, w->l, &w->s, &w->e);
}

static inline void world_close(struct store_world *w)
{
    store_close(TAKE(w->s));
    assert_int_equal(w->waiting, 0);
}

static inline void world_done(struct store_world *w)
{
    struct dirent *d;
    DIR *dir = opendir(w->folder);
    char path[STORE_PATH + 300];

    world_close(w);
    loop_free(w->l);
    while (dir && (d = readdir(dir))) {
        snprintf(path, sizeof(path), "%s/%s", w->folder, d->d_name);
        (void)unlink(path);
    }
    (void)closedir(dir);
    assert_int_equal(rmdir(w->folder), 0);
}

static inline const char *world_path(const struct store_world *w, const char *name,
                                     char path[STORE_PATH + 64])
{
    snprintf(path, STORE_PATH + 64, "%s/%s", w->folder, name);
    return path;
}

/* The first file whose name begins with `prefix` and ends in `suffix`, or NULL. */
static inline const char *world_find(const struct store_world *w, const char *prefix,
                                     const char *suffix, char path[STORE_PATH + 300])
{
    DIR *dir = opendir(w->folder);
    struct dirent *d;
    bool found = false;

    while (dir && !found && (d = readdir(dir))) {
        size_t n = strlen(d->d_name), k = strlen(suffix);

        found = strncmp(d->d_name, prefix, strlen(prefix)) == 0 && n >= k &&
                strcmp(d->d_name + n - k, suffix) == 0;
        if (found)
            snprintf(path, STORE_PATH + 300, "%s/%s", w->folder, d->d_name);
    }
    (void)closedir(dir);
    return found ? path : NULL;
}

/* --- committing ---------------------------------------------------------------------------------
 */

struct world_batch {
    struct store_world *w;
    char letter;
    struct controller_row rows[8];
};

static inline void world_told(void *data, int status, const char *why)
{
    struct world_batch *b = data;
    struct store_world *w = b->w;

    w->status = status;
    if (why)
        snprintf(w->why, sizeof(w->why), "%s", why);
    w->order[strlen(w->order) % (sizeof(w->order) - 1)] =
        (char)(status == 0 ? b->letter : toupper(b->letter));
    free(b);
    if (--w->waiting == 0)
        loop_stop(w->l, 0);
}

/* One batch of up to 8 rows; `letter` goes into w->order when it is told. */
static void world_hand_over(struct store_world *w, char letter, const struct controller_row *rows,
                            size_t n)
{
    struct world_batch *b = xcalloc(1, sizeof(*b));

    b->w = w;
    b->letter = letter;
    for (size_t i = 0; i < n; i++)
        b->rows[i] = rows[i];
    w->waiting++;
    store_commit(w->s, b->rows, n, world_told, b);
}

static inline int world_wait(struct store_world *w)
{
    while (w->waiting > 0)
        assert_int_equal(loop_run(w->l), 0);
    return w->status;
}

static inline int world_put(struct store_world *w, enum store_table table, const char *key,
                            const char *value)
{
    struct controller_row row = { table, key, value };

    world_hand_over(w, '.', &row, 1);
    return world_wait(w);
}

/* --- reading ------------------------------------------------------------------------------------
 */

/* The value of one row as a heap string, or NULL; counts all rows of the store in w->n_rows. */
static inline char *world_get(struct store_world *w, enum store_table table, const char *key)
{
    struct controller_row row;
    char *value = NULL;
    int r;

    w->n_rows = 0;
    while ((r = store_rows(w->s, &row)) > 0) {
        w->n_rows++;
        if (row.table == table && strcmp(row.key, key) == 0)
            value = xstrdup(row.value);
    }
    assert_int_equal(r, 0);
    return value;
}

static inline size_t world_count(struct store_world *w, enum store_table table)
{
    struct controller_row row;
    size_t n = 0;
    int r;

    while ((r = store_rows(w->s, &row)) > 0)
        n += row.table == table;
    assert_int_equal(r, 0);
    return n;
}

static inline void assert_row(struct store_world *w, enum store_table table, const char *key,
                              const char *value)
{
    char *is = world_get(w, table, key);

    if (value) {
        assert_non_null(is);
        assert_string_equal(is, value);
    } else {
        assert_null(is);
    }
    free(is);
}

#endif
