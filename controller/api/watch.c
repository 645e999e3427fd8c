/* Changes for all who watch: see watch.h. Lines are made once and shared by all watchers of a
 * change. */
#include "controller/api/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"

struct change {
    uint64_t version;
    char *kind, *name, *line;
    size_t length;
};

struct watcher {
    struct watch_hub *hub;
    struct watcher *next, **back;
    struct httpd_stream *stream;
    char *kind, *name; /* name NULL: all */
    int64_t until_ms;  /* 0: no limit */
    bool ended;
};

struct watch_hub {
    pthread_mutex_t lock;
    struct change ring[WATCH_RING];
    size_t head;     /* where the next one goes */
    uint64_t oldest; /* a watch from this version on misses nothing */
    struct watcher *watchers;
};

struct watch_hub *watch_hub_new(void)
{
    struct watch_hub *h = xcalloc(1, sizeof(*h));

    (void)pthread_mutex_init(&h->lock, NULL);
    return h;
}

static void end(struct watcher *w)
{
    if (!w->ended)
        httpd_stream_end(w->stream);
    w->ended = true;
}

void watch_hub_free(struct watch_hub *h)
{
    bool empty = false;

    if (!h)
        return;
    /* The streams close on the server's threads; what they hold of us goes with them. */
    while (!empty) {
        (void)pthread_mutex_lock(&h->lock);
        for (struct watcher *w = h->watchers; w; w = w->next)
            end(w);
        empty = !h->watchers;
        (void)pthread_mutex_unlock(&h->lock);
        if (!empty)
            (void)usleep(1000);
    }
    for (size_t i = 0; i < WATCH_RING; i++) {
        free(h->ring[i].kind);
        free(h->ring[i].name);
        free(h->ring[i].line);
    }
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}

static bool wants(const struct watcher *w, const struct change *c)
{
    return !w->ended && strcmp(w->kind, c->kind) == 0 &&
           (!w->name || strcmp(w->name, c->name) == 0);
}

static void tell(struct watcher *w, const struct change *c)
{
    if (wants(w, c) && !httpd_stream_write(w->stream, c->line, c->length))
        end(w); /* it does not read: it has to list again */
}

void watch_hub_publish(struct watch_hub *h, enum change_type type, const char *kind,
                       const char *name, uint64_t version, json_t *object)
{
    static const char *const TYPES[] = { "ADDED", "MODIFIED", "DELETED" };
    json_t *line = json_pack("{s:s, s:O}", "type", TYPES[type], "object", object);
    char *text = json_dumps(line, JSON_COMPACT);
    struct change *c;

    json_decref(line);
    if (!text)
        return;
    (void)pthread_mutex_lock(&h->lock);
    c = &h->ring[h->head];
    h->head = (h->head + 1) % WATCH_RING;
    if (c->line)
        h->oldest = c->version;
    else if (!h->oldest)
        h->oldest = version - 1;
    free(c->kind);
    free(c->name);
    free(c->line);
    *c = (struct change){ version, xstrdup(kind), xstrdup(name), text, strlen(text) };
    c->line[c->length++] = '\n'; /* in the place of the NUL: a line is bytes */
    for (struct watcher *w = h->watchers; w; w = w->next)
        tell(w, c);
    (void)pthread_mutex_unlock(&h->lock);
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
    (void)pthread_mutex_unlock(&h->lock);
    free(w->kind);
    free(w->name);
    free(w);
}

int watch_hub_stream(struct watch_hub *h, const char *kind, const char *name, uint64_t since,
                     int64_t seconds, struct httpd_call *call)
{
    struct watcher *w;

    (void)pthread_mutex_lock(&h->lock);
    if (since < h->oldest) {
        (void)pthread_mutex_unlock(&h->lock);
        return 410;
    }
    w = xcalloc(1, sizeof(*w));
    *w = (struct watcher){ .hub = h, .kind = xstrdup(kind), .name = xstrdup(name) };
    w->until_ms = seconds > 0 ? clock_boot_ms() + seconds * 1000 : 0;
    w->next = h->watchers;
    w->back = &h->watchers;
    if (w->next)
        w->next->back = &w->next;
    h->watchers = w;
    w->stream = httpd_stream_begin(call, "application/json", on_closed, w);
    for (size_t i = 0; i < WATCH_RING; i++) {
        const struct change *c = &h->ring[(h->head + i) % WATCH_RING];

        if (c->line && c->version > since)
            tell(w, c);
    }
    (void)pthread_mutex_unlock(&h->lock);
    return 0;
}

void watch_hub_tick(struct watch_hub *h, int64_t now_ms)
{
    (void)pthread_mutex_lock(&h->lock);
    for (struct watcher *w = h->watchers; w; w = w->next) {
        if (w->until_ms && now_ms >= w->until_ms)
            end(w);
    }
    (void)pthread_mutex_unlock(&h->lock);
}
