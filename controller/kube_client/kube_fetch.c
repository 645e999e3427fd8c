/* For command lines and start-up: a request, or a whole list, waited for. See kube_client.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_client_private.h"
#include "controller/kube_client/kube_escape.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define PAGE "limit=500"
#define RESTARTS 5 /* of a list whose pages expire */
#define REPEATS 5  /* of a page that the server cannot give yet */
#define WAIT_MS 1000
#define WAIT_MOST_MS 30000

/* --- one request ---------------------------------------------------------------------------- */

struct wait {
    struct loop *loop;
    bool done;
    struct kube_status status;
    json_t *object;
};

static void on_answer(void *data, const struct kube_answer *answer)
{
    struct wait *w = data;

    w->done = true;
    w->status = answer->status;
    w->object = json_incref(answer->object);
    loop_stop(w->loop, 0);
}

int kube_fetch(struct kube_client *c, const struct kube_request *request,
               struct kube_status *ret_status, json_t **ret_object, struct err *e)
{
    struct wait w = { .loop = kube_client_loop(c) };
    struct kube_call *call;
    int r = kube_send(c, request, on_answer, &w, &call, e);

    if (r < 0)
        return r;
    r = loop_run(w.loop);
    if (!w.done) {
        kube_cancel(call);
        return err_set(e, r < 0 ? r : -EINTR, "%s: stopped before the answer came", request->path);
    }
    if (w.status.reason == KUBE_UNREACHABLE) {
        json_decref(w.object);
        return err_set(e, -EIO, "%s", w.status.message.text);
    }
    if (ret_status)
        *ret_status = w.status;
    if (ret_object)
        *ret_object = w.object;
    else
        json_decref(w.object);
    return 0;
}

/* --- a list --------------------------------------------------------------------------------- */

static void on_time(void *data, int64_t now_ms)
{
    (void)now_ms;
    loop_stop(data, 0);
}

void kube_client_wait(struct kube_client *c, int64_t ms)
{
    struct loop *l = kube_client_loop(c);
    struct loop_timer *t = loop_timer_add(l, on_time, l);

    ms = ms == 0 ? WAIT_MS : ms > WAIT_MOST_MS ? WAIT_MOST_MS : ms;
    loop_timer_arm(t, loop_now_ms(l) + ms);
    (void)loop_run(l);
    loop_timer_remove(t);
}

/* A GET changes nothing: what the server cannot give yet is asked for again. */
static int fetch_page(struct kube_client *c, const char *path, const char *token,
                      struct kube_status *ret_status, json_t **ret_page, struct err *e)
{
    AUTO(strbuf) struct strbuf full = STRBUF_INIT;
    struct kube_request rq = { 0 };
    int r;

    strbuf_printf(&full, "%s%c%s", path, strchr(path, '?') ? '&' : '?', PAGE);
    if (token[0]) {
        strbuf_puts(&full, "&continue=");
        kube_escape(&full, token);
    }
    rq.path = strbuf_text(&full);
    for (int i = 0;; i++) {
        *ret_page = NULL;
        r = kube_fetch(c, &rq, ret_status, ret_page, e);
        if (r < 0 || i == REPEATS ||
            (ret_status->reason != KUBE_THROTTLED && ret_status->reason != KUBE_AHEAD))
            return r;
        json_decref(*ret_page);
        kube_client_wait(c, ret_status->retry_after_ms);
    }
}

/* 0: that was the last page; 1: *token names the next. */
static int tell_page(const json_t *page, kube_item_fn *item, void *data, char **token,
                     const char *path, struct err *e)
{
    const json_t *items = json_object_get(page, "items"), *object;
    const char *next =
        json_string_value(json_object_get(json_object_get(page, "metadata"), "continue"));
    size_t i;

    /* An empty list may come as null. */
    if (!json_is_array(items) && !json_is_null(items))
        return err_set(e, -EPROTO, "%s: the answer is no list", path);
    json_array_foreach(items, i, object)
        item(data, object);
    free(*token);
    *token = xstrdup(next ? next : "");
    return (*token)[0] != '\0';
}

int kube_fetch_list(struct kube_client *c, const char *path, kube_item_fn *item,
                    void (*restart)(void *data), void *data, struct kube_status *ret_status,
                    struct err *e)
{
    AUTO(mem) char *token = xstrdup("");
    struct kube_status status;
    json_t *page;
    int r, restarts = 0;

    do {
        r = fetch_page(c, path, token, &status, &page, e);
        if (r < 0)
            return r;
        if (ret_status)
            *ret_status = status;
        if (status.reason == KUBE_OK) {
            r = tell_page(page, item, data, &token, path, e);
        } else if (status.reason == KUBE_EXPIRED && token[0] && restarts++ < RESTARTS) {
            token[0] = '\0';
            if (restart)
                restart(data);
            r = 1;
        } else {
            r = err_set(e, -EIO, "%s: %s: %s", path, kube_reason_name(status.reason),
                        status.message.text);
        }
        json_decref(page);
    } while (r > 0);
    return r;
}
