/* HTTP server: libmicrohttpd (its only user) with the limits a daemon needs. Used by the
 * controller's API and by the agent's metrics page.
 *
 * A pool of threads reads requests; a handler is called with a whole request and answers at once or
 * later, from any thread, exactly once, by httpd_reply() or httpd_stream_begin(). A connection that
 * takes longer than its time for header or body is cut, whether or not bytes trickle in (slow
 * loris). */
#ifndef HUDDLE_BASE_HTTPD_H
#define HUDDLE_BASE_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"

struct httpd;
struct httpd_call; /* one request being answered */
struct httpd_stream;

typedef void httpd_handler_fn(void *data, struct httpd_call *call);

struct httpd_options {
    const char *address;              /* "127.0.0.1", "::1", "0.0.0.0" */
    uint16_t port;                    /* 0: any; see httpd_port() */
    const char *cert_file, *key_file; /* PEM; NULL: plain HTTP */
    unsigned threads;                 /* 2 */
    unsigned connections;             /* 4096 in all */
    unsigned connections_per_ip;      /* 0: no limit */
    size_t most_body;                 /* 1 MiB; more is 413 */
    int64_t header_ms, body_ms;       /* 5 s, 10 s */
    int64_t idle_ms;                  /* 120 s between requests */
    httpd_handler_fn *handler;
    void *data;
};

int httpd_new(const struct httpd_options *options, struct httpd **ret_httpd, struct err *e);
void httpd_free(struct httpd *h); /* waits for calls in progress; no call may be left unanswered */
DEFINE_AUTO(httpd, struct httpd *, httpd_free);
uint16_t httpd_port(const struct httpd *h);

/* The request. Borrowed until it is answered. */
const char *httpd_method(const struct httpd_call *call);
const char *httpd_path(const struct httpd_call *call); /* decoded, without the query */
const char *httpd_query(const struct httpd_call *call, const char *name);  /* or NULL */
const char *httpd_header(const struct httpd_call *call, const char *name); /* or NULL */
const void *httpd_body(const struct httpd_call *call, size_t *ret_n);
#define HTTPD_PEER_MAX 64
void httpd_peer(const struct httpd_call *call, char text[HTTPD_PEER_MAX]); /* "127.0.0.1" */

/* Adds a header to the answer; before httpd_reply(). */
void httpd_add_header(struct httpd_call *call, const char *name, const char *value);

/* Answers with a copy of the bytes; the call is gone afterwards. */
void httpd_reply(struct httpd_call *call, int status, const char *content_type, const void *bytes,
                 size_t n);

/* Answers with a stream of bytes written later, from any thread. `closed` is called once, when the
 * client went away or after httpd_stream_end(); the stream is not to be used afterwards. */
typedef void httpd_closed_fn(void *data);
struct httpd_stream *httpd_stream_begin(struct httpd_call *call, const char *content_type,
                                        httpd_closed_fn *closed, void *data);
/* False when 256 KiB wait already: the reader is too slow, nothing was added. */
bool httpd_stream_write(struct httpd_stream *s, const void *bytes, size_t n);
void httpd_stream_end(struct httpd_stream *s);

#endif
