/* What a refusal of the API server means: see kube_status.h. */
#include "controller/kube_client/kube_status.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MOST_RETRY_S 3600 /* what is longer is no advice */

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text ? text : "";
}

static bool is_status(const json_t *body)
{
    return strcmp(text_of(body, "kind"), "Status") == 0;
}

static bool has_cause(const json_t *details, const char *reason)
{
    const json_t *causes = json_object_get(details, "causes"), *cause;
    size_t i;

    json_array_foreach(causes, i, cause)
        if (strcmp(text_of(cause, "reason"), reason) == 0)
            return true;
    return false;
}

static enum kube_reason reason_of(int http, const json_t *status)
{
    const json_t *details = json_object_get(status, "details");

    switch (http) {
    case 401:
        return KUBE_UNAUTHORIZED;
    case 403:
        return KUBE_FORBIDDEN;
    case 404:
        return KUBE_NOT_FOUND;
    case 409:
        return strcmp(text_of(status, "reason"), "AlreadyExists") == 0 ? KUBE_ALREADY_EXISTS
                                                                       : KUBE_CONFLICT;
    case 410:
        return KUBE_EXPIRED;
    case 429:
        return has_cause(details, "DisruptionBudget") ? KUBE_DISRUPTION_BUDGET : KUBE_THROTTLED;
    case 504:
        return has_cause(details, "ResourceVersionTooLarge") ? KUBE_AHEAD : KUBE_SERVER;
    default:
        break;
    }
    if (http / 100 == 2)
        return KUBE_OK;
    if (http / 100 == 4)
        return KUBE_INVALID;
    return http / 100 == 5 ? KUBE_SERVER : KUBE_UNREACHABLE;
}

/* The server's words may quote what a tenant wrote: nothing in them may steer a terminal. */
static void say(struct kube_status *s, const char *words)
{
    if (s->reason == KUBE_UNREACHABLE)
        err_text(&s->message,
                 "HTTP %d is no answer of a Kubernetes API server: does `server` name one?",
                 s->http);
    else if (words[0])
        err_text(&s->message, "%s", words);
    else
        err_text(&s->message, "the API server answered HTTP %d without saying why", s->http);
    for (char *c = s->message.text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
}

void kube_status_read(int http, const json_t *body, long retry_after_s,
                      struct kube_status *ret_status)
{
    const json_t *status = is_status(body) ? body : NULL;
    json_int_t said = json_integer_value(
        json_object_get(json_object_get(status, "details"), "retryAfterSeconds"));

    /* An ERROR event of a watch: a refusal inside an answer of 200. */
    if (http / 100 == 2 && strcmp(text_of(status, "status"), "Failure") == 0) {
        http = (int)json_integer_value(json_object_get(status, "code"));
        if (http / 100 == 2 || http == 0)
            http = 500;
    }
    *ret_status = (struct kube_status){ .reason = reason_of(http, status), .http = http };
    if (ret_status->reason == KUBE_OK)
        return;
    if (said < retry_after_s)
        said = retry_after_s;
    ret_status->retry_after_ms = (said > MOST_RETRY_S ? MOST_RETRY_S : said < 0 ? 0 : said) * 1000;
    say(ret_status, text_of(status, "message"));
}

const char *kube_reason_name(enum kube_reason r)
{
    static const char *const names[] = {
        [KUBE_OK] = "OK",
        [KUBE_UNREACHABLE] = "Unreachable",
        [KUBE_UNAUTHORIZED] = "Unauthorized",
        [KUBE_FORBIDDEN] = "Forbidden",
        [KUBE_NOT_FOUND] = "NotFound",
        [KUBE_ALREADY_EXISTS] = "AlreadyExists",
        [KUBE_CONFLICT] = "Conflict",
        [KUBE_EXPIRED] = "Expired",
        [KUBE_INVALID] = "Invalid",
        [KUBE_DISRUPTION_BUDGET] = "DisruptionBudget",
        [KUBE_THROTTLED] = "Throttled",
        [KUBE_AHEAD] = "ResourceVersionTooLarge",
        [KUBE_SERVER] = "ServerError",
    };

    return names[r];
}
