/* Streams, answers whose bytes come later: see httpd.h. The connection sleeps while there is
 * nothing to send. */
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/httpd_private.h"

#define LAG (256u << 10)    /* may wait behind a reader that stands still */
#define LAG_MOST (4u << 20) /* may wait behind one that reads: bursts come faster than threads */
#define STANDS_STILL_MS 5000

struct httpd_stream {
    struct httpd *httpd;
    struct link *link;
    struct MHD_Connection *connection;
    httpd_closed_fn *closed;
    void *data;
    pthread_mutex_t lock; /* guards what follows */
    struct strbuf waiting;
    size_t sent;     /* of `waiting` */
    size_t primed;   /* bytes not yet sent that do not count as lag */
    int64_t took_ms; /* boot time at which it last took something, or had nothing to take */
    bool suspended, ended, gone;
};

/* Under the stream's lock. */
static void take(struct httpd_stream *s, char *buffer, size_t n)
{
    memcpy(buffer, s->waiting.data + s->sent, n);
    s->sent += n;
    s->primed -= n < s->primed ? n : s->primed;
    s->took_ms = clock_boot_ms();
    if (s->sent < s->waiting.length / 2)
        return;
    memmove(s->waiting.data, s->waiting.data + s->sent, s->waiting.length - s->sent);
    s->waiting.length -= s->sent;
    s->sent = 0;
}

static ssize_t on_read(void *data, uint64_t at, char *buffer, size_t room)
{
    struct httpd_stream *s = data;
    ssize_t r;
    size_t n;

    (void)at;
    (void)pthread_mutex_lock(&s->lock);
    n = s->waiting.length - s->sent;
    n = n < room ? n : room;
    r = (ssize_t)n;
    if (s->gone) {
        r = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (n) {
        take(s, buffer, n);
    } else if (s->ended) {
        r = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        s->suspended = true;
        MHD_suspend_connection(s->connection);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return r;
}

static void set_link(struct httpd_stream *s, struct httpd_stream *value)
{
    (void)pthread_mutex_lock(&s->httpd->lock);
    if (s->link)
        s->link->stream = value;
    (void)pthread_mutex_unlock(&s->httpd->lock);
}

static void on_stream_free(void *data)
{
    struct httpd_stream *s = data;

    set_link(s, NULL);
    s->closed(s->data); /* from here on nobody else knows it */
    if (!s->ended)
        httpd_idle(s->httpd);
    strbuf_done(&s->waiting);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

struct httpd_stream *httpd_stream_begin(struct httpd_call *call, const char *content_type,
                                        httpd_closed_fn *closed, void *data)
{
    struct httpd_stream *s = xcalloc(1, sizeof(*s));

    s->httpd = call->httpd;
    s->link = call->link;
    s->connection = call->connection;
    s->closed = closed;
    s->data = data;
    (void)pthread_mutex_init(&s->lock, NULL);
    set_link(s, s);
    httpd_answer(
        call, MHD_HTTP_OK, content_type,
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, on_read, s, on_stream_free), s);
    return s;
}

/* Under the stream's lock. */
static void wake(struct httpd_stream *s)
{
    if (s->suspended)
        MHD_resume_connection(s->connection);
    s->suspended = false;
}

void httpd_stream_prime(struct httpd_stream *s, const void *bytes, size_t n)
{
    (void)pthread_mutex_lock(&s->lock);
    strbuf_add(&s->waiting, bytes, n);
    s->primed += n;
    wake(s);
    (void)pthread_mutex_unlock(&s->lock);
}

/* Under the stream's lock. */
static bool has_room(const struct httpd_stream *s, size_t n)
{
    size_t lag = s->waiting.length - s->sent - s->primed + n;

    if (lag <= LAG)
        return true;
    return lag <= LAG_MOST && clock_boot_ms() - s->took_ms < STANDS_STILL_MS;
}

bool httpd_stream_write(struct httpd_stream *s, const void *bytes, size_t n)
{
    bool room;

    (void)pthread_mutex_lock(&s->lock);
    if (s->waiting.length == s->sent)
        s->took_ms = clock_boot_ms();
    room = has_room(s, n);
    if (room && !s->gone) {
        strbuf_add(&s->waiting, bytes, n);
        wake(s);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return room;
}

void httpd_stream_end(struct httpd_stream *s)
{
    struct httpd *h = s->httpd;
    bool first;

    (void)pthread_mutex_lock(&s->lock);
    first = !s->ended;
    s->ended = true;
    httpd_link_deadline(s->link, h->options.body_ms); /* to take the rest */
    wake(s);
    (void)pthread_mutex_unlock(&s->lock);
    if (first)
        httpd_idle(h);
}

void httpd_stream_gone(struct httpd_stream *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->gone = true;
    wake(s);
    (void)pthread_mutex_unlock(&s->lock);
}
