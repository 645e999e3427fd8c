/* Requests in and answers out: see service.h. */
#include "deploy/examples/classifier/service.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "deploy/examples/classifier/meters.h"
#include "deploy/examples/classifier/predict.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

struct service {
    struct MHD_Daemon *daemon;
    _Atomic(struct network *) network; /* NULL until ready */
    atomic_bool draining;
    struct meters meters;
};

struct request {
    struct strbuf body;
    int64_t start_us;
    bool prediction, too_large, ok;
};

static enum MHD_Result respond(struct service *s, struct MHD_Connection *c, unsigned status,
                               const char *type, struct strbuf *text)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        text->length, (void *)(uintptr_t)strbuf_text(text), MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result;

    if (!r)
        return MHD_NO;
    (void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (atomic_load(&s->draining))
        (void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
    result = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result respond_text(struct service *s, struct MHD_Connection *c, unsigned status,
                                    const char *text)
{
    AUTO(strbuf) struct strbuf b = STRBUF_INIT;

    strbuf_printf(&b, "%s\n", text);
    return respond(s, c, status, "text/plain", &b);
}

static enum MHD_Result respond_prediction(struct service *s, struct MHD_Connection *c,
                                          struct request *q)
{
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;
    struct network *n = atomic_load(&s->network);
    struct err e = ERR_INIT;

    if (!n)
        return respond_text(s, c, MHD_HTTP_SERVICE_UNAVAILABLE, "warming up");
    if (q->too_large)
        return respond_text(s, c, MHD_HTTP_CONTENT_TOO_LARGE, "the body is larger than 1 MiB");
    if (predict_answer(n, strbuf_text(&q->body), q->body.length, &answer, &e) < 0)
        return respond_text(s, c, MHD_HTTP_BAD_REQUEST, e.text);
    q->ok = true;
    return respond(s, c, MHD_HTTP_OK, "application/json", &answer);
}

static enum MHD_Result respond_page(struct service *s, struct MHD_Connection *c, const char *url)
{
    AUTO(strbuf) struct strbuf page = STRBUF_INIT;

    if (strcmp(url, "/healthz") == 0)
        return atomic_load(&s->network)
                   ? respond_text(s, c, MHD_HTTP_OK, "ok")
                   : respond_text(s, c, MHD_HTTP_SERVICE_UNAVAILABLE, "warming up");
    if (strcmp(url, "/metrics") != 0)
        return respond_text(s, c, MHD_HTTP_NOT_FOUND, "not found");
    meters_print(&s->meters, &page);
    return respond(s, c, MHD_HTTP_OK, "text/plain; version=0.0.4", &page);
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *n_bytes, void **state)
{
    struct service *s = data;
    struct request *q = *state;

    (void)version;
    if (!q) {
        q = *state = xcalloc(1, sizeof(*q));
        q->start_us = clock_boot_us();
        q->prediction = strcmp(url, "/v1/predict") == 0;
        if (q->prediction)
            atomic_fetch_add(&s->meters.in_flight, 1);
        return MHD_YES;
    }
    if (*n_bytes > 0) {
        q->too_large = q->too_large || q->body.length + *n_bytes > SERVICE_BODY_MAX;
        if (!q->too_large)
            strbuf_add(&q->body, bytes, *n_bytes);
        *n_bytes = 0;
        return MHD_YES;
    }
    if (strcmp(method, q->prediction ? "POST" : "GET") != 0)
        return respond_text(s, c, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed");
    return q->prediction ? respond_prediction(s, c, q) : respond_page(s, c, url);
}

static void on_completed(void *data, struct MHD_Connection *c, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct service *s = data;
    struct request *q = *state;

    (void)c;
    if (!q)
        return;
    if (q->prediction) {
        meters_observe(&s->meters, clock_boot_us() - q->start_us,
                       q->ok && code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
        atomic_fetch_sub(&s->meters.in_flight, 1);
    }
    strbuf_done(&q->body);
    free(q);
    *state = NULL;
}

int service_start(uint16_t port, struct service **ret_s, struct err *e)
{
    struct service *s = xcalloc(1, sizeof(*s));

    s->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ITC, port, NULL, NULL,
                                 on_request, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
                                 MHD_OPTION_CONNECTION_LIMIT, 512u, MHD_OPTION_CONNECTION_TIMEOUT,
                                 300u, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    if (!s->daemon) {
        int r = errno ? -errno : -EIO;

        free(s);
        return err_errno(e, r, "listening on port %u", port);
    }
    *ret_s = s;
    return 0;
}

void service_ready(struct service *s, struct network *n)
{
    atomic_store(&s->network, n);
}

unsigned service_drain(struct service *s, int64_t timeout_ms)
{
    enum { LINGER_MS = 100 }; /* for a request that is on the wire already */
    static const struct timespec PAUSE = { 0, 5000000 };
    int64_t now = clock_boot_ms(), end = now + timeout_ms, quiet_since = now;
    MHD_socket listening = MHD_quiesce_daemon(s->daemon);

    atomic_store(&s->draining, true);
    if (listening != MHD_INVALID_SOCKET)
        (void)shutdown(listening, SHUT_RD); /* the kernel, too, takes no connection in any more */
    for (; now < end && now - quiet_since < LINGER_MS; now = clock_boot_ms()) {
        if (atomic_load(&s->meters.in_flight) > 0)
            quiet_since = now;
        (void)nanosleep(&PAUSE, NULL);
    }
    return atomic_load(&s->meters.in_flight);
}

void service_free(struct service *s)
{
    if (!s)
        return;
    MHD_stop_daemon(s->daemon);
    free(s);
}
