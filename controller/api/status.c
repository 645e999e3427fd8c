/* Kubernetes `Status` objects: see status.h. */
#include "controller/api/status.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"

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

json_t *status_object(int code, const char *message)
{
    const char *reason = "InternalError";

    for (size_t i = 0; i < ARRAY_LEN(REASONS); i++) {
        if (REASONS[i].code == code)
            reason = REASONS[i].reason;
    }
    if (code / 100 == 2)
        return json_pack("{s:s, s:s, s:s, s:s?, s:i}", "apiVersion", "v1", "kind", "Status",
                         "status", "Success", "message", message, "code", code);
    return json_pack("{s:s, s:s, s:s, s:s?, s:s, s:i}", "apiVersion", "v1", "kind", "Status",
                     "status", "Failure", "message", message, "reason", reason, "code", code);
}

void json_reply(struct httpd_call *call, int code, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);

    httpd_reply(call, code, "application/json", text ? text : "null", text ? strlen(text) : 4);
    free(text);
}

void status_reply(struct httpd_call *call, int code, const char *format, ...)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    json_t *status;
    va_list ap;

    va_start(ap, format);
    strbuf_vprintf(&text, format, ap);
    va_end(ap);
    status = status_object(code, strbuf_text(&text));
    json_reply(call, code, status);
    json_decref(status);
}
