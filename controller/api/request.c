/* One request on its way: see request.h. */
#include "controller/api/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controller/api/server_private.h"
#include "controller/api/status.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

struct request *request_new(struct api_server *server, struct httpd_call *call)
{
    struct request *rq = xcalloc(1, sizeof(*rq));

    rq->server = server;
    rq->call = call;
    return rq;
}

void request_free(void *thing)
{
    struct request *rq = thing;

    json_decref(rq->object);
    json_decref(rq->patch);
    manifest_free(rq->manifest);
    for (size_t i = 0; i < rq->n_parts; i++)
        json_decref(rq->parts[i]);
    enrolled_done(&rq->enrolled);
    free(rq->message);
    free(rq);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static void go_on(void *data, struct httpd_call *call)
{
    struct request *rq = data;

    (void)call;
    rq->next(rq);
}

/* On whatever thread the backend likes: what follows is done on one of ours. */
static void on_answer(void *arg, const struct api_answer *answer)
{
    struct request *rq = arg;

    json_decref(rq->object);
    free(rq->message);
    rq->status = answer->status;
    rq->object = json_incref(answer->object);
    rq->message = xstrdup(answer->message);
    rq->version = answer->version;
    httpd_again(rq->call, go_on, rq);
}

void request_get(struct request *rq, const char *kind, const char *name,
                 void (*next)(struct request *rq))
{
    const struct api_backend *b = &rq->server->backend;

    rq->next = next;
    b->get(b->data, kind, name, on_answer, rq);
}

void request_report(struct request *rq, int64_t from_wall_ms, int64_t to_wall_ms,
                    void (*next)(struct request *rq))
{
    const struct api_backend *b = &rq->server->backend;

    rq->next = next;
    b->report(b->data, from_wall_ms, to_wall_ms, on_answer, rq);
}

void request_submit(struct request *rq, void (*next)(struct request *rq))
{
    const struct api_backend *b = &rq->server->backend;

    rq->next = next;
    b->submit(b->data, &rq->event, on_answer, rq);
}

void request_review(struct request *rq, void (*next)(struct request *rq))
{
    const struct api_backend *b = &rq->server->backend;

    rq->next = next;
    b->review(b->data, &rq->question, on_answer, rq);
}

bool request_refused(struct request *rq)
{
    if (rq->status / 100 == 2)
        return false;
    request_forward(rq);
    return true;
}

/* --- answering ---------------------------------------------------------------------------------
 */

void request_text(struct request *rq, int code, const char *content_type, const void *bytes,
                  size_t n)
{
    if (code >= 100 && code < 600)
        atomic_fetch_add(&rq->server->answers[code / 100], 1);
    httpd_reply(rq->call, code, content_type, bytes, n);
}

void request_json(struct request *rq, int code, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);

    request_text(rq, code, "application/json", text ? text : "null", text ? strlen(text) : 4);
    free(text);
}

static void fail(struct request *rq, int code, const char *message)
{
    bool exists = code == 409 && rq->route.action == ACT_CREATE;
    json_t *status = status_object(code, exists ? "AlreadyExists" : NULL, message);

    request_json(rq, code, status);
    json_decref(status);
}

void request_fail(struct request *rq, int code, const char *format, ...)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    va_list ap;

    va_start(ap, format);
    strbuf_vprintf(&text, format, ap);
    va_end(ap);
    fail(rq, code, strbuf_text(&text));
}

void request_retry(struct request *rq, int code, int seconds, const char *why)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%d", seconds);
    httpd_add_header(rq->call, "Retry-After", text);
    fail(rq, code, why);
}

void request_forward(struct request *rq)
{
    AUTO(mem) char *message = NULL;

    if (rq->status / 100 == 2) {
        request_json(rq, rq->status, rq->object);
    } else if (rq->status == 404 && rq->route.name[0]) {
        request_fail(rq, 404, "%s \"%s\" not found", rq->route.resource->kind, rq->route.name);
    } else {
        message = xstrdup(rq->message ? rq->message : "");
        fail(rq, rq->status, message);
    }
}

/* --- reading -----------------------------------------------------------------------------------
 */

bool request_flag(const struct request *rq, const char *name)
{
    const char *text = httpd_query(rq->call, name);

    return text && (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

/* One entry of an Accept header, up to its comma. An `as=` asks for another shape (a table). */
static bool takes_json(const char *entry, size_t n)
{
    static const char *const TYPES[] = { "application/json", "application/*", "*/*" };
    size_t type_n;

    while (n && (*entry == ' ' || *entry == '\t')) {
        entry++;
        n--;
    }
    type_n = strcspn(entry, "; ,");
    if (memmem(entry, n, "as=", 3))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(TYPES); i++) {
        if (type_n == strlen(TYPES[i]) && strncasecmp(entry, TYPES[i], type_n) == 0)
            return true;
    }
    return false;
}

bool request_accepts_json(struct request *rq)
{
    const char *accept = httpd_header(rq->call, "Accept");

    if (!accept || !*accept)
        return true;
    for (const char *at = accept; *at;) {
        size_t n = strcspn(at, ",");

        if (takes_json(at, n))
            return true;
        at += n;
        at += *at == ',';
    }
    request_fail(rq, 406, "only application/json is served here");
    return false;
}
