/* Health, version, the energy report, and agents' reports. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controller/api/routes.h"
#include "controller/api/server_private.h"
#include "proto/base/clock.h"
#include "proto/quantity.h"
#include "proto/wire.h"

/* --- health ------------------------------------------------------------------------------------
 */

void routes_livez(struct request *rq)
{
    request_text(rq, 200, "text/plain; charset=utf-8", "ok\n", 3);
}

/* Why it is not ready is for those who may come in. */
void routes_readyz(struct request *rq)
{
    const struct api_backend *b = &rq->server->backend;
    struct gate_refusal refusal;
    struct err e = ERR_INIT;
    struct bearer by;

    if (b->ready(b->data, &e))
        request_text(rq, 200, "text/plain; charset=utf-8", "ok\n", 3);
    else if (gate_check(rq->server->gate, rq->call, &rq->route, true, false, &by, &refusal) == 0)
        request_fail(rq, 503, "not ready: %s", e.text);
    else
        request_fail(rq, 503, "not ready");
}

void routes_version(struct request *rq)
{
    json_t *version =
        json_pack("{s:s, s:s, s:s}", "major", "0", "minor", "1", "gitVersion", "v" HUDDLE_VERSION);
    char when[CLOCK_TEXT_MAX];

    if (rq->by.expires_wall_ms != AUTH_NEVER) {
        clock_format(rq->by.expires_wall_ms, when);
        json_object_set_new(version, "token",
                            json_pack("{s:s, s:s}", "name", rq->by.who, "expires", when));
    }
    request_json(rq, 200, version);
    json_decref(version);
}

/* --- the energy report -------------------------------------------------------------------------
 */

/* "2026-11-23T20:00:00Z", or how long ago: "24h". */
static bool query_time(struct request *rq, const char *name, int64_t now_ms, int64_t def_ms,
                       int64_t *ret_ms)
{
    const char *text = httpd_query(rq->call, name);
    int64_t ago_ms;

    *ret_ms = def_ms;
    if (!text || !*text || clock_parse(text, ret_ms) == 0)
        return true;
    if (quantity_duration(text, &ago_ms, NULL) == 0) {
        *ret_ms = now_ms - ago_ms;
        return true;
    }
    request_fail(rq, 400,
                 "%s: expected a time (2026-11-23T20:00:00Z) or how long ago (24h), not \"%.40s\"",
                 name, text);
    return false;
}

void routes_report(struct request *rq)
{
    int64_t now_ms = clock_wall_ms(), from_ms, to_ms;

    if (!query_time(rq, "from", now_ms, now_ms - 86400000, &from_ms) ||
        !query_time(rq, "to", now_ms, now_ms, &to_ms))
        return;
    if (from_ms >= to_ms)
        request_fail(rq, 400, "from: must be before to");
    else
        request_report(rq, from_ms, to_ms, request_forward);
}

/* --- agents' reports ---------------------------------------------------------------------------
 */

/* The connection ends: behind a Service the next one may be to him. */
static void ask_another(struct request *rq, const char *why)
{
    httpd_add_header(rq->call, "Connection", "close");
    request_retry(rq, 421, 1, why);
}

void routes_ingest(struct request *rq)
{
    const struct api_backend *b = &rq->server->backend;
    AUTO(strbuf) struct strbuf reply = STRBUF_INIT;
    const char *type = httpd_header(rq->call, "Content-Type");
    size_t n = 0;
    const void *bytes = httpd_body(rq->call, &n);
    struct err e = ERR_INIT;
    int status;

    if (!bytes) {
        request_fail(rq, 413, "the report is longer than %zu bytes", rq->server->most_report);
        return;
    }
    if (!type || strcasecmp(type, WIRE_CONTENT_TYPE) != 0) {
        request_fail(rq, 415, "Content-Type: expected " WIRE_CONTENT_TYPE);
        return;
    }
    status = b->ingest(b->data, &rq->by, bytes, n, &reply, &e);
    if (status / 100 == 2)
        request_text(rq, status, WIRE_CONTENT_TYPE, strbuf_text(&reply), reply.length);
    else if (status == 421)
        ask_another(rq, e.text);
    else if (status == 429 || status == 503)
        request_retry(rq, status, 5, e.text);
    else
        request_fail(rq, status, "%s", e.text);
}
