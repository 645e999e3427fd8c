/* Batches between the core, the store and the world: see release.h. */
#include "controller/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/state/named.h"
#include "proto/base/array.h"

#define KEPT_MAX 100000

struct batch { /* handed to the store, its done is due */
    struct release *release;
    struct effects fx;
    struct controller_row *rows; /* borrowed from fx */
    size_t n_rows;
};

struct kept {   /* a row that could not be stored */
    char *name; /* first: table/key */
    struct controller_row row;
    char *key, *value; /* of the row */
};

struct attempt { /* to store what was kept */
    struct release *release;
    struct named_set rows;
    struct controller_row *borrowed;
};

struct release {
    struct release_options options;
    size_t waiting; /* batches whose done is due */
    bool failed, attempting;
    struct named_set kept;
};

struct release *release_new(const struct release_options *options)
{
    struct release *r = xcalloc(1, sizeof(*r));

    r->options = *options;
    if (r->options.kept_max == 0)
        r->options.kept_max = KEPT_MAX;
    return r;
}

/* --- rows that could not be stored --------------------------------------------------------------
 */

static void kept_free(struct kept *k)
{
    free(k->name);
    free(k->key);
    free(k->value);
    free(k);
}

static void kept_done(struct named_set *set)
{
    for (size_t i = 0; i < set->n_items; i++)
        kept_free((struct kept *)set->items[i]);
    named_done(set);
    *set = (struct named_set){ 0 };
}

/* Newer rows replace older ones of their key. Takes k. */
static void keep(struct named_set *set, struct kept *k, bool newer)
{
    struct kept *old = named_find(set, k->name);

    if (old && !newer) {
        kept_free(k);
        return;
    }
    if (old) {
        named_remove(set, k->name);
        kept_free(old);
    }
    named_add(set, k);
}

/* Takes the row out of the effect. */
static void keep_row(struct release *r, struct effect *e)
{
    struct kept *k = xcalloc(1, sizeof(*k));
    char name[512];

    (void)snprintf(name, sizeof(name), "%d/%.400s", (int)e->store.table, e->store.key);
    k->name = xstrdup(name);
    k->key = TAKE(e->store.key);
    k->value = TAKE(e->store.value);
    k->row = (struct controller_row){ e->store.table, k->key, k->value };
    keep(&r->kept, k, true);
}

void release_free(struct release *r)
{
    if (!r)
        return;
    kept_done(&r->kept);
    free(r);
}

/* --- carrying out -------------------------------------------------------------------------------
 */

static void carry_out(struct release *r, struct effects *fx)
{
    for (size_t i = 0; i < fx->n_items; i++)
        if (fx->items[i].kind != FX_STORE)
            r->options.carry_out(r->options.data, &fx->items[i]);
    effects_done(fx);
}

static void give_up(struct release *r, struct effects *fx)
{
    for (size_t i = 0; i < fx->n_items; i++) {
        struct effect *e = &fx->items[i];

        if (e->kind == FX_STORE)
            keep_row(r, e);
        else if (e->wake_safe)
            r->options.carry_out(r->options.data, e);
        else
            r->options.drop(r->options.data, e);
    }
    effects_done(fx);
}

static void note_failure(struct release *r, int status, const char *why)
{
    if (r->failed)
        return;
    r->failed = true;
    r->options.failed(r->options.data, status, why);
}

static void batch_done(void *data, int status, const char *why)
{
    struct batch *b = data;
    struct release *r = b->release;

    r->waiting--;
    if (status == 0) {
        carry_out(r, &b->fx);
    } else {
        note_failure(r, status, why); /* before anybody is told what was not done */
        give_up(r, &b->fx);
    }
    free(b->rows);
    free(b);
}

static size_t count_rows(const struct effects *fx)
{
    size_t n = 0;

    for (size_t i = 0; i < fx->n_items; i++)
        n += fx->items[i].kind == FX_STORE;
    return n;
}

static void commit(struct release *r, struct effects *fx, size_t n_rows)
{
    struct batch *b = xcalloc(1, sizeof(*b));

    b->release = r;
    b->fx = *fx;
    b->rows = xcalloc(n_rows + 1, sizeof(*b->rows));
    for (size_t i = 0; i < fx->n_items; i++)
        if (fx->items[i].kind == FX_STORE)
            b->rows[b->n_rows++] =
                (struct controller_row){ fx->items[i].store.table, fx->items[i].store.key,
                                         fx->items[i].store.value };
    *fx = (struct effects){ 0 };
    r->waiting++;
    r->options.commit(r->options.store, b->rows, b->n_rows, batch_done, b);
}

void release_batch(struct release *r, struct effects *fx)
{
    size_t n_rows = count_rows(fx);

    if (fx->n_items == 0)
        return;
    if (r->failed)
        give_up(r, fx);
    else if (n_rows == 0 && r->waiting == 0)
        carry_out(r, fx);
    else
        commit(r, fx, n_rows);
}

/* --- trying again -------------------------------------------------------------------------------
 */

static void attempt_done(void *data, int status, const char *why)
{
    struct attempt *a = data;
    struct release *r = a->release;

    r->waiting--;
    r->attempting = false;
    if (status < 0) {
        for (size_t i = 0; i < a->rows.n_items; i++)
            keep(&r->kept, (struct kept *)a->rows.items[i], false);
        named_done(&a->rows);
        note_failure(r, status, why);
    } else {
        kept_done(&a->rows);
        r->failed = r->kept.n_items > 0; /* rows that came meanwhile */
        if (r->failed)
            release_retry(r);
        else
            r->options.works(r->options.data);
    }
    free(a->borrowed);
    free(a);
}

void release_retry(struct release *r)
{
    struct attempt *a;

    if (!r->failed || r->attempting)
        return;
    a = xcalloc(1, sizeof(*a));
    a->release = r;
    a->rows = r->kept;
    r->kept = (struct named_set){ 0 };
    a->borrowed = xcalloc(a->rows.n_items + 1, sizeof(*a->borrowed));
    for (size_t i = 0; i < a->rows.n_items; i++)
        a->borrowed[i] = ((struct kept *)a->rows.items[i])->row;
    r->attempting = true;
    r->waiting++;
    r->options.commit(r->options.store, a->borrowed, a->rows.n_items, attempt_done, a);
}

bool release_failed(const struct release *r)
{
    return r->failed;
}

bool release_idle(const struct release *r)
{
    return r->waiting == 0;
}

bool release_overflowed(const struct release *r)
{
    return r->kept.n_items > r->options.kept_max;
}
