/* Changes for all who watch: see watch.h. A line is made once and shared by all watchers that see
 * the change as it is; only one with a selector may see another change than was made. */
#include "controller/api/watch.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"
#include "proto/manifest.h"

struct change {
    enum change_type type;
    uint64_t version;
    char *kind, *name, *line;
    size_t length;
};

struct watcher {
    struct watch_hub *hub;
    struct watcher *next, **back;
    struct httpd_stream *stream;
    char *kind, *object_kind, *name; /* name NULL: all */
    struct selector *selector;       /* NULL: everything */
    json_t *shown;                   /* with a selector: {name: null} of what the client has */
    int64_t until_ms, bookmark_ms;   /* bookmark_ms 0: none wanted */
    bool ended;
};

struct watch_hub {
    pthread_mutex_t lock;
    size_t most, n_watchers;
    struct change ring[WATCH_RING];
    size_t head;     /* where the next one goes */
    size_t n, bytes; /* that are kept: the last ones before head */
    uint64_t oldest; /* a watch from this version on misses nothing */
    uint64_t newest;
    struct watcher *watchers;
    bool closed;
};

/* --- life --------------------------------------------------------------------------------------
 */

struct watch_hub *watch_hub_new(uint64_t version, size_t most)
{
    struct watch_hub *h = xcalloc(1, sizeof(*h));

    (void)pthread_mutex_init(&h->lock, NULL);
    h->oldest = h->newest = version;
    h->most = most;
    return h;
}

static void end(struct watcher *w)
{
    if (!w->ended)
        httpd_stream_end(w->stream);
    w->ended = true;
}

void watch_hub_close(struct watch_hub *h)
{
    (void)pthread_mutex_lock(&h->lock);
    h->closed = true;
    for (struct watcher *w = h->watchers; w; w = w->next)
        end(w);
    (void)pthread_mutex_unlock(&h->lock);
}

static void change_done(struct change *c)
{
    free(c->kind);
    free(c->name);
    free(c->line);
}

void watch_hub_free(struct watch_hub *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < WATCH_RING; i++)
        change_done(&h->ring[i]);
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}

static void watcher_free(struct watcher *w)
{
    selector_free(w->selector);
    json_decref(w->shown);
    free(w->kind);
    free(w->object_kind);
    free(w->name);
    free(w);
}

/* On a server thread: the client is gone or the stream was ended. */
static void on_closed(void *data)
{
    struct watcher *w = data;
    struct watch_hub *h = w->hub;

    (void)pthread_mutex_lock(&h->lock);
    *w->back = w->next;
    if (w->next)
        w->next->back = w->back;
    h->n_watchers--;
    (void)pthread_mutex_unlock(&h->lock);
    watcher_free(w);
}

size_t watch_hub_count(struct watch_hub *h)
{
    size_t n;

    (void)pthread_mutex_lock(&h->lock);
    n = h->n_watchers;
    (void)pthread_mutex_unlock(&h->lock);
    return n;
}

/* --- telling -----------------------------------------------------------------------------------
 */

static const char *const TYPES[] = { "ADDED", "MODIFIED", "DELETED" };

static int add_bytes(const char *bytes, size_t n, void *data)
{
    strbuf_add(data, bytes, n);
    return 0;
}

/* One line with its newline, or NULL. As long as it is, for it is kept; and made where it stays,
 * for that of a plan is megabytes. */
static char *line_new(enum change_type type, const json_t *object, size_t *ret_length)
{
    AUTO(strbuf) struct strbuf line = STRBUF_INIT;

    strbuf_printf(&line, "{\"type\":\"%s\",\"object\":", TYPES[type]);
    if (json_dump_callback(object, add_bytes, &line, JSON_COMPACT) < 0)
        return NULL;
    strbuf_puts(&line, "}\n");
    *ret_length = line.length;
    return xrealloc(strbuf_take(&line), *ret_length + 1);
}

static bool concerns(const struct watcher *w, const struct change *c)
{
    return !w->ended && strcmp(w->kind, c->kind) == 0 &&
           (!w->name || strcmp(w->name, c->name) == 0);
}

/* What the watcher with a selector sees of a change; false: nothing. When it is not known what the
 * client has (`replay`), it is told of a deletion too much rather than one too few. */
static bool seen_as(struct watcher *w, const struct change *c, const json_t *object, bool replay,
                    enum change_type *ret_type)
{
    bool shown = json_object_get(w->shown, c->name) != NULL;
    bool matches = c->type != CHANGE_DELETED && selector_matches(w->selector, object);

    if (matches) {
        *ret_type = shown ? CHANGE_MODIFIED : CHANGE_ADDED;
        json_object_set_new(w->shown, c->name, json_null());
        return true;
    }
    *ret_type = CHANGE_DELETED;
    json_object_del(w->shown, c->name);
    return shown || replay;
}

static bool send_line(struct watcher *w, const char *line, size_t length, bool replay)
{
    if (!replay)
        return httpd_stream_write(w->stream, line, length);
    httpd_stream_prime(w->stream, line, length);
    return true;
}

static void tell(struct watcher *w, const struct change *c, const json_t *object, bool replay)
{
    enum change_type type = c->type;
    AUTO(mem) char *other = NULL;
    const char *line = c->line;
    size_t length = c->length;

    if (w->selector && !seen_as(w, c, object, replay, &type))
        return;
    if (type != c->type) {
        line = other = line_new(type, object, &length);
        if (!line)
            return;
    }
    if (!send_line(w, line, length, replay))
        end(w); /* it does not read: it has to list again */
}

static void forget_oldest(struct watch_hub *h)
{
    struct change *c = &h->ring[(h->head + WATCH_RING - h->n) % WATCH_RING];

    h->oldest = c->version;
    h->bytes -= c->length;
    h->n--;
    change_done(c);
    *c = (struct change){ 0 };
}

void watch_hub_publish(struct watch_hub *h, enum change_type type, const char *kind,
                       const char *name, uint64_t version, json_t *object)
{
    struct change fresh = { .type = type, .version = version };
    struct change *c;

    fresh.line = line_new(type, object, &fresh.length);
    if (!fresh.line)
        return;
    fresh.kind = xstrdup(kind);
    fresh.name = xstrdup(name);
    (void)pthread_mutex_lock(&h->lock);
    while (h->n == WATCH_RING || (h->n > 0 && h->bytes + fresh.length > WATCH_RING_BYTES))
        forget_oldest(h);
    c = &h->ring[h->head];
    h->head = (h->head + 1) % WATCH_RING;
    h->n++;
    h->bytes += fresh.length;
    *c = fresh;
    h->newest = version;
    for (struct watcher *w = h->watchers; w; w = w->next) {
        if (concerns(w, c))
            tell(w, c, object, false);
    }
    (void)pthread_mutex_unlock(&h->lock);
}

/* --- a new watcher -----------------------------------------------------------------------------
 */

static const char *name_of(const json_t *object)
{
    const char *name =
        json_string_value(json_object_get(json_object_get(object, "metadata"), "name"));

    return name ? name : "";
}

static void tell_known(struct watcher *w, const struct watch_request *rq)
{
    const json_t *object;
    size_t i, length;

    json_array_foreach(rq->known, i, object) {
        AUTO(mem) char *line = NULL;

        if (!selector_matches(w->selector, object))
            continue;
        json_object_set_new(w->shown, name_of(object), json_null());
        if (rq->tell_known && (line = line_new(CHANGE_ADDED, object, &length)))
            httpd_stream_prime(w->stream, line, length);
    }
}

static void replay(struct watcher *w, const struct watch_hub *h, uint64_t since)
{
    for (size_t i = 0; i < WATCH_RING; i++) {
        const struct change *c = &h->ring[(h->head + i) % WATCH_RING];
        json_t *line = NULL;

        if (!c->line || c->version <= since || !concerns(w, c))
            continue;
        if (w->selector)
            line = json_loadb(c->line, c->length, 0, NULL);
        tell(w, c, json_object_get(line, "object"), true);
        json_decref(line);
    }
}

static struct watcher *watcher_new(struct watch_hub *h, const struct watch_request *rq)
{
    struct watcher *w = xcalloc(1, sizeof(*w));

    w->hub = h;
    w->kind = xstrdup(rq->kind);
    w->object_kind = xstrdup(rq->object_kind);
    w->name = xstrdup(rq->name);
    w->selector = rq->selector;
    w->shown = json_object();
    w->until_ms = rq->until_ms;
    w->bookmark_ms = rq->bookmarks ? 1 : 0; /* at the next tick */
    w->next = h->watchers;
    w->back = &h->watchers;
    if (w->next)
        w->next->back = &w->next;
    h->watchers = w;
    h->n_watchers++;
    return w;
}

static int refusal(const struct watch_hub *h, uint64_t since)
{
    if (h->closed)
        return 503;
    if (h->n_watchers >= h->most)
        return 429;
    return since < h->oldest ? 410 : 0;
}

int watch_hub_stream(struct watch_hub *h, const struct watch_request *rq, struct httpd_call *call)
{
    struct watcher *w;
    int status;

    /* The lock is held throughout: no change may fall between the replay and the list of watchers,
     * and a client that is gone already waits in on_closed() until we have done with it. */
    (void)pthread_mutex_lock(&h->lock);
    status = refusal(h, rq->since);
    if (!status) {
        w = watcher_new(h, rq);
        w->stream = httpd_stream_begin(call, "application/json", on_closed, w);
        tell_known(w, rq);
        replay(w, h, rq->since);
    }
    (void)pthread_mutex_unlock(&h->lock);
    return status;
}

/* --- time --------------------------------------------------------------------------------------
 */

static void bookmark(struct watcher *w, uint64_t version)
{
    char line[256];
    int n = snprintf(line, sizeof(line),
                     "{\"type\":\"BOOKMARK\",\"object\":{\"apiVersion\":\"" MANIFEST_API_VERSION
                     "\",\"kind\":\"%s\",\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"}}}\n",
                     w->object_kind, version);

    if (!httpd_stream_write(w->stream, line, (size_t)n))
        end(w);
}

void watch_hub_tick(struct watch_hub *h, int64_t boot_ms)
{
    (void)pthread_mutex_lock(&h->lock);
    for (struct watcher *w = h->watchers; w; w = w->next) {
        if (boot_ms >= w->until_ms)
            end(w);
        if (!w->ended && w->bookmark_ms && boot_ms >= w->bookmark_ms) {
            w->bookmark_ms = boot_ms + WATCH_BOOKMARK_MS;
            bookmark(w, h->newest);
        }
    }
    (void)pthread_mutex_unlock(&h->lock);
}
