/* The store: see store.h. Batches wait in a queue for the store's thread, which takes all of them
 * at once, commits them in one transaction and puts them into the list of those to be told; an
 * eventfd brings that list to the loop. History is written after the batches were told: nobody
 * waits for it.
 *
 * Failures go by generations. The caller's present one is stamped on each batch; when a batch
 * fails, the thread fails all others of its generation without trying, and the loop begins a new
 * one just before it tells the caller. */
#include "controller/state/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "controller/state/store_disk.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

struct batch { /* or, with done NULL, a warning to be told */
    const struct controller_row *rows;
    size_t n;
    store_done_fn *done;
    void *data;
    uint64_t generation;
    int status;
    char *why;
    struct batch *next;
};

struct batches { /* first in, first out */
    struct batch *first, *last;
};

struct past { /* rows of history, copied: they are written after their batches were told */
    struct controller_row *row;
    size_t n_row, cap_row;
};

struct store {
    struct store_disk disk; /* the thread's once there was a batch */
    bool broken;            /* an I/O error: nothing is tried any more */
    struct err broken_why;
    uint64_t failed; /* generation of the last failure; from 1 */
    int failed_status;

    void (*warn)(void *data, const char *text);
    void *warn_data;
    struct loop_io *told_io;
    int told_fd;
    uint64_t generation; /* the loop's */
    pthread_t thread;
    bool threaded;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct batches queue, told;
    struct store_figures figures;
    bool closing;
};

static void batches_add(struct batches *l, struct batch *b)
{
    b->next = NULL;
    if (l->last)
        l->last->next = b;
    else
        l->first = b;
    l->last = b;
}

static struct batches batches_take(struct batches *l)
{
    struct batches all = *l;

    *l = (struct batches){ 0 };
    return all;
}

/* --- telling ------------------------------------------------------------------------------------
 */

static void tell(struct store *s, const struct batches *some)
{
    uint64_t one = 1;

    (void)pthread_mutex_lock(&s->lock);
    for (struct batch *b = some->first, *next; b; b = next) {
        next = b->next;
        batches_add(&s->told, b);
    }
    (void)pthread_mutex_unlock(&s->lock);
    (void)!write(s->told_fd, &one, sizeof(one)); /* full: the loop will wake anyway */
}

static void on_warning(void *data, const char *text)
{
    struct batch *b = xcalloc(1, sizeof(*b));

    b->why = xstrdup(text);
    tell(data, &(struct batches){ b, b });
}

static void tell_one(struct store *s, struct batch *b)
{
    if (b->status < 0 && s->generation <= b->generation)
        s->generation = b->generation + 1;
    if (b->done)
        b->done(b->data, b->status, b->why);
    else if (s->warn)
        s->warn(s->warn_data, b->why);
    free(b->why);
    free(b);
}

static void tell_all(struct store *s)
{
    for (;;) {
        struct batch *b;

        (void)pthread_mutex_lock(&s->lock);
        b = s->told.first;
        if (b && !(s->told.first = b->next))
            s->told.last = NULL;
        if (b && b->done)
            s->figures.waiting--;
        (void)pthread_mutex_unlock(&s->lock);
        if (!b)
            return;
        tell_one(s, b);
    }
}

static void on_told(void *data, int fd, unsigned events)
{
    uint64_t n;

    (void)events;
    if (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
        tell_all(data);
}

/* --- the store's thread -------------------------------------------------------------------------
 */

static bool needs_disk(const struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->rows[i].table != TABLE_HISTORY)
            return true;
    return false;
}

static int write_batches(struct store *s, const struct batches *some, struct err *e)
{
    int r = store_disk_begin(&s->disk, e);

    for (const struct batch *b = some->first; b && r == 0; b = b->next)
        for (size_t i = 0; i < b->n && r == 0; i++)
            r = store_disk_put(&s->disk, &b->rows[i], e);
    if (r == 0)
        r = store_disk_commit(&s->disk, e);
    if (r < 0)
        store_disk_rollback(&s->disk);
    return r;
}

/* Only these leave no doubt about what is on the disk; and they pass. */
static bool passes(int r)
{
    return r == -ENOSPC || r == -ENOMEM;
}

static int commit(struct store *s, const struct batches *some, struct err *e)
{
    bool disk = false;
    int r;

    if (s->broken)
        return err_set(e, -EIO, "%s", s->broken_why.text);
    for (const struct batch *b = some->first; b && !disk; b = b->next)
        disk = needs_disk(b);
    if (!disk)
        return 0;
    r = write_batches(s, some, e);
    if (r == -ENOSPC && store_disk_make_room(&s->disk))
        r = write_batches(s, some, e);
    if (r < 0 && !passes(r)) {
        s->broken = true;
        s->broken_why = *e;
        return -EIO;
    }
    return r;
}

/* Takes out of `some` what was handed over without knowing of the last failure. */
static void fail_stale(struct store *s, struct batches *some)
{
    struct batches all = batches_take(some), stale = { 0 };

    for (struct batch *b = all.first, *next; b; b = next) {
        next = b->next;
        if (b->generation > s->failed) {
            batches_add(some, b);
            continue;
        }
        b->status = s->failed_status;
        b->why = xstrdup("a batch before it failed");
        batches_add(&stale, b);
    }
    if (stale.first)
        tell(s, &stale);
}

static void finish(struct store *s, const struct batches *some, int status, const struct err *e,
                   int64_t us)
{
    uint64_t n = 0;

    for (struct batch *b = some->first; b; b = b->next, n++) {
        b->status = status;
        if (status == 0)
            continue;
        b->why = xstrdup(e->text);
        s->failed = b->generation;
        s->failed_status = status;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->figures.batches += n;
    s->figures.transactions++;
    s->figures.failures += status == 0 ? 0 : n;
    if ((uint64_t)us > s->figures.commit_us_most)
        s->figures.commit_us_most = (uint64_t)us;
    (void)pthread_mutex_unlock(&s->lock);
}

static void copy_past(const struct batches *some, struct past *past)
{
    for (const struct batch *b = some->first; b; b = b->next)
        for (size_t i = 0; i < b->n; i++)
            if (b->rows[i].table == TABLE_HISTORY)
                *ARRAY_ADD(past, row) =
                    (struct controller_row){ TABLE_HISTORY, xstrdup(b->rows[i].key),
                                             xstrdup(b->rows[i].value) };
}

static void past_done(struct past *past)
{
    for (size_t i = 0; i < past->n_row; i++) {
        free((char *)past->row[i].key);
        free((char *)past->row[i].value);
    }
    free(past->row);
}

static void serve(struct store *s, struct batches some)
{
    struct err e = ERR_INIT;
    struct past past = { 0 };
    int64_t begin_us;
    int r;

    fail_stale(s, &some);
    if (!some.first)
        return;
    begin_us = clock_boot_us();
    r = commit(s, &some, &e);
    finish(s, &some, r, &e, clock_boot_us() - begin_us);
    if (r == 0)
        copy_past(&some, &past);
    tell(s, &some); /* from here on the batches are the loop's */
    store_disk_history(&s->disk, past.row, past.n_row);
    past_done(&past);
    if (!s->broken && store_disk_tidy(&s->disk, &e) < 0) {
        s->broken = true;
        s->broken_why = e;
        on_warning(s, e.text);
    }
}

static void *thread_main(void *data)
{
    struct store *s = data;
    bool closing = false;

    while (!closing) {
        struct batches some;

        (void)pthread_mutex_lock(&s->lock);
        while (!s->queue.first && !s->closing)
            (void)pthread_cond_wait(&s->wake, &s->lock);
        some = batches_take(&s->queue);
        closing = s->closing && !some.first;
        (void)pthread_mutex_unlock(&s->lock);
        if (some.first)
            serve(s, some);
    }
    return NULL;
}

static int start_thread(struct store *s, struct err *e)
{
    sigset_t all, before;
    int r;

    (void)sigfillset(&all); /* signals are the loop's */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&s->thread, NULL, thread_main, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    s->threaded = r == 0;
    return r ? err_errno(e, -r, "cannot start the store's thread") : 0;
}

/* --- the loop's side ----------------------------------------------------------------------------
 */

static int open_all(struct store *s, const char *folder, const struct store_options *options,
                    struct loop *l, struct err *e)
{
    int r;

    if ((s->told_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
        return err_errno(e, -errno, "eventfd");
    if ((r = loop_io_add(l, s->told_fd, LOOP_READ, on_told, s, &s->told_io)) < 0)
        return err_errno(e, r, "epoll_ctl");
    if ((r = store_disk_init(&s->disk, folder, options, on_warning, s, e)) != 0)
        return r;
    return start_thread(s, e);
}

int store_open(const char *folder, const struct store_options *options, struct loop *l,
               struct store **ret_store, struct err *e)
{
    AUTO(store) struct store *s = xcalloc(1, sizeof(*s));
    int r;

    s->disk.folder_fd = s->told_fd = -1;
    s->generation = 1;
    s->warn = options->warn;
    s->warn_data = options->warn_data;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->wake, NULL);
    r = open_all(s, folder, options, l, e);
    tell_all(s);
    if (r == 0)
        *ret_store = TAKE(s);
    return r;
}

/* What a `done` of the last batches handed over. */
static void refuse_late(struct store *s)
{
    while (s->queue.first) {
        struct batches late = batches_take(&s->queue);

        for (struct batch *b = late.first; b; b = b->next) {
            b->status = -ECANCELED;
            b->why = xstrdup("the store is being closed");
        }
        tell(s, &late);
        tell_all(s);
    }
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->threaded) {
        (void)pthread_mutex_lock(&s->lock);
        s->closing = true;
        (void)pthread_cond_signal(&s->wake);
        (void)pthread_mutex_unlock(&s->lock);
        (void)pthread_join(s->thread, NULL);
    }
    tell_all(s);
    refuse_late(s);
    store_disk_done(&s->disk, !s->broken);
    loop_io_remove(s->told_io);
    if (s->told_fd >= 0)
        (void)close(s->told_fd);
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

int store_rows(void *store, struct controller_row *ret_row)
{
    struct store *s = store;

    return store_disk_rows(&s->disk, ret_row);
}

void store_commit(struct store *s, const struct controller_row *rows, size_t n, store_done_fn *done,
                  void *data)
{
    struct batch *b = xcalloc(1, sizeof(*b));

    *b = (struct batch){
        .rows = rows, .n = n, .done = done, .data = data, .generation = s->generation
    };
    (void)pthread_mutex_lock(&s->lock);
    batches_add(&s->queue, b);
    s->figures.waiting++;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
}

void store_figures(struct store *s, struct store_figures *ret_figures)
{
    (void)pthread_mutex_lock(&s->lock);
    *ret_figures = s->figures;
    (void)pthread_mutex_unlock(&s->lock);
}
