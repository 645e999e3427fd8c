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
#include "proto/base/array.h"
#include "proto/base/clock.h"

struct desk {
    struct loop *loop;
    struct controller *core;
    struct calls *calls;
    struct api_backend backend;
    struct effects held; /* what is not durable yet */
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

static int make(void **state)
{
    const struct controller_options core = { .cluster_id = "test", .instance = 1 };
    struct desk *d = xcalloc(1, sizeof(*d));
    struct err e = ERR_INIT;
    struct calls_options options = { .step = step, .data = d };

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

static void what_is_looked_at_is_answered_at_once(void **state)
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

static void *puts_a_pool(void *data)
{
    struct desk *d = data;
    AUTO(manifest) struct manifest *m = a_pool();
    struct controller_event event = { .kind = CE_PUT };
    struct outcome put = { .status = 0 }, look = { .status = 0 };

    event.put.object = m;
    event.put.who = "test";
    assert_int_equal(sem_init(&put.done, 0, 0), 0);
    d->backend.submit(d->backend.data, &event, on_done, &put);
    get(d, "powerpools", "rack", &look); /* behind the put in the queue: it was taken */
    assert_int_equal(look.status, 200);
    assert_int_equal(put.status, 0); /* but it is not durable */
    loop_post(d->loop, release, d);
    outcome_wait(&put);
    assert_int_equal(put.status, 201);
    assert_string_equal(put.text, "rack");
    loop_stop(d->loop, 0);
    return NULL;
}

static void a_change_is_answered_when_it_is_durable(void **state)
{
    with_caller(*state, puts_a_pool);
}

static void close_calls(void *data)
{
    calls_close(((struct desk *)data)->calls);
}

static void *is_turned_away(void *data)
{
    struct desk *d = data;
    AUTO(manifest) struct manifest *m = a_pool();
    struct controller_event event = { .kind = CE_PUT };
    struct outcome waits = { .status = 0 }, late = { .status = 0 };

    event.put.object = m;
    event.put.who = "test";
    assert_int_equal(sem_init(&waits.done, 0, 0), 0);
    d->backend.submit(d->backend.data, &event, on_done, &waits);
    get(d, "nodes", NULL, &late);
    assert_int_equal(waits.status, 0);
    loop_post(d->loop, close_calls, d);
    outcome_wait(&waits);
    assert_int_equal(waits.status, 503);
    get(d, "nodes", NULL, &late);
    assert_int_equal(late.status, 503);
    loop_stop(d->loop, 0);
    return NULL;
}

static void closing_answers_everybody(void **state)
{
    with_caller(*state, is_turned_away);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_looked_at_is_answered_at_once, make, unmake),
        cmocka_unit_test_setup_teardown(a_change_is_answered_when_it_is_durable, make, unmake),
        cmocka_unit_test_setup_teardown(closing_answers_everybody, make, unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
