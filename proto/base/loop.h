/* One thread's event loop: epoll, timers on one timerfd of CLOCK_BOOTTIME (it keeps counting in
 * suspend), signals, and a queue through which other threads hand over work.
 *
 * Callbacks run on the loop's thread. A source may be removed from inside any callback, its own
 * included. Only loop_post() and loop_stop() may be called from other threads. */
#ifndef HUDDLE_BASE_LOOP_H
#define HUDDLE_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"

struct loop;
struct loop_io;
struct loop_timer;

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4 };

int loop_new(struct loop **ret_loop, struct err *e);
void loop_free(struct loop *l);
DEFINE_AUTO(loop, struct loop *, loop_free);

/* Runs until loop_stop(); returns its code. May be run again. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int code);

/* Boot time of this turn, ms: read once when the loop wakes, so a turn sees one time. */
int64_t loop_now_ms(const struct loop *l);

/* Watches fd (not owned) for LOOP_READ | LOOP_WRITE. 0 events: only hang-ups are told. */
typedef void loop_io_fn(void *data, int fd, unsigned events);
int loop_io_add(struct loop *l, int fd, unsigned events, loop_io_fn *fn, void *data,
                struct loop_io **ret_io);
int loop_io_change(struct loop_io *io, unsigned events);
void loop_io_remove(struct loop_io *io); /* accepts NULL; call before the fd is closed */

/* A timer fires once at or after its boot time; arm it again from its callback to repeat. */
typedef void loop_timer_fn(void *data, int64_t now_ms);
struct loop_timer *loop_timer_add(struct loop *l, loop_timer_fn *fn, void *data);
void loop_timer_arm(struct loop_timer *t, int64_t at_ms);
void loop_timer_disarm(struct loop_timer *t);
void loop_timer_remove(struct loop_timer *t); /* accepts NULL */

/* Delivers blocked signals `signals` (closed by 0) as a callback, through a signalfd. */
typedef void loop_signal_fn(void *data, int signal);
int loop_signals(struct loop *l, const int *signals, loop_signal_fn *fn, void *data, struct err *e);

/* Runs fn(data) on the loop's thread soon. Thread-safe, first in first out, never dropped: what is
 * still queued at loop_free() is run there. */
typedef void loop_post_fn(void *data);
void loop_post(struct loop *l, loop_post_fn *fn, void *data);

#endif
