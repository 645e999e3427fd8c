/* The edge of Events: one call at a time and one timer; kube_event_book.h decides. */
#include "controller/kube_client/kube_event.h"

#include <stdlib.h>

#include "controller/kube_client/kube_client_private.h"
#include "controller/kube_client/kube_event_book.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define CALL_MS 10000

struct kube_events {
    struct kube_client *client;
    struct kube_event_book book;
    struct kube_call *call; /* NULL: none is under way */
    struct loop_timer *timer;
};

static void step_soon(struct kube_events *v)
{
    loop_timer_arm(v->timer, loop_now_ms(kube_client_loop(v->client)));
}

static void ended(struct kube_events *v, enum kube_reason reason)
{
    v->call = NULL;
    kube_event_book_ended(&v->book, clock_boot_ms(), reason);
    step_soon(v);
}

static void on_done(void *data, const struct kube_answer *answer)
{
    ended(data, answer->status.reason);
}

static void on_timer(void *data, int64_t now_ms)
{
    struct kube_events *v = data;
    struct kube_event_write w;
    struct err e = ERR_INIT;

    kube_event_book_next(&v->book, now_ms, kube_client_has_room(v->client), &w);
    if (w.path) {
        struct kube_request rq = { .method = w.create ? "POST" : "PATCH",
                                   .path = w.path,
                                   .content_type = w.create ? NULL : KUBE_MERGE_PATCH,
                                   .body = w.body,
                                   .total_ms = CALL_MS };

        if (kube_send(v->client, &rq, on_done, v, &v->call, &e) < 0)
            ended(v, KUBE_INVALID);
    }
    /* A call has its own time and wakes us. */
    if (!v->call && w.at_ms < INT64_MAX)
        loop_timer_arm(v->timer, w.at_ms);
    free(w.path);
    json_decref(w.body);
}

int kube_events_tell(struct kube_events *v, const struct kube_event *event, struct err *e)
{
    int r = kube_event_book_tell(&v->book, event, clock_boot_ms(), clock_wall_ms(), e);

    if (r == 0 && !v->call)
        step_soon(v);
    return r;
}

void kube_events_gone(struct kube_events *v, const char *uid)
{
    kube_event_book_gone(&v->book, uid);
}

struct kube_event_counts kube_events_counts(const struct kube_events *v)
{
    return v->book.counts;
}

int kube_events_new(struct kube_client *c, const char *controller, const char *instance,
                    struct kube_events **ret_events, struct err *e)
{
    AUTO(kube_events) struct kube_events *v = xcalloc(1, sizeof(*v));
    int r = kube_event_book_init(&v->book, controller, instance, e);

    if (r < 0)
        return r;
    v->client = c;
    v->timer = loop_timer_add(kube_client_loop(c), on_timer, v);
    *ret_events = TAKE(v);
    return 0;
}

void kube_events_free(struct kube_events *v)
{
    if (!v)
        return;
    kube_cancel(v->call);
    loop_timer_remove(v->timer);
    kube_event_book_done(&v->book);
    free(v);
}
