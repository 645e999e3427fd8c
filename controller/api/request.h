/* One request on its way: what is asked, by whom, what the backend said, and the ways to answer it.
 *
 * A handler answers by request_json(), request_text() or request_fail(), or asks the backend and
 * names the function that goes on when the answer is there. Either is the last thing it does: from
 * then on the request may be gone. Handlers and what goes on after them run on the server's
 * threads. */
#ifndef HUDDLE_API_REQUEST_H
#define HUDDLE_API_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/api/backend.h"
#include "controller/api/route.h"
#include "controller/pki/roster.h"
#include "proto/base/httpd.h"
#include "proto/manifest.h"

struct api_server;

#define REQUEST_PARTS 3

struct request {
    struct api_server *server;
    struct httpd_call *call;
    struct route route;
    int route_status;  /* 0; 404, 405: there is no such route, which only who is known is told */
    const char *allow; /* methods that there are; of 405 */
    struct bearer by;
    bool asks; /* others have to be asked who it is */
    struct api_question question;
    char address[HTTPD_PEER_MAX]; /* of the question */

    char uid[CERTIFICATE_UID_MAX]; /* of a node that came in by its certificate; else "" */
    struct enrolled enrolled;      /* owned: what was signed for it */

    /* the backend's last answer */
    int status;
    json_t *object; /* owned, or NULL */
    char *message;  /* owned, or NULL */
    uint64_t version;
    void (*next)(struct request *rq);

    /* of those that write: what the backend borrows until it answers */
    struct controller_event event;
    struct manifest *manifest;
    json_t *patch; /* PATCH: the patch; DELETE: its options; verbs: the body */
    bool dry_run;
    int tries;

    json_t *parts[REQUEST_PARTS]; /* /metrics: arrays of objects */
    size_t n_parts;
};

struct request *request_new(struct api_server *server, struct httpd_call *call);
void request_free(void *rq);

/* --- asking; rq->status and the others are set when `next` is called --- */

void request_get(struct request *rq, const char *kind, const char *name,
                 void (*next)(struct request *rq));
void request_report(struct request *rq, int64_t from_wall_ms, int64_t to_wall_ms,
                    void (*next)(struct request *rq));
void request_submit(struct request *rq, void (*next)(struct request *rq)); /* rq->event */
void request_review(struct request *rq, void (*next)(struct request *rq)); /* rq->question */

/* True when the backend refused: then the refusal is the request's answer. */
bool request_refused(struct request *rq);

/* --- answering --- */

void request_json(struct request *rq, int code, const json_t *value);
void request_text(struct request *rq, int code, const char *content_type, const void *bytes,
                  size_t n);
void request_fail(struct request *rq, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* request_fail() with a Retry-After header. */
void request_retry(struct request *rq, int code, int seconds, const char *why);

/* The backend's last answer as it is. */
void request_forward(struct request *rq);

/* --- reading --- */

/* Is the query parameter `name` a true "true" or "1"? */
bool request_flag(const struct request *rq, const char *name);

/* True when the client takes application/json; else it has been answered 406. */
bool request_accepts_json(struct request *rq);

#endif
