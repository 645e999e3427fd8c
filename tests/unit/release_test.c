/* The order of effects with a store that is slow, and with one that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/effects.h"
#include "controller/release.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

struct pending { /* a commit whose done is due */
    store_done_fn *done;
    void *data;
    char *rows;
};

struct desk {
    struct release *release;
    struct pending *pending;
    size_t n_pending, cap_pending;
    struct strbuf done; /* what happened, in order */
};

static void commit(void *store, const struct controller_row *rows, size_t n, store_done_fn *done,
                   void *data)
{
    struct desk *d = store;
    struct strbuf text = STRBUF_INIT;

    for (size_t i = 0; i < n; i++)
        strbuf_printf(&text, "%s=%s ", rows[i].key, rows[i].value ? rows[i].value : "-");
    *ARRAY_ADD(d, pending) = (struct pending){ done, data, strbuf_take(&text) };
}

static void carry_out(void *data, struct effect *e)
{
    struct desk *d = data;

    assert_int_not_equal(e->kind, FX_STORE);
    strbuf_printf(&d->done, "%s ", e->kind == FX_REPLY ? e->reply.node : e->power.node);
}

static void drop(void *data, const struct effect *e)
{
    struct desk *d = data;

    strbuf_printf(&d->done, "drop:%s ", e->reply.node);
}

static void failed(void *data, int status, const char *why)
{
    struct desk *d = data;

    strbuf_printf(&d->done, "failed:%d:%s ", status, why);
}

static void works(void *data)
{
    struct desk *d = data;

    strbuf_puts(&d->done, "works ");
}

static int make(void **state)
{
    struct desk *d = xcalloc(1, sizeof(*d));
    const struct release_options o = { .commit = commit,
                                       .store = d,
                                       .carry_out = carry_out,
                                       .drop = drop,
                                       .failed = failed,
                                       .works = works,
                                       .data = d,
                                       .kept_max = 3 };

    d->release = release_new(&o);
    *state = d;
    return 0;
}

static int unmake(void **state)
{
    struct desk *d = *state;

    assert_int_equal(d->n_pending, 0);
    release_free(d->release);
    free(d->pending);
    strbuf_done(&d->done);
    free(d);
    return 0;
}

/* The oldest commit is done; its rows were these. */
static void store_says(struct desk *d, int status, const char *rows)
{
    struct pending p = d->pending[0];

    assert_true(d->n_pending > 0);
    assert_string_equal(p.rows, rows);
    memmove(d->pending, d->pending + 1, --d->n_pending * sizeof(p));
    free(p.rows);
    p.done(p.data, status, status ? "why" : NULL);
}

static void happened(struct desk *d, const char *what)
{
    assert_string_equal(strbuf_text(&d->done), what);
    strbuf_clear(&d->done);
}

static void add_row(struct effects *fx, const char *key, const char *value)
{
    fx_store_text(fx, TABLE_NODE, key, xstrdup(value));
}

static void add_reply(struct effects *fx, const char *node)
{
    struct strbuf bytes = STRBUF_INIT;

    fx_reply(fx, node, &bytes);
}

/* Rows key=value; an act that is no wake; an act that is one. Each may be NULL. */
static void batch(struct desk *d, const char *key, const char *reply, const char *wake)
{
    struct effects fx = { 0 };

    if (reply)
        add_reply(&fx, reply);
    if (wake)
        (void)fx_power(&fx, wake, "op", POWER_WAKE);
    if (key)
        add_row(&fx, key, "1");
    release_batch(d->release, &fx);
    assert_int_equal(fx.n_items, 0);
    assert_null(fx.items);
}

static void nothing_is_done_before_its_rows_are_durable(void **state)
{
    struct desk *d = *state;

    batch(d, "k", "a", "b");
    happened(d, "");
    assert_false(release_idle(d->release));
    store_says(d, 0, "k=1 ");
    happened(d, "a b ");
    assert_true(release_idle(d->release));
}

static void batches_are_done_in_their_order(void **state)
{
    struct desk *d = *state;

    batch(d, NULL, "first", NULL); /* nothing to wait for */
    happened(d, "first ");
    batch(d, "k", "a", NULL);
    batch(d, NULL, "b", NULL); /* without rows, but behind one with rows */
    batch(d, "l", "c", NULL);
    happened(d, "");
    store_says(d, 0, "k=1 ");
    happened(d, "a ");
    store_says(d, 0, "");
    happened(d, "b ");
    store_says(d, 0, "l=1 ");
    happened(d, "c ");
}

static void without_the_store_only_wakes_are_done(void **state)
{
    struct desk *d = *state;

    batch(d, "k", "a", "wake");
    store_says(d, -ENOSPC, "k=1 ");
    happened(d, "failed:-28:why drop:a wake ");
    assert_true(release_failed(d->release));
    batch(d, "l", "b", "wake"); /* at once, without asking the store */
    happened(d, "drop:b wake ");
    batch(d, NULL, "c", NULL);
    happened(d, "drop:c ");
    assert_int_equal(d->n_pending, 0);
    release_retry(d->release);
    store_says(d, 0, "k=1 l=1 ");
    happened(d, "works ");
}

static void what_was_behind_a_failed_batch_fails_too(void **state)
{
    struct desk *d = *state;

    batch(d, "k", "a", NULL);
    batch(d, "l", "b", "wake");
    store_says(d, -ENOSPC, "k=1 ");
    store_says(d, -ENOSPC, "l=1 ");
    happened(d, "failed:-28:why drop:a drop:b wake ");
    release_retry(d->release);
    store_says(d, 0, "k=1 l=1 ");
    happened(d, "works ");
    batch(d, "m", "c", NULL);
    store_says(d, 0, "m=1 ");
    happened(d, "c ");
}

static void put(struct desk *d, const char *key, const char *value)
{
    struct effects fx = { 0 };

    if (value)
        add_row(&fx, key, value);
    else
        fx_delete(&fx, TABLE_NODE, key);
    release_batch(d->release, &fx);
}

static void the_newest_row_of_each_key_is_stored_later(void **state)
{
    struct desk *d = *state;

    put(d, "k", "old");
    store_says(d, -ENOSPC, "k=old ");
    put(d, "k", "new");
    put(d, "l", "1");
    release_retry(d->release);
    release_retry(d->release); /* one attempt at a time */
    assert_int_equal(d->n_pending, 1);
    put(d, "k", "newer"); /* while the attempt is under way */
    put(d, "l", NULL);
    put(d, "m", "1");
    store_says(d, -ENOSPC, "k=new l=1 ");
    release_retry(d->release);
    store_says(d, 0, "k=newer l=- m=1 ");
    happened(d, "failed:-28:why works ");
    assert_false(release_failed(d->release));
}

static void rows_that_came_during_an_attempt_follow(void **state)
{
    struct desk *d = *state;

    put(d, "k", "1");
    store_says(d, -ENOSPC, "k=1 ");
    release_retry(d->release);
    put(d, "k", "2");
    store_says(d, 0, "k=1 ");
    assert_true(release_failed(d->release));
    store_says(d, 0, "k=2 ");
    happened(d, "failed:-28:why works ");
}

static void what_is_kept_has_an_end(void **state)
{
    struct desk *d = *state;

    put(d, "a", "1");
    store_says(d, -ENOSPC, "a=1 ");
    put(d, "b", "1");
    put(d, "c", "1");
    put(d, "c", "2");
    assert_false(release_overflowed(d->release));
    put(d, "d", "1");
    assert_true(release_overflowed(d->release));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_done_before_its_rows_are_durable, make, unmake),
        cmocka_unit_test_setup_teardown(batches_are_done_in_their_order, make, unmake),
        cmocka_unit_test_setup_teardown(without_the_store_only_wakes_are_done, make, unmake),
        cmocka_unit_test_setup_teardown(what_was_behind_a_failed_batch_fails_too, make, unmake),
        cmocka_unit_test_setup_teardown(the_newest_row_of_each_key_is_stored_later, make, unmake),
        cmocka_unit_test_setup_teardown(rows_that_came_during_an_attempt_follow, make, unmake),
        cmocka_unit_test_setup_teardown(what_is_kept_has_an_end, make, unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
