/* One thread's event loop: see loop.h.
 *
 * Descriptors live in epoll; a source that is removed while its event may still be in the current
 * batch is only marked, and freed at the end of the turn. Timers stand in a binary heap behind one
 * timerfd. Other threads append to a list under a lock and ring an eventfd. */
#include "proto/base/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"

#define BATCH 64
#define UNARMED SIZE_MAX

struct loop_io {
    struct loop *loop;
    struct loop_io *next_dead;
    loop_io_fn *fn;
    void *data;
    int fd;
    bool dead;
};

struct loop_timer {
    struct loop *loop;
    loop_timer_fn *fn;
    void *data;
    int64_t at_ms;
    uint64_t order; /* equal times fire in the order in which they were armed */
    size_t place;   /* in the heap, or UNARMED */
};

struct post {
    loop_post_fn *fn;
    void *data;
};

struct queue {
    struct post *posts;
    size_t n_posts, cap_posts;
};

struct loop {
    int epoll_fd, timer_fd, event_fd, signal_fd;
    int64_t now_ms;
    struct loop_io *timer_io, *event_io, *signal_io, *dead;
    struct loop_timer **timers; /* a binary heap by (at_ms, order) */
    size_t n_timers, cap_timers;
    uint64_t next_order;
    loop_signal_fn *signal_fn;
    void *signal_data;
    int64_t set_ms;       /* what the timerfd is set to; INT64_MAX: nothing */
    pthread_mutex_t lock; /* guards what follows */
    struct queue queue;
    bool stopping;
    int code;
};

/* --- timers ------------------------------------------------------------------------------------
 */

static bool earlier(const struct loop_timer *a, const struct loop_timer *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void heap_put(struct loop *l, size_t i, struct loop_timer *t)
{
    l->timers[i] = t;
    t->place = i;
}

static void heap_up(struct loop *l, size_t i)
{
    struct loop_timer *t = l->timers[i];

    for (; i && earlier(t, l->timers[(i - 1) / 2]); i = (i - 1) / 2)
        heap_put(l, i, l->timers[(i - 1) / 2]);
    heap_put(l, i, t);
}

static void heap_down(struct loop *l, size_t i)
{
    struct loop_timer *t = l->timers[i];

    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < l->n_timers && earlier(l->timers[child + 1], l->timers[child]))
            child++;
        if (child >= l->n_timers || !earlier(l->timers[child], t))
            break;
        heap_put(l, i, l->timers[child]);
        i = child;
    }
    heap_put(l, i, t);
}

static bool timer_is_due(const struct loop *l)
{
    return l->n_timers && l->timers[0]->at_ms <= l->now_ms;
}

/* Sets the timerfd to the first timer, before the loop waits: not at each of the many changes of
 * one turn, and not when that time is set already. One that was disarmed only wakes the loop in
 * vain. */
static void timer_set(struct loop *l)
{
    struct itimerspec at = { 0 };
    int64_t ms;

    if (l->n_timers == 0)
        return;
    ms = l->timers[0]->at_ms;
    if (ms >= l->set_ms)
        return;
    l->set_ms = ms;
    at.it_value.tv_sec = ms / 1000;
    at.it_value.tv_nsec = ms % 1000 * 1000000 + 1; /* never 0, which would disarm */
    (void)timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

struct loop_timer *loop_timer_add(struct loop *l, loop_timer_fn *fn, void *data)
{
    struct loop_timer *t = xcalloc(1, sizeof(*t));

    *t = (struct loop_timer){ .loop = l, .fn = fn, .data = data, .place = UNARMED };
    return t;
}

static void timer_take_out(struct loop_timer *t)
{
    struct loop *l = t->loop;
    size_t i = t->place;
    struct loop_timer *last;

    if (i == UNARMED)
        return;
    t->place = UNARMED;
    last = l->timers[--l->n_timers];
    if (last == t)
        return;
    heap_put(l, i, last);
    heap_up(l, i);
    heap_down(l, last->place);
}

void loop_timer_arm(struct loop_timer *t, int64_t at_ms)
{
    struct loop *l = t->loop;

    timer_take_out(t);
    t->at_ms = at_ms;
    t->order = l->next_order++;
    *(struct loop_timer **)ARRAY_ADD(l, timers) = t;
    t->place = l->n_timers - 1;
    heap_up(l, t->place);
}

void loop_timer_disarm(struct loop_timer *t)
{
    timer_take_out(t);
}

void loop_timer_remove(struct loop_timer *t)
{
    if (!t)
        return;
    timer_take_out(t);
    free(t);
}

static void timer_read(void *data, int fd, unsigned events)
{
    struct loop *l = data;
    uint64_t expirations;

    (void)events;
    if (read(fd, &expirations, sizeof(expirations)) == (ssize_t)sizeof(expirations))
        l->set_ms = INT64_MAX;
}

/* At the end of each turn: what a descriptor has to say of a call is heard before its time is up.
 */
static void timers_fire(struct loop *l)
{
    uint64_t before = l->next_order;

    /* What is armed from a callback for now or earlier waits for the next turn: no starvation. */
    while (timer_is_due(l) && l->timers[0]->order < before) {
        struct loop_timer *t = l->timers[0];

        timer_take_out(t);
        t->fn(t->data, l->now_ms);
    }
}

/* --- descriptors -------------------------------------------------------------------------------
 */

static uint32_t epoll_mask(unsigned events)
{
    return (events & LOOP_READ ? (uint32_t)EPOLLIN : 0) |
           (events & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0);
}

int loop_io_add(struct loop *l, int fd, unsigned events, loop_io_fn *fn, void *data,
                struct loop_io **ret_io)
{
    struct loop_io *io = xcalloc(1, sizeof(*io));
    struct epoll_event ev = { .events = epoll_mask(events), .data.ptr = io };

    *io = (struct loop_io){ .loop = l, .fn = fn, .data = data, .fd = fd };
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        int code = -errno;

        free(io);
        return code;
    }
    *ret_io = io;
    return 0;
}

int loop_io_change(struct loop_io *io, unsigned events)
{
    struct epoll_event ev = { .events = epoll_mask(events), .data.ptr = io };

    return epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &ev) < 0 ? -errno : 0;
}

void loop_io_remove(struct loop_io *io)
{
    if (!io || io->dead)
        return;
    (void)epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
    io->dead = true;
    io->next_dead = io->loop->dead;
    io->loop->dead = io;
}

static void bury(struct loop *l)
{
    while (l->dead) {
        struct loop_io *io = l->dead;

        l->dead = io->next_dead;
        free(io);
    }
}

/* --- signals -----------------------------------------------------------------------------------
 */

static void signals_read(void *data, int fd, unsigned events)
{
    struct loop *l = data;
    struct signalfd_siginfo info;

    (void)events;
    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        l->signal_fn(l->signal_data, (int)info.ssi_signo);
}

int loop_signals(struct loop *l, const int *signals, loop_signal_fn *fn, void *data, struct err *e)
{
    sigset_t set;
    int r;

    if (l->signal_fd >= 0)
        return err_set(e, -EBUSY, "signals are already watched by this loop");
    (void)sigemptyset(&set);
    for (; *signals; signals++)
        (void)sigaddset(&set, *signals);
    r = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (r)
        return err_errno(e, -r, "pthread_sigmask");
    l->signal_fn = fn;
    l->signal_data = data;
    l->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (l->signal_fd < 0)
        return err_errno(e, -errno, "signalfd");
    r = loop_io_add(l, l->signal_fd, LOOP_READ, signals_read, l, &l->signal_io);
    return r < 0 ? err_errno(e, r, "epoll_ctl") : 0;
}

/* --- work from other threads -------------------------------------------------------------------
 */

static void ring(struct loop *l)
{
    uint64_t one = 1;

    /* A full counter (EAGAIN) means that the loop will wake anyway. */
    (void)!write(l->event_fd, &one, sizeof(one));
}

void loop_post(struct loop *l, loop_post_fn *fn, void *data)
{
    (void)pthread_mutex_lock(&l->lock);
    *ARRAY_ADD(&l->queue, posts) = (struct post){ fn, data };
    (void)pthread_mutex_unlock(&l->lock);
    ring(l);
}

static void posts_run(struct loop *l)
{
    struct queue q;

    (void)pthread_mutex_lock(&l->lock);
    q = l->queue;
    l->queue = (struct queue){ 0 };
    (void)pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < q.n_posts; i++)
        q.posts[i].fn(q.posts[i].data);
    free(q.posts);
}

static void event_read(void *data, int fd, unsigned events)
{
    uint64_t rings;

    (void)events;
    if (read(fd, &rings, sizeof(rings)) == (ssize_t)sizeof(rings))
        posts_run(data);
}

void loop_stop(struct loop *l, int code)
{
    (void)pthread_mutex_lock(&l->lock);
    l->stopping = true;
    l->code = code;
    (void)pthread_mutex_unlock(&l->lock);
    ring(l);
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static int loop_open(struct loop *l)
{
    int r;

    if ((l->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
        (l->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)) < 0 ||
        (l->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
        return -errno;
    r = loop_io_add(l, l->timer_fd, LOOP_READ, timer_read, l, &l->timer_io);
    return r < 0 ? r : loop_io_add(l, l->event_fd, LOOP_READ, event_read, l, &l->event_io);
}

int loop_new(struct loop **ret_loop, struct err *e)
{
    AUTO(loop) struct loop *l = xcalloc(1, sizeof(*l));
    int r;

    l->epoll_fd = l->timer_fd = l->event_fd = l->signal_fd = -1;
    l->set_ms = INT64_MAX;
    l->now_ms = clock_boot_ms();
    (void)pthread_mutex_init(&l->lock, NULL);
    r = loop_open(l);
    if (r < 0)
        return err_errno(e, r, "cannot make an event loop");
    *ret_loop = TAKE(l);
    return 0;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (l->queue.n_posts)
        posts_run(l);
    loop_io_remove(l->timer_io);
    loop_io_remove(l->event_io);
    loop_io_remove(l->signal_io);
    bury(l);
    close_if_open(l->signal_fd);
    close_if_open(l->event_fd);
    close_if_open(l->timer_fd);
    close_if_open(l->epoll_fd);
    free(l->timers);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

static bool stop_wanted(struct loop *l, int *ret_code)
{
    bool stopping;

    (void)pthread_mutex_lock(&l->lock);
    stopping = l->stopping;
    l->stopping = false;
    *ret_code = l->code;
    (void)pthread_mutex_unlock(&l->lock);
    return stopping;
}

static unsigned loop_events(uint32_t mask)
{
    return (mask & EPOLLIN ? LOOP_READ : 0u) | (mask & EPOLLOUT ? LOOP_WRITE : 0u) |
           (mask & (EPOLLHUP | EPOLLERR) ? LOOP_HANGUP : 0u);
}

int loop_run(struct loop *l)
{
    struct epoll_event events[BATCH];
    int code;

    while (!stop_wanted(l, &code)) {
        bool due = timer_is_due(l); /* no need of the timerfd to come to it */
        int n;

        if (!due)
            timer_set(l);
        n = epoll_wait(l->epoll_fd, events, BATCH, due ? 0 : -1);
        if (n < 0 && errno != EINTR)
            return -errno;
        l->now_ms = clock_boot_ms();
        for (int i = 0; i < n; i++) {
            struct loop_io *io = events[i].data.ptr;

            if (!io->dead)
                io->fn(io->data, io->fd, loop_events(events[i].events));
        }
        timers_fire(l);
        bury(l);
    }
    return code;
}

int64_t loop_now_ms(const struct loop *l)
{
    return l->now_ms;
}
