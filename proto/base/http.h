/* HTTP client: libcurl behind two calls. http_send() is asynchronous on a loop (loop.h);
 * http_fetch() blocks and is for command line programs. The only user of libcurl.
 *
 * What has a body is sent once: when the connection breaks, nobody knows whether it was done.
 * Others may be sent anew on a fresh connection. Redirects are never followed, proxies of the
 * environment never used. Verification of TLS peers cannot be switched off, but by `unverified`,
 * which belongs to controller/kube_client and agent/join.c alone; `pinned_key` is another way to
 * verify. Errors name the URL and the cause, never a credential. */
#ifndef HUDDLE_BASE_HTTP_H
#define HUDDLE_BASE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/loop.h"

struct http_client;
struct http_call;

/* Takes the body of a 2xx answer as it comes. Non-zero ends the call; that is no error. Runs inside
 * libcurl: it must not call http_send() or http_cancel(). */
typedef int http_chunk_fn(void *data, const char *bytes, size_t n);

struct http_request { /* borrowed for the call of http_send(); zero is the default of each field */
    const char *method; /* "GET" */
    const char *url;
    const char *content_type;
    const char *accept;
    const void *body; /* copied */
    size_t body_length;
    int64_t connect_ms;  /* 5 s */
    int64_t total_ms;    /* 30 s; -1: no limit (watches) */
    size_t most_bytes;   /* of the answer, 1 MiB; more is an error */
    const char *ca_file; /* PEM; NULL: the system's */
    const char *cert_file, *key_file;
    const char *bearer; /* token, sent as Authorization */
    const char *user;   /* basic authentication as this user; `bearer` is the password */
    bool compressed;    /* gzip is welcome; `most_bytes` is of what it unpacks to */
    const char *unix_socket;
    const char *const *headers;  /* further ones, "Name: value", closed by NULL */
    const char *proxy;           /* "http://10.0.0.1:3128", "socks5://..."; NULL: none */
    const char *tls_server_name; /* who the peer must be; NULL: the host of the URL */
    bool unverified;             /* the TLS peer may be anybody */
    const char *pinned_key;      /* "sha256//BASE64" of the public key that the TLS peer must have,
                                    whoever signed its certificate, whatever its name; with
                                    `ca_file` both must hold */
    bool http1;                  /* not HTTP/2: one call at a time on a connection */
    int64_t peer_ms;      /* a peer that acknowledges nothing for so long is gone; 0: the kernel's
                             time. Holds for the connection that this request opens */
    http_chunk_fn *chunk; /* of http_send(), with its `data`; response->body then stays empty */
};

struct http_response {
    int status;       /* 0: no answer; `error` says why */
    const char *body; /* NUL-terminated; borrowed for the callback */
    size_t length;
    const char *content_type; /* "" where none is said; borrowed for the callback */
    long retry_after_s;       /* 0: not said */
    int code;                 /* without an answer: -errno. -EPROTO: the TLS peer is not who it
                                 should be */
    bool sent;                /* the peer may have had the request, or a part of it */
    void *curl;               /* for http_header() */
    struct err error;
};

int http_client_new(struct loop *l, struct http_client **ret_client, struct err *e);
void http_client_free(struct http_client *c); /* calls in flight end without their callback */
DEFINE_AUTO(http_client, struct http_client *, http_client_free);

/* `fn` is called once, from the loop, never from inside http_send(). `ret_call` may be NULL. */
typedef void http_done_fn(void *data, const struct http_response *response);
int http_send(struct http_client *c, const struct http_request *request, http_done_fn *fn,
              void *data, struct http_call **ret_call, struct err *e);

/* A header of the answer, or NULL; borrowed for the callback. */
const char *http_header(const struct http_response *response, const char *name);

/* Requests that are sent from now on use no connection that is there already: the files of CA,
 * certificate or key have changed. */
void http_client_renew(struct http_client *c);

/* Ends the call without its callback. Not to be used after the callback. Accepts NULL. */
void http_cancel(struct http_call *call);

/* Blocking. With `chunk` the body of a 2xx answer is handed over and `ret_body` stays empty.
 * Returns the HTTP status, or -errno with the reason in e. *ret_body is the caller's to free. */
int http_fetch(const struct http_request *request, http_chunk_fn *chunk, void *data,
               char **ret_body, size_t *ret_length, struct err *e);

#endif
