/* Kubernetes `Status` objects: see status.h. */
#include "controller/api/status.h"

#include "proto/base/array.h"

static const struct {
    int code;
    const char *reason;
} REASONS[] = {
    { 400, "BadRequest" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "NotFound" },
    { 405, "MethodNotAllowed" },
    { 406, "NotAcceptable" },
    { 409, "Conflict" },
    { 410, "Expired" },
    { 413, "RequestEntityTooLarge" },
    { 415, "UnsupportedMediaType" },
    { 422, "Invalid" },
    { 429, "TooManyRequests" },
    { 503, "ServiceUnavailable" },
};

json_t *status_object(int code, const char *reason, const char *message)
{
    json_t *text = json_string(message ? message : "");

    for (size_t i = 0; i < ARRAY_LEN(REASONS) && !reason; i++) {
        if (REASONS[i].code == code)
            reason = REASONS[i].reason;
    }
    return json_pack("{s:s, s:s, s:{}, s:s, s:o, s:s, s:i}", "apiVersion", "v1", "kind", "Status",
                     "metadata", "status", "Failure", "message", text ? text : json_string(""),
                     "reason", reason ? reason : "InternalError", "code", code);
}
