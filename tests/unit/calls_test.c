/* Calls of the API on a real core and loop: looking, changing, and being turned away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "controller/calls.h"
#include "controller/effects.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

struct desk {
    struct loop *loop;
    struct controller *core;
    struct calls *calls;
    struct api_backend backend;
    struct effects held; /* what is not durable yet */
    bool slow;           /* it stays so until release() */
    pthread_t caller;
};

struct outcome { /* of one call, awaited by its caller */
    sem_t done;
    int status;
    char text[200];
};

static void on_done(void *arg, const struct api_answer *a)
{
    struct outcome *o = arg;
    const char *name =
        json_string_value(json_object_get(json_object_get(a->object, "metadata"), "name"));

    o->status = a->status;
    (void)snprintf(o->text, sizeof(o->text), "%s", a->message ? a->message : name ? name : "");
    assert_int_equal(sem_post(&o->done), 0);
}

static void outcome_wait(struct outcome *o)
{
    assert_int_equal(sem_wait(&o->done), 0);
    assert_int_equal(sem_destroy(&o->done), 0);
}

static void step(void *data, struct controller_event *event)
{
    struct desk *d = data;

    event->wall_ms = clock_wall_ms();
    controller_step(d->core, event, clock_boot_ms(), &d->held);
}

/* On the loop: what a durable batch would do. */
static void release(void *data)
{
    struct desk *d = data;

    for (size_t i = 0; i < d->held.n_items; i++) {
        struct effect *e = &d->held.items[i];

        if (e->kind == FX_ANSWER)
            calls_answer(d->calls, e->answer.ticket, e->answer.status, e->answer.object,
                         e->answer.message);
    }
    effects_done(&d->held);
}

static void answer(void *data, uint64_t ticket, int status, json_t *object, const char *message)
{
    struct desk *d = data;

    fx_answer(&d->held, ticket, status, object, message);
    if (!d->slow)
        release(d);
}

static int make(void **state)
{
    const struct controller_options core = { .cluster_id = "test", .instance = 1 };
    struct desk *d = xcalloc(1, sizeof(*d));
    struct err e = ERR_INIT;
    struct calls_options options = { .step = step, .answer = answer, .data = d };

    assert_int_equal(loop_new(&d->loop, &e), 0);
    assert_int_equal(
        controller_new(&core, clock_boot_ms(), clock_wall_ms(), NULL, NULL, &d->held, &d->core, &e),
        0);
    options.core = d->core;
    d->calls = calls_new(d->loop, &options);
    d->backend = calls_backend(d->calls);
    *state = d;
    return 0;
}

static int unmake(void **state)
{
    struct desk *d = *state;

    loop_free(d->loop);
    calls_free(d->calls);
    effects_done(&d->held);
    controller_free(d->core);
    free(d);
    return 0;
}

/* Runs `caller` on a thread of its own and the loop until it ends the loop. */
static void with_caller(struct desk *d, void *(*caller)(void *))
{
    assert_int_equal(pthread_create(&d->caller, NULL, caller, d), 0);
    assert_int_equal(loop_run(d->loop), 0);
    assert_int_equal(pthread_join(d->caller, NULL), 0);
}

static void get(struct desk *d, const char *kind, const char *name, struct outcome *o)
{
    assert_int_equal(sem_init(&o->done, 0, 0), 0);
    d->backend.get(d->backend.data, kind, name, on_done, o);
    outcome_wait(o);
}

static void *looks(void *data)
{
    struct desk *d = data;
    struct outcome o = { .status = 0 };

    get(d, "nodes", "nobody", &o);
    assert_int_equal(o.status, 404);
    get(d, "clusters", "test", &o);
    assert_int_equal(o.status, 200);
    assert_string_equal(o.text, "test");
    get(d, "nodes", NULL, &o);
    assert_int_equal(o.status, 200);
    loop_stop(d->loop, 0);
    return NULL;
}

static void looks_are_answered(void **state)
{
    with_caller(*state, looks);
}

static struct manifest *a_pool(void)
{
    struct manifest *m = NULL;
    json_t *doc = json_pack("{s:s, s:s, s:{s:s}, s:{}}", "apiVersion", "huddle.energy/v1alpha1",
                            "kind", "PowerPool", "metadata", "name", "rack", "spec");
    struct err e = ERR_INIT;

    if (manifest_from_json(doc, "test", &m, &e) < 0)
        fail_msg("%s", e.text);
    json_decref(doc);
    return m;
}

struct change { /* a put, and a look behind it */
    struct manifest *pool;
    struct controller_event event;
    struct outcome put, look;
};

static void change_begin(struct change *ch, struct desk *d)
{
    *ch = (struct change){ .pool = a_pool(), .event = { .kind = CE_PUT } };
    ch->event.put.object = ch->pool;
    ch->event.put.who = "test";
    assert_int_equal(sem_init(&ch->put.done, 0, 0), 0);
    assert_int_equal(sem_init(&ch->look.done, 0, 0), 0);
    d->backend.submit(d->backend.data, &ch->event, on_done, &ch->put);
    d->backend.get(d->backend.data, "powerpools", "rack", on_done, &ch->look);
}

static void change_end(struct change *ch)
{
    outcome_wait(&ch->put);
    outcome_wait(&ch->look);
    manifest_free(ch->pool);
}

/* On the loop, behind both calls. */
static void is_undecided(void *data)
{
    const struct change *ch = data;

    assert_int_equal(ch->put.status, 0);
    assert_int_equal(ch->look.status, 0);
}

static void *puts_a_pool(void *data)
{
    struct desk *d = data;
    struct change ch;

    change_begin(&ch, d);
    loop_post(d->loop, is_undecided, &ch);
    loop_post(d->loop, release, d);
    change_end(&ch);
    assert_int_equal(ch.put.status, 201);
    assert_string_equal(ch.put.text, "rack");
    assert_int_equal(ch.look.status, 200);
    loop_stop(d->loop, 0);
    return NULL;
}

static void changes_and_looks_are_answered_when_durable(void **state)
{
    ((struct desk *)*state)->slow = true;
    with_caller(*state, puts_a_pool);
}

static void close_calls(void *data)
{
    calls_close(((struct desk *)data)->calls);
}

static void *is_turned_away(void *data)
{
    struct desk *d = data;
    struct outcome late = { .status = 0 };
    struct change ch;

    change_begin(&ch, d);
    loop_post(d->loop, is_undecided, &ch);
    loop_post(d->loop, close_calls, d);
    change_end(&ch);
    assert_int_equal(ch.put.status, 503);
    assert_int_equal(ch.look.status, 503);
    get(d, "nodes", NULL, &late);
    assert_int_equal(late.status, 503);
    loop_stop(d->loop, 0);
    return NULL;
}

static void closing_answers_everybody(void **state)
{
    ((struct desk *)*state)->slow = true;
    with_caller(*state, is_turned_away);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(looks_are_answered, make, unmake),
        cmocka_unit_test_setup_teardown(changes_and_looks_are_answered_when_durable, make, unmake),
        cmocka_unit_test_setup_teardown(closing_answers_everybody, make, unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
