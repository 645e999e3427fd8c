/* HTTP server: libmicrohttpd (its only user) with the limits a daemon needs. Used by the
 * controller's API and by the agent's metrics page.
 *
 * A pool of threads reads requests; a handler is called with a whole request and answers at once or
 * later, from any thread, exactly once, by httpd_reply() or httpd_stream_begin(). A connection that
 * takes longer than its time for header, body or answer is cut, whether or not bytes trickle (slow
 * loris). What libmicrohttpd itself refuses (no HTTP at all, a header above 32 KiB) gets its own
 * short HTML page and never comes here. */
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

/* Called when the header is here and the body is not: returns the most bytes that the body may
 * have. It may answer by httpd_reply(), at once: then the body is not read and the handler not
 * called. */
typedef size_t httpd_admit_fn(void *data, struct httpd_call *call);

struct httpd_options {
    const char *address;              /* "127.0.0.1", "::1", "0.0.0.0" */
    uint16_t port;                    /* 0: any; see httpd_port() */
    const char *cert_file, *key_file; /* PEM; NULL: plain HTTP */
    /* PEM: clients must show a certificate that one of these authorities signed for a client; else
     * there is no handshake. One that has expired passes it: see httpd_client(). NULL: no
     * certificates are asked for. Borrowed until httpd_free(). */
    const char *client_ca_file;
    unsigned threads;            /* 2 */
    unsigned connections;        /* 4096 in all */
    unsigned connections_per_ip; /* 0: no limit */
    size_t most_body;            /* 1 MiB; see httpd_body() */
    int64_t header_ms, body_ms;  /* 5 s, 10 s */
    int64_t idle_ms;             /* 120 s between requests, and for a client to take an answer */
    httpd_admit_fn *admit;       /* NULL: most_body is the limit */
    httpd_handler_fn *handler;
    void *data; /* of admit and handler */
};

int httpd_new(const struct httpd_options *options, struct httpd **ret_httpd, struct err *e);

/* Takes no further requests, waits until the calls in progress are answered and the streams ended
 * (by their owners, on other threads), then cuts all connections. */
void httpd_free(struct httpd *h);
DEFINE_AUTO(httpd, struct httpd *, httpd_free);
uint16_t httpd_port(const struct httpd *h);

/* Reads a certificate and its key, and the authorities of clients, for the connections that come
 * from now on; those that are there keep theirs. Only of a server that was started with one. On
 * error nothing changes. */
int httpd_certify(struct httpd *h, const char *cert_file, const char *key_file, struct err *e);

/* The request. Borrowed until it is answered. */
const char *httpd_method(const struct httpd_call *call);
const char *httpd_path(const struct httpd_call *call); /* decoded, without the query */
const char *httpd_query(const struct httpd_call *call, const char *name);  /* or NULL */
const char *httpd_header(const struct httpd_call *call, const char *name); /* or NULL */
/* NUL-terminated. NULL: it was longer than allowed; answer 413, at once. */
const void *httpd_body(const struct httpd_call *call, size_t *ret_n);
#define HTTPD_PEER_MAX 64
void httpd_peer(const struct httpd_call *call, char text[HTTPD_PEER_MAX]); /* "127.0.0.1" */

/* Of a server with client_ca_file: what the client's certificate says, which was verified when the
 * connection began but for its end, which the caller looks at. False: it says no such things. */
#define HTTPD_URI_MAX 128
struct httpd_client {
    char uri[HTTPD_URI_MAX]; /* its first name that is a URI */
    char common_name[HTTPD_PEER_MAX + 1];
    int64_t until_ms; /* wall clock */
};
bool httpd_client(const struct httpd_call *call, struct httpd_client *ret_client);

/* Something of the caller's that lives as long as the call; freed by `release` after the answer
 * was sent or the client went away. */
void httpd_attach(struct httpd_call *call, void *thing, void (*release)(void *thing));
void *httpd_attached(const struct httpd_call *call);

/* Adds a header to the answer; before httpd_reply(). */
void httpd_add_header(struct httpd_call *call, const char *name, const char *value);

/* Answers with a copy of the bytes; the call is gone afterwards. */
void httpd_reply(struct httpd_call *call, int status, const char *content_type, const void *bytes,
                 size_t n);

/* Calls fn(data, call) on a thread of the server, instead of an answer: for work that is too long
 * for the thread at hand. fn takes the handler's place: it answers at once or later. */
void httpd_again(struct httpd_call *call, httpd_handler_fn *fn, void *data);

/* Answers with a stream of bytes written later, from any thread. `closed` is called once, when the
 * client went away or after httpd_stream_end(); the stream is not to be used afterwards. It may be
 * called on another thread before httpd_stream_begin() returns: its owner holds a lock over both.
 */
typedef void httpd_closed_fn(void *data);
struct httpd_stream *httpd_stream_begin(struct httpd_call *call, const char *content_type,
                                        httpd_closed_fn *closed, void *data);
/* What stands at the beginning of a stream, of any length; before the first httpd_stream_write().
 */
void httpd_stream_prime(struct httpd_stream *s, const void *bytes, size_t n);
/* False when the reader is too slow, and nothing was added: 256 KiB wait and it took nothing for 5
 * s, or 4 MiB wait. */
bool httpd_stream_write(struct httpd_stream *s, const void *bytes, size_t n);
void httpd_stream_end(struct httpd_stream *s);

#endif
