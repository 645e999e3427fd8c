/* What an API server answered: see kube_answer.h. */
#include "controller/kube_client/kube_answer.h"

#include <string.h>
#include <strings.h>

static bool is_of(const struct http_response *r, const char *type)
{
    return strncasecmp(r->content_type, type, strlen(type)) == 0;
}

static void refuse(const struct http_response *r, struct kube_status *ret_status)
{
    *ret_status = (struct kube_status){ .reason = KUBE_UNREACHABLE, .http = r->status };
}

json_t *kube_answer_read(const struct http_response *r, const char *url, bool streamed,
                         struct kube_status *ret_status)
{
    bool whole = r->status / 100 == 2 && !streamed;
    json_error_t why;
    json_t *object = NULL;

    if (is_of(r, "application/json")) {
        /* A tenant may put NUL into an annotation: the server takes it. */
        object = json_loadb(r->body, r->length, JSON_ALLOW_NUL, &why);
        if (!object && whole) {
            refuse(r, ret_status);
            err_text(&ret_status->message, "%s: the answer is no JSON: %s", url, why.text);
            return NULL;
        }
    } else if (whole && r->length && !is_of(r, "text/plain")) {
        refuse(r, ret_status);
        err_text(&ret_status->message,
                 "%s: the answer is %s, not JSON: does `server` name an API server?", url,
                 r->content_type[0] ? r->content_type : "of no type");
        return NULL;
    }
    kube_status_read(r->status, object, r->retry_after_s, ret_status);
    return object;
}
