/* Reading objects: get, list, watch.
 *
 * Lists are always whole: `limit` is advice that Kubernetes lets a server decline, and one picture
 * taken at once is cheaper and more consistent than pages of it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/api/routes.h"
#include "controller/api/server_private.h"
#include "proto/base/clock.h"
#include "proto/selector.h"

/* So long a watch goes on by what its caller was allowed when it began; then he asks again. */
#define WATCH_MOST_S 300

/* A number in the query; absent: `def`. False: it was no number, and the client has been told. */
static bool query_number(struct request *rq, const char *name, uint64_t def, uint64_t *ret)
{
    const char *text = httpd_query(rq->call, name);
    char *end = NULL;

    *ret = def;
    if (!text || !*text)
        return true;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    if (errno == 0 && !*end && text[0] >= '0' && text[0] <= '9')
        return true;
    request_fail(rq, 400, "%s: expected a whole number, not \"%.40s\"", name, text);
    return false;
}

static bool query_selector(struct request *rq, struct selector **ret_selector)
{
    AUTO(selector) struct selector *s = NULL;
    struct err e = ERR_INIT;
    int r;

    if ((r = selector_add_labels(&s, httpd_query(rq->call, "labelSelector"), &e)) < 0)
        (void)err_prefix(&e, r, "labelSelector");
    else if ((r = selector_add_fields(&s, httpd_query(rq->call, "fieldSelector"), &e)) < 0)
        (void)err_prefix(&e, r, "fieldSelector");
    if (r < 0)
        request_fail(rq, 400, "%s", e.text);
    else
        *ret_selector = TAKE(s);
    return r == 0;
}

static json_t *select_items(const json_t *items, const struct selector *s)
{
    json_t *selected = json_array(), *item;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)items, i, item) {
        if (selector_matches(s, item))
            json_array_append(selected, item);
    }
    return selected;
}

/* --- watch -------------------------------------------------------------------------------------
 */

/* Not beyond the end of the caller's token. */
static int64_t watch_until_ms(const struct request *rq, uint64_t seconds)
{
    int64_t ms = (int64_t)(seconds < WATCH_MOST_S ? seconds : WATCH_MOST_S) * 1000, left_ms = ms;

    if (rq->by.expires_wall_ms != AUTH_NEVER)
        left_ms = rq->by.expires_wall_ms - clock_wall_ms();
    return clock_boot_ms() + (left_ms < ms ? left_ms : ms);
}

/* What the backend gave stands for what the client knows, or is told first. */
static void begin_watch(struct request *rq)
{
    struct watch_request want = { .kind = rq->route.resource->plural,
                                  .object_kind = rq->route.resource->kind,
                                  .bookmarks = request_flag(rq, "allowWatchBookmarks") };
    AUTO(selector) struct selector *selector = NULL;
    json_t *known = NULL;
    uint64_t seconds;
    int status;

    if (rq->status != 404 && request_refused(rq)) /* what is not there yet may be waited for */
        return;
    if (!query_number(rq, "resourceVersion", 0, &want.since) || !query_selector(rq, &selector) ||
        !query_number(rq, "timeoutSeconds", WATCH_MOST_S, &seconds))
        return;
    if (want.since > rq->version) {
        request_fail(rq, 410,
                     "resourceVersion %" PRIu64 " is not of this cluster's past: list again",
                     want.since);
        return;
    }
    want.name = rq->route.action == ACT_GET ? rq->route.name : NULL;
    want.selector = selector;
    want.tell_known = want.since == 0;
    want.since = want.since ? want.since : rq->version;
    want.until_ms = watch_until_ms(rq, seconds);
    if (want.tell_known || selector)
        known = json_is_array(rq->object) ? json_incref(rq->object)
                                          : json_pack(rq->object ? "[O]" : "[]", rq->object);
    want.known = known;
    atomic_fetch_add(&rq->server->answers[2], 1);
    status = watch_hub_stream(rq->server->hub, &want, rq->call);
    json_decref(known);
    if (status == 0) {
        TAKE(selector); /* the hub's */
        return;
    }
    atomic_fetch_sub(&rq->server->answers[2], 1);
    if (status == 410)
        request_fail(rq, 410, "resourceVersion %" PRIu64 " is too old: list again", want.since);
    else if (status == 429)
        request_retry(rq, 429, 5, "too many watches at once");
    else
        request_retry(rq, 503, 1, "the server is stopping");
}

/* A resumed watch without a selector needs the present version only: the smallest thing to ask
 * for. */
static void ask_for_watch(struct request *rq)
{
    const char *since = httpd_query(rq->call, "resourceVersion"),
               *labels = httpd_query(rq->call, "labelSelector"),
               *fields = httpd_query(rq->call, "fieldSelector");
    bool resumed = since && *since && strcmp(since, "0") != 0;
    bool selects = (labels && *labels) || (fields && *fields);

    if (resumed && !selects)
        request_get(rq, "clusters", NULL, begin_watch);
    else
        request_get(rq, rq->route.resource->plural,
                    rq->route.action == ACT_GET ? rq->route.name : NULL, begin_watch);
}

/* --- list --------------------------------------------------------------------------------------
 */

static void answer_list(struct request *rq)
{
    AUTO(selector) struct selector *selector = NULL;
    char kind[64], version[24];
    json_t *list;

    if (request_refused(rq) || !query_selector(rq, &selector))
        return;
    (void)snprintf(kind, sizeof(kind), "%sList", rq->route.resource->kind);
    (void)snprintf(version, sizeof(version), "%" PRIu64, rq->version);
    list = json_pack("{s:s, s:s, s:{s:s}, s:o}", "apiVersion", MANIFEST_API_VERSION, "kind", kind,
                     "metadata", "resourceVersion", version, "items",
                     select_items(rq->object, selector));
    request_json(rq, 200, list);
    json_decref(list);
}

void routes_list(struct request *rq)
{
    AUTO(selector) struct selector *selector = NULL;
    const char *page = httpd_query(rq->call, "continue");

    if (!query_selector(rq, &selector)) /* a bad one costs the backend nothing */
        return;
    if (page && *page)
        request_fail(rq, 410, "lists come whole here, none was ever continued: list again");
    else if (request_flag(rq, "watch"))
        ask_for_watch(rq);
    else
        request_get(rq, rq->route.resource->plural, NULL, answer_list);
}

/* --- get ---------------------------------------------------------------------------------------
 */

/* The one cluster goes by the name "_" too. */
static void answer_only(struct request *rq)
{
    json_t *only = json_incref(json_array_get(rq->object, 0));

    if (only && rq->status == 200) {
        json_decref(rq->object);
        rq->object = only;
    }
    request_forward(rq);
}

void routes_get(struct request *rq)
{
    bool only =
        strcmp(rq->route.resource->plural, "clusters") == 0 && strcmp(rq->route.name, "_") == 0;

    if (request_flag(rq, "watch"))
        ask_for_watch(rq);
    else
        request_get(rq, rq->route.resource->plural, only ? NULL : rq->route.name,
                    only ? answer_only : request_forward);
}
