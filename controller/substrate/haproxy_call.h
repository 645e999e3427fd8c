/* Talking to HAProxy's Runtime API: a UNIX socket, one line of commands (separated by ';'), then
 * text until HAProxy closes. Asynchronous on a loop. */
#ifndef HUDDLE_HAPROXY_CALL_H
#define HUDDLE_HAPROXY_CALL_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/loop.h"

#define HAPROXY_LINE_MAX 8192u         /* of commands; HAProxy's own limit is 16 KiB */
#define HAPROXY_ANSWER_MAX (32u << 20) /* more is refused with -EMSGSIZE */

struct haproxy_call;

struct haproxy_answer { /* borrowed for the callback, but for `text` */
    int result;         /* 0, or -errno with `error` */
    char *text;         /* heap, NUL-terminated; the callback may take it and leave NULL */
    size_t n;
    struct err error;
};
typedef void haproxy_call_fn(void *data, struct haproxy_answer *answer);

/* `line` without its end, at most HAPROXY_LINE_MAX bytes. `fn` is called once, from the loop, never
 * from inside; the call is released then. Returns -errno when nobody listens (-ECONNREFUSED,
 * -ENOENT) or the socket cannot be used: `fn` is not called. */
int haproxy_call(struct loop *l, const char *socket, const char *line, int64_t timeout_ms,
                 haproxy_call_fn *fn, void *data, struct haproxy_call **ret_call, struct err *e);
void haproxy_call_cancel(struct haproxy_call *c); /* without its callback. Accepts NULL */

/* As haproxy_call(), for a line whose answer never ends: each line of it is handed over as it comes
 * (NUL-terminated; longer ones than 256 bytes are dropped). `ended` is called once, from the loop,
 * when HAProxy closes. */
typedef void haproxy_line_fn(void *data, char *line);
typedef void haproxy_ended_fn(void *data);
int haproxy_follow(struct loop *l, const char *socket, const char *line, haproxy_line_fn *fn,
                   haproxy_ended_fn *ended, void *data, struct haproxy_call **ret_call,
                   struct err *e);

#endif
