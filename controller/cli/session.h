/* The server and how it is spoken to: address, token and certificate authority, from flags, the
 * environment or the configuration file (in this order), and requests to its API. */
#ifndef HUDDLE_CLI_SESSION_H
#define HUDDLE_CLI_SESSION_H

#include <jansson.h>
#include <stdint.h>

#include "controller/cli/options.h"
#include "controller/cli/session_kube.h"
#include "proto/base/err.h"
#include "proto/base/http.h"
#include "proto/base/strbuf.h"

#define API_PREFIX "/apis/huddle.energy/v1alpha1"
#define DEFAULT_SERVER "http://127.0.0.1:7443"

struct session {
    char *server;              /* without a slash at its end */
    char *token;               /* or NULL */
    char *user;                /* of whom the token is the password; NULL: a bearer token */
    char *ca;                  /* or NULL: the system's */
    struct session_kube *kube; /* the way through an API server; NULL: none */
    int64_t total_ms;          /* longest answer; 0: the usual */
};

/* A token is never sent in the clear to another machine: http:// is refused then. */
int session_open(const struct options *o, struct session *ret_session, struct err *e);

/* Through the API server of Kubernetes: see session_kube.h. A token is taken from flags alone. */
int session_open_kube(const struct options *o, struct session *ret_session, struct err *e);

/* Another server than huddle's: token, user and certificate authority are taken from flags alone,
 * so that what is meant for huddle is never sent there. */
int session_open_at(const struct options *o, const char *url, struct session *ret_session,
                    struct err *e);
void session_done(struct session *s);

/* `path` is behind the server ("/version") and escaped. `body` may be NULL, and so may ret_answer.
 * 0 and a new reference; -ENOENT (404), -EEXIST (409), -ESTALE (410), -EACCES (401, 403), -EINVAL
 * (other 4xx), -EPROTO (5xx or not JSON) with the server's own words, or an error of the
 * connection. */
int session_call(const struct session *s, const char *method, const char *path, const json_t *body,
                 json_t **ret_answer, struct err *e);

/* Streams the answer of a GET: `chunk` as in http_fetch(). 0 at its end. */
int session_stream(const struct session *s, const char *path, http_chunk_fn *chunk, void *data,
                   struct err *e);

/* Appends a word with all that has a meaning in URLs as %XX. */
void session_escape(struct strbuf *out, const char *word);

/* Appends "/apis/.../plural/name" with the name escaped; name NULL: the whole kind. */
void session_path(struct strbuf *out, const char *plural, const char *name);

#endif
