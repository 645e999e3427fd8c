/* Requests to a Kubernetes API server, with the credentials of a kube_config: the way to it for all
 * of huddle. Over http.h, on a loop.
 *
 * Tokens in files are read again at least once a minute; a 401 has credentials read anew (or the
 * exec plugin run again) and the request sent once more. When certificate files change, connections
 * are opened anew. Requests other than watches (total_ms -1) keep to 20 a second, 40 at once
 * (client-go's customary limits for controllers), also of several clients: kube_client_share().
 * When the server throttles (KUBE_THROTTLED), all wait for as long as it says, at most 45 s (but
 * `prompt`); a refusal by a PodDisruptionBudget holds up nobody. Nothing is repeated blindly: a
 * caller that got no answer to a write looks first. What may be done for a time only (a leader's
 * write) says so: not_after_ms.
 *
 * Credentials go to the server of the configuration alone, and only over https, as with kubectl. */
#ifndef HUDDLE_KUBE_CLIENT_H
#define HUDDLE_KUBE_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/kube_client/kube_config.h"
#include "controller/kube_client/kube_status.h"
#include "proto/base/http.h"
#include "proto/base/loop.h"

struct kube_client;
struct kube_call;

#define KUBE_MERGE_PATCH "application/merge-patch+json"
#define KUBE_JSON_PATCH "application/json-patch+json"
#define KUBE_APPLY_PATCH "application/apply-patch+yaml"

struct kube_request {         /* borrowed for the call of kube_send(); zero is the default */
    const char *method;       /* "GET" */
    const char *path;         /* "/api/v1/nodes?limit=500": behind the server, escaped */
    const char *content_type; /* of the body: "application/json" */
    const char *accept;       /* "application/json" */
    const json_t *body;       /* or NULL */
    int64_t total_ms;         /* 30 s; -1: no limit, a watch */
    int64_t not_after_ms;     /* boot time: from then on it is not sent, nor sent once more, and
                                 what is under way ends; 0: at any time */
    bool prompt;              /* too late is as good as never: it does not wait for as long as a
                                 throttling server has said to others; the caller spaces its tries */
    http_chunk_fn *chunk;     /* gets the body of a 2xx answer as it comes, with fn's `data`; what
                                 it may do: kube_send() and kube_cancel(), also of its own call */
};

struct kube_answer {
    struct kube_status status; /* KUBE_OK for 2xx */
    json_t *object;            /* borrowed for the callback; NULL where there is none, or chunk */
};

typedef void kube_done_fn(void *data, const struct kube_answer *answer);

/* Takes `config` over, also on error. */
int kube_client_new(struct loop *l, struct kube_config *config, struct kube_client **ret_client,
                    struct err *e);
/* Calls in flight end without their callback. Not from a callback. */
void kube_client_free(struct kube_client *c);
DEFINE_AUTO(kube_client, struct kube_client *, kube_client_free);

/* Keeps to a rate together with other clients from now on; borrowed, outlives the client. `yields`:
 * others go first, as a quarter of the burst is left to them. Before its first request. */
struct kube_limit;
void kube_client_share(struct kube_client *c, struct kube_limit *limit, bool yields);

const struct kube_config *kube_client_config(const struct kube_client *c);

/* `fn` is called once, from the loop, never from inside kube_send(). `ret_call` may be NULL.
 * Answers of more than 16 MiB are an error (page lists). */
int kube_send(struct kube_client *c, const struct kube_request *request, kube_done_fn *fn,
              void *data, struct kube_call **ret_call, struct err *e);
void kube_cancel(struct kube_call *call); /* without its callback; accepts NULL */

/* For command lines: runs the client's loop until the answer is there. 0 whenever there is an
 * answer (see ret_status), or -errno. *ret_object is a new reference, or NULL. */
int kube_fetch(struct kube_client *c, const struct kube_request *request,
               struct kube_status *ret_status, json_t **ret_object, struct err *e);

/* Runs the client's loop for so long (0: 1 s; at most 30 s), or until it is stopped. */
void kube_client_wait(struct kube_client *c, int64_t ms);

/* What the client shows of itself, for a request that goes another way (an answer that is streamed
 * to a caller that waits). Borrowed until its next request. -EAGAIN before the first was answered.
 */
struct kube_login {
    const char *bearer, *cert_file, *key_file; /* NULL: none */
    const char *const *headers;                /* User-Agent, impersonation; closed by NULL */
};
int kube_login(struct kube_client *c, struct kube_login *ret_login, struct err *e);

/* For command lines: GETs a whole list, page by page (limit=500), `item` for each object; -errno,
 * with the server's words, when it cannot be had whole. An expired page begins the list anew, after
 * `restart` (may be NULL) was called. */
typedef void kube_item_fn(void *data, const json_t *object);
int kube_fetch_list(struct kube_client *c, const char *path, kube_item_fn *item,
                    void (*restart)(void *data), void *data, struct kube_status *ret_status,
                    struct err *e);

#endif
