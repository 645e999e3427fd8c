/* Getting objects and following them: see listing.h. */
#include "controller/cli/listing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/cli/look.h"
#include "proto/base/array.h"

#define LINE_MAX_BYTES (64u << 20)
#define TRIES 5 /* in a row without anything heard */

int listing_get(const struct session *s, const struct kind *r, const char *name,
                json_t **ret_answer, struct err *e)
{
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;

    session_path(&path, r->plural, name);
    return session_call(s, "GET", strbuf_text(&path), NULL, ret_answer, e);
}

struct watch {
    const char *name;
    struct strbuf line;
    char version[24]; /* of the newest change told */
    listing_change_fn *change;
    void *data;
    bool stopped, heard, gone;
};

static void keep_version(struct watch *w, const json_t *object)
{
    const char *version = look_text(object, "metadata.resourceVersion");

    if (version && strlen(version) < sizeof(w->version))
        (void)snprintf(w->version, sizeof(w->version), "%s", version);
}

static void take_line(struct watch *w)
{
    json_t *event = json_loadb(w->line.data, w->line.length, 0, NULL);
    const char *type = look_text(event, "type");
    const json_t *object = look(event, "object");

    if (type && object && strcmp(type, "ERROR") == 0) {
        w->gone = true; /* 410 within the stream, as Kubernetes tells it */
    } else if (type && object && strcmp(type, "BOOKMARK") != 0) {
        keep_version(w, object);
        w->stopped = w->change(w->data, type, object) != 0;
    } else if (object) {
        keep_version(w, object);
    }
    json_decref(event);
}

static int on_chunk(void *data, const char *bytes, size_t n)
{
    struct watch *w = data;

    w->heard = true;
    while (n > 0 && !w->stopped && !w->gone) {
        const char *end = memchr(bytes, '\n', n);
        size_t part = end ? (size_t)(end - bytes) : n;

        if (w->line.length + part > LINE_MAX_BYTES)
            return 1;
        strbuf_add(&w->line, bytes, part);
        if (!end)
            break;
        if (w->line.length)
            take_line(w);
        strbuf_clear(&w->line);
        bytes = end + 1;
        n -= part + 1;
    }
    return w->stopped || w->gone;
}

/* Tells everything as it is now, and takes the version to go on from. */
static int list_again(const struct session *s, const struct kind *r, struct watch *w, struct err *e)
{
    json_t *answer = NULL;
    const json_t *items;
    int result = listing_get(s, r, w->name, &answer, e);

    if (result < 0)
        return result;
    items = look(answer, "items");
    keep_version(w, answer);
    if (w->name)
        w->stopped = w->change(w->data, "ADDED", answer) != 0;
    for (size_t i = 0; i < json_array_size(items) && !w->stopped; i++)
        w->stopped = w->change(w->data, "ADDED", json_array_get(items, i)) != 0;
    json_decref(answer);
    return 0;
}

static int one_stream(const struct session *s, const struct kind *r, struct watch *w, struct err *e)
{
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    int result;

    session_path(&path, r->plural, w->name);
    strbuf_printf(&path, "?watch=true&resourceVersion=%s", w->version);
    strbuf_clear(&w->line);
    result = session_stream(s, strbuf_text(&path), on_chunk, w, e);
    if (result != -ESTALE && !w->gone)
        return result;
    w->gone = false;
    return list_again(s, r, w, e);
}

/* A server that ends each stream at once is not asked all the time either. */
static void pause_after(unsigned failures)
{
    struct timespec pause = { .tv_sec = failures < 3 ? 1 : 3 };

    if (failures == 0)
        pause = (struct timespec){ .tv_nsec = 250000000 };
    (void)nanosleep(&pause, NULL);
}

int listing_watch(const struct session *s, const struct kind *r, const char *name,
                  const char *version, listing_change_fn *change, void *data, struct err *e)
{
    struct watch w = { .name = name, .change = change, .data = data };
    unsigned failures = 0;
    int result = 0;

    (void)snprintf(w.version, sizeof(w.version), "%s", version ? version : "0");
    while (!w.stopped) {
        w.heard = false;
        result = one_stream(s, r, &w, e);
        failures = w.heard || result == 0 ? 0 : failures + 1; /* a quiet one ends after its time */
        /* A refusal is final; a broken connection is tried again. */
        if (result == -EACCES || result == -EINVAL || result == -ENOENT || failures > TRIES)
            break;
        if (!w.stopped && !w.heard)
            pause_after(failures);
    }
    strbuf_done(&w.line);
    return w.stopped ? 0 : result;
}
