/* What the API needs from the daemon. Every function may be called from any server thread; `done`
 * is called exactly once, perhaps on another thread, perhaps before the function returns. Whatever
 * the caller passes in stays valid until then. */
#ifndef HUDDLE_API_BACKEND_H
#define HUDDLE_API_BACKEND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/api/access.h"
#include "controller/api/auth.h"
#include "controller/controller.h"
#include "proto/base/err.h"
#include "proto/base/strbuf.h"

struct api_answer {
    int status;          /* HTTP */
    json_t *object;      /* borrowed for the callback: take a reference to keep it; may be NULL */
    const char *message; /* for errors; may be NULL */
    uint64_t version;    /* controller_version() at that moment */
};

typedef void api_done_fn(void *arg, const struct api_answer *answer);

#define API_STATS_WATCHES 16

struct api_stats { /* of the daemon, for /metrics; cumulative since its start */
    uint64_t reports, reports_refused, reports_replaced, batches, store_failures, plans;
    uint64_t planning_cpu_ns;
    struct { /* of the API server of Kubernetes */
        const char *kind;
        bool up;
    } watches[API_STATS_WATCHES];
    size_t n_watches;
};

/* About a bearer token that is none of ours. */
struct api_question {
    const char *token;
    unsigned char hash[AUTH_HASH_BYTES]; /* of the token */
    const char *address;                 /* where it comes from, as gate_address() has it */
    struct access access;
};

struct api_backend {
    void *data;

    /* Whose is the token, and may he? 200 and the user's name as the object, a string; 401, 403, or
     * 503 when it cannot be found out, with the reason. NULL: only tokens of ours are known. */
    void (*review)(void *data, const struct api_question *question, api_done_fn *done, void *arg);

    /* controller_get(): the object, or an array of all (name NULL); 404 when there is none. */
    void (*get)(void *data, const char *kind, const char *name, api_done_fn *done, void *arg);

    /* controller_report() */
    void (*report)(void *data, int64_t from_wall_ms, int64_t to_wall_ms, api_done_fn *done,
                   void *arg);

    /* A CE_PUT, CE_DELETE or CE_VERB; the daemon fills in ticket and wall_ms. The answer comes
     * after the change is durable (FX_ANSWER). */
    void (*submit)(void *data, struct controller_event *event, api_done_fn *done, void *arg);

    /* A report's bytes, sent by this bearer; appends the encoded Reply. Returns the HTTP status,
     * with the reason in e. */
    int (*ingest)(void *data, const struct bearer *by, const void *bytes, size_t n,
                  struct strbuf *reply, struct err *e);

    /* Ready: the store is open, the front door (if any) was reached, the loop turns. */
    bool (*ready)(void *data, struct err *e);
    void (*stats)(void *data, struct api_stats *ret_stats);
};

#endif
