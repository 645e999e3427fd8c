/* What httpd.c (server and connections), httpd_call.c (requests and answers) and httpd_stream.c
 * share.
 *
 * Locks are taken in this order: httpd.lock, call.lock or stream.lock, libmicrohttpd's own. A
 * callback into the owner (handler, admit, closed) is made without any of them. */
#ifndef HUDDLE_BASE_HTTPD_PRIVATE_H
#define HUDDLE_BASE_HTTPD_PRIVATE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "proto/base/httpd.h"
#include "proto/base/httpd_tls.h"
#include "proto/base/strbuf.h"

struct link { /* one connection */
    struct link *next, **back;
    int fd;
    _Atomic int64_t deadline_ms; /* boot time at which it is cut; 0: never */
    struct httpd_stream *stream; /* guarded by httpd.lock; NULL: none */
    struct identity *identity;   /* its own user of it; NULL: plain HTTP */
};

struct httpd {
    struct MHD_Daemon *daemon;
    struct httpd_options options;
    struct tls_text {
        char *cert, *key; /* PEM, as libmicrohttpd borrows them; NULL: plain HTTP */
    } tls;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;  /* of the reaper; and busy fell to 0 while stopping */
    struct link *links;
    struct identity *identity; /* of connections from now on; NULL: plain HTTP */
    size_t busy;               /* calls that wait for their answer, and streams not ended */
    bool stopping;             /* no new calls */
    pthread_t reaper;
    bool reaping, reaped; /* reaped: it is to end */
};

/* READING -> HANDED -> (AGAIN -> HANDED)* -> ANSWERED -> QUEUED */
enum progress { CALL_READING, CALL_HANDED, CALL_AGAIN, CALL_ANSWERED, CALL_QUEUED };

struct header {
    char *name, *value;
};

struct httpd_call {
    struct httpd *httpd;
    struct MHD_Connection *connection;
    struct link *link;
    char *method, *path;
    struct strbuf body;
    size_t most_body;
    bool too_long;
    struct header *headers;
    size_t n_headers, cap_headers;
    void *attached;
    void (*release)(void *thing);
    pthread_mutex_t lock; /* guards what follows: the handler may answer from another thread */
    enum progress progress;
    bool suspended, counted; /* counted: in httpd.busy */
    httpd_handler_fn *again;
    void *again_data;
    int status;
    struct MHD_Response *response;
    struct httpd_stream *stream; /* NULL: the response is complete */
};

/* The link's deadline: `ms` from now; 0: none. */
void httpd_link_deadline(struct link *l, int64_t ms);

/* One of `busy` more; false: it is stopping. One less; the httpd may be gone when it returns. */
bool httpd_busy(struct httpd *h);
void httpd_idle(struct httpd *h);

/* libmicrohttpd's callbacks on requests; data is the httpd. */
enum MHD_Result httpd_on_access(void *data, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *bytes,
                                size_t *n, void **context);
void httpd_on_completed(void *data, struct MHD_Connection *connection, void **context,
                        enum MHD_RequestTerminationCode why);

/* Gives the call its answer, which it owns from now on. */
void httpd_answer(struct httpd_call *call, int status, const char *content_type,
                  struct MHD_Response *response, struct httpd_stream *stream);

/* The client went away. Under httpd.lock. */
void httpd_stream_gone(struct httpd_stream *s);

#endif
