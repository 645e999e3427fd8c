/* The edge of a watch: one call at a time and one timer; kube_watch_state.h decides. */
#include "controller/kube_client/kube_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "controller/kube_client/kube_client_private.h"
#include "controller/kube_client/kube_watch_state.h"
#include "proto/base/array.h"

#define PAGE_MS 600000 /* for a page in all; silence is noticed sooner */

struct kube_watch {
    struct kube_client *client;
    struct loop *loop;
    struct kube_watch_state state;
    struct kube_call *call;   /* NULL: between two */
    struct loop_timer *timer; /* when to ask, or to look at the call again */
    int64_t look_ms;          /* the latter */
    bool busy;                /* in a callback of the watcher: not to be freed */
};

static void watch_free(struct kube_watch *w)
{
    kube_cancel(w->call);
    loop_timer_remove(w->timer);
    kube_watch_state_done(&w->state);
    free(w);
}

/* After whatever may have called the watcher. True: it was stopped, and is freed. */
static bool leave(struct kube_watch *w)
{
    w->busy = false;
    if (!w->state.stopped)
        return false;
    watch_free(w);
    return true;
}

static void ended(struct kube_watch *w, const struct kube_status *status)
{
    int64_t now_ms = loop_now_ms(w->loop), wait_ms;

    w->call = NULL;
    w->busy = true;
    wait_ms = kube_watch_state_ended(&w->state, now_ms, status);
    if (!leave(w))
        loop_timer_arm(w->timer, now_ms + wait_ms);
}

static void look_at_due(struct kube_watch *w)
{
    w->look_ms = kube_watch_state_due_ms(&w->state);
    loop_timer_arm(w->timer, w->look_ms);
}

static void give_up(struct kube_watch *w)
{
    kube_cancel(w->call);
    ended(w, NULL);
}

static int on_chunk(void *data, const char *bytes, size_t n)
{
    struct kube_watch *w = data;
    bool go_on;

    w->busy = true;
    go_on = kube_watch_state_feed(&w->state, loop_now_ms(w->loop), bytes, n);
    if (leave(w))
        return 1;
    if (!go_on)
        give_up(w);
    else if (kube_watch_state_due_ms(&w->state) < w->look_ms)
        look_at_due(w);
    return !go_on;
}

static void on_done(void *data, const struct kube_answer *answer)
{
    ended(data, &answer->status);
}

static void ask(struct kube_watch *w, int64_t now_ms)
{
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    struct kube_request request = { .chunk = on_chunk };
    struct kube_status status = { .reason = KUBE_INVALID };

    kube_watch_state_ask(&w->state, now_ms, &path);
    request.path = strbuf_text(&path);
    request.total_ms =
        w->state.ask == KUBE_ASK_LIST || w->state.ask == KUBE_ASK_CHECK ? PAGE_MS : -1;
    if (kube_send(w->client, &request, on_done, w, &w->call, &status.message) < 0)
        ended(w, &status);
    else
        look_at_due(w);
}

static void on_timer(void *data, int64_t now_ms)
{
    struct kube_watch *w = data;

    if (!w->call)
        ask(w, now_ms);
    else if (!kube_watch_state_late(&w->state, now_ms))
        give_up(w);
    else
        look_at_due(w);
}

int kube_watch_start(struct kube_client *c, const struct kube_watcher *w,
                     struct kube_watch **ret_watch, struct err *e)
{
    struct kube_watch *watch;
    uint64_t seed;

    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        return err_errno(e, -errno, "getrandom");
    watch = xcalloc(1, sizeof(*watch));
    watch->client = c;
    watch->loop = kube_client_loop(c);
    watch->timer = loop_timer_add(watch->loop, on_timer, watch);
    kube_watch_state_init(&watch->state, w, seed);
    loop_timer_arm(watch->timer, loop_now_ms(watch->loop));
    *ret_watch = watch;
    return 0;
}

void kube_watch_stop(struct kube_watch *w)
{
    if (!w)
        return;
    w->state.stopped = true;
    if (!w->busy)
        watch_free(w);
}

bool kube_watch_synced(const struct kube_watch *w)
{
    return w->state.synced;
}
