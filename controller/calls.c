/* A queue under a lock, and tickets for what waits for the disk: see calls.h. */
#include "controller/calls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"

struct call;
typedef void call_fn(struct calls *c, struct call *call);

struct call {
    call_fn *fn;
    api_done_fn *done;
    void *arg;
    /* Arguments, borrowed until `done`. */
    const char *kind, *name;
    int64_t from_ms, to_ms;
    struct controller_event *event;
    const struct api_question *question;
    uint64_t ticket;  /* once it waits for its FX_ANSWER */
    uint64_t version; /* when it looked; 0: it did not */
};

struct call_list {
    struct call *calls;
    size_t n_calls, cap_calls;
};

struct calls {
    struct loop *loop;
    struct calls_options options;
    struct call_list tickets; /* the loop's */
    uint64_t last_ticket;
    pthread_mutex_t lock; /* guards what follows */
    struct call_list queue;
    bool posted, closed;
};

struct calls *calls_new(struct loop *l, const struct calls_options *options)
{
    struct calls *c = xcalloc(1, sizeof(*c));

    c->loop = l;
    c->options = *options;
    (void)pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void refuse(const struct call *call)
{
    const struct api_answer answer = { .status = 503, .message = "the controller is stopping" };

    call->done(call->arg, &answer);
}

/* --- on the loop --------------------------------------------------------------------------------
 */

static void answer(struct calls *c, const struct call *call, int status, json_t *object,
                   const char *message)
{
    const struct api_answer a = {
        .status = status,
        .object = object,
        .message = message,
        .version = call->version ? call->version : controller_version(c->options.core),
    };

    call->done(call->arg, &a);
}

static void take_ticket(struct calls *c, struct call *call)
{
    call->ticket = ++c->last_ticket;
    *ARRAY_ADD(&c->tickets, calls) = *call;
}

/* What was seen may not be durable yet. Takes the object. */
static void answer_look(struct calls *c, struct call *call, json_t *object, const char *if_none)
{
    call->version = controller_version(c->options.core);
    take_ticket(c, call);
    c->options.answer(c->options.data, call->ticket, object ? 200 : 404, object,
                      object ? NULL : if_none);
}

static void do_get(struct calls *c, struct call *call)
{
    answer_look(c, call,
                controller_get(c->options.core, call->kind, call->name, loop_now_ms(c->loop),
                               clock_wall_ms()),
                "there is none of this name");
}

static void do_report(struct calls *c, struct call *call)
{
    answer_look(c, call,
                controller_report(c->options.core, call->from_ms, call->to_ms, clock_wall_ms()),
                "nothing was recorded then");
}

static void do_submit(struct calls *c, struct call *call)
{
    struct controller_event *e = call->event;
    struct err why = ERR_INIT;

    if (e->kind == CE_PUT && c->options.admit &&
        c->options.admit(c->options.data, e->put.object, &why) < 0) {
        answer(c, call, 422, NULL, why.text);
        return;
    }
    take_ticket(c, call);
    if (e->kind == CE_PUT)
        e->put.ticket = call->ticket;
    else if (e->kind == CE_ENROLLED)
        e->enrolled.ticket = call->ticket;
    else if (e->kind == CE_DELETE || e->kind == CE_REMOVE_NODE)
        e->del.ticket = call->ticket;
    else
        e->verb.ticket = call->ticket;
    c->options.step(c->options.data, e);
}

static void do_review(struct calls *c, struct call *call)
{
    take_ticket(c, call);
    c->options.review(c->options.data, call->ticket, call->question);
}

void calls_answer(struct calls *c, uint64_t ticket, int status, json_t *object, const char *message)
{
    for (size_t i = 0; i < c->tickets.n_calls; i++) {
        struct call call = c->tickets.calls[i];

        if (call.ticket != ticket)
            continue;
        ARRAY_REMOVE_SWAP(&c->tickets, calls, i);
        answer(c, &call, status, object, message);
        return;
    }
}

static void take_queue(struct calls *c, struct call_list *ret_list)
{
    (void)pthread_mutex_lock(&c->lock);
    *ret_list = c->queue;
    c->queue = (struct call_list){ 0 };
    c->posted = false;
    (void)pthread_mutex_unlock(&c->lock);
}

static void run(void *data)
{
    struct calls *c = data;
    struct call_list list;

    take_queue(c, &list);
    for (size_t i = 0; i < list.n_calls; i++)
        list.calls[i].fn(c, &list.calls[i]);
    free(list.calls);
}

/* --- on any thread ------------------------------------------------------------------------------
 */

static void ask(struct calls *c, const struct call *call)
{
    bool closed, post;

    (void)pthread_mutex_lock(&c->lock);
    closed = c->closed;
    if (!closed)
        *ARRAY_ADD(&c->queue, calls) = *call;
    post = !closed && !c->posted;
    c->posted |= post;
    (void)pthread_mutex_unlock(&c->lock);
    if (closed)
        refuse(call);
    if (post)
        loop_post(c->loop, run, c);
}

static void ask_get(void *data, const char *kind, const char *name, api_done_fn *done, void *arg)
{
    const struct call call = { .fn = do_get, .done = done, .arg = arg, .kind = kind, .name = name };

    ask(data, &call);
}

static void ask_report(void *data, int64_t from_wall_ms, int64_t to_wall_ms, api_done_fn *done,
                       void *arg)
{
    const struct call call = {
        .fn = do_report, .done = done, .arg = arg, .from_ms = from_wall_ms, .to_ms = to_wall_ms
    };

    ask(data, &call);
}

static void ask_submit(void *data, struct controller_event *event, api_done_fn *done, void *arg)
{
    const struct call call = { .fn = do_submit, .done = done, .arg = arg, .event = event };

    ask(data, &call);
}

static void ask_review(void *data, const struct api_question *question, api_done_fn *done,
                       void *arg)
{
    const struct call call = { .fn = do_review, .done = done, .arg = arg, .question = question };

    ask(data, &call);
}

static int ask_ingest(void *data, const struct bearer *by, const void *bytes, size_t n,
                      struct strbuf *reply, struct err *e)
{
    struct calls *c = data;

    return ingest_put(c->options.ingest, by, bytes, n, reply, e);
}

static bool ask_ready(void *data, struct err *e)
{
    struct calls *c = data;

    return c->options.ready(c->options.data, e);
}

static void ask_stats(void *data, struct api_stats *ret_stats)
{
    struct calls *c = data;

    c->options.stats(c->options.data, ret_stats);
}

struct api_backend calls_backend(struct calls *c)
{
    return (struct api_backend){ .data = c,
                                 .review = c->options.review ? ask_review : NULL,
                                 .get = ask_get,
                                 .report = ask_report,
                                 .submit = ask_submit,
                                 .ingest = ask_ingest,
                                 .ready = ask_ready,
                                 .stats = ask_stats };
}

/* --- the end ------------------------------------------------------------------------------------
 */

void calls_close(struct calls *c)
{
    struct call_list list;

    (void)pthread_mutex_lock(&c->lock);
    c->closed = true;
    (void)pthread_mutex_unlock(&c->lock);
    take_queue(c, &list);
    for (size_t i = 0; i < list.n_calls; i++)
        refuse(&list.calls[i]);
    free(list.calls);
    for (size_t i = 0; i < c->tickets.n_calls; i++)
        refuse(&c->tickets.calls[i]);
    c->tickets.n_calls = 0;
}

void calls_free(struct calls *c)
{
    if (!c)
        return;
    free(c->tickets.calls);
    free(c->queue.calls);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}
