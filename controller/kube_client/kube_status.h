/* What a Kubernetes API server means by an answer that is not what was asked for: HTTP status and
 * the body's `Status` object, brought to the few cases that callers tell apart. Pure.
 *
 * Source: k8s.io/apimachinery/pkg/apis/meta/v1 (StatusReason, StatusDetails). */
#ifndef HUDDLE_KUBE_STATUS_H
#define HUDDLE_KUBE_STATUS_H

#include <jansson.h>
#include <stdint.h>

#include "proto/base/err.h"

enum kube_reason {
    KUBE_OK,
    KUBE_UNREACHABLE,    /* no answer, or not one of an API server; nothing is known of a write */
    KUBE_UNAUTHORIZED,   /* 401 */
    KUBE_FORBIDDEN,      /* 403: rights, admission, quota (see message) */
    KUBE_NOT_FOUND,      /* 404: the object, its namespace, or the whole resource */
    KUBE_ALREADY_EXISTS, /* 409 AlreadyExists */
    KUBE_CONFLICT,       /* 409 Conflict: stale resourceVersion or failed precondition */
    KUBE_EXPIRED,        /* 410, or an ERROR event that says so: list again */
    KUBE_INVALID,        /* 400, 415, 422: the request itself is wrong */
    KUBE_DISRUPTION_BUDGET, /* 429 of the Eviction API: a PodDisruptionBudget refuses */
    KUBE_THROTTLED,         /* 429 of priority and fairness: come again after retry_after_ms */
    KUBE_AHEAD,             /* 504 ResourceVersionTooLarge: the server has not seen it yet */
    KUBE_SERVER,            /* other 5xx */
};

struct kube_status {
    enum kube_reason reason;
    int http;               /* 0: no answer */
    int64_t retry_after_ms; /* said by header or details.retryAfterSeconds; 0: not said */
    struct err message;     /* the server's words, or what is wrong with the connection */
};

/* `body` may be NULL or any JSON: a Status object, or the object asked for. `retry_after_s` is the
 * header's, 0: none. */
void kube_status_read(int http, const json_t *body, long retry_after_s,
                      struct kube_status *ret_status);
const char *kube_reason_name(enum kube_reason r); /* "Conflict" */

#endif
