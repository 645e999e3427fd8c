/* Requests and their answers: see httpd.h.
 *
 * One struct httpd_call per request. The access handler collects the body, hands the call to the
 * handler, and suspends the connection until the answer is there; the answer may come from any
 * thread, so both sides meet under the call's lock. */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/base/array.h"
#include "proto/base/httpd_private.h"

#define DISCARD_MOST (4u << 20)

/* --- the request -------------------------------------------------------------------------------
 */

static struct httpd_call *call_new(struct httpd *h, struct MHD_Connection *connection,
                                   const char *method, const char *path)
{
    struct httpd_call *call = xcalloc(1, sizeof(*call));
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    call->httpd = h;
    call->connection = connection;
    call->link = info ? info->socket_context : NULL;
    call->method = xstrdup(method);
    call->path = xstrdup(path);
    call->most_body = h->options.most_body;
    (void)pthread_mutex_init(&call->lock, NULL);
    return call;
}

static void call_free(struct httpd_call *call)
{
    /* Who answered may still be about to leave the lock. */
    (void)pthread_mutex_lock(&call->lock);
    (void)pthread_mutex_unlock(&call->lock);
    if (call->response)
        MHD_destroy_response(call->response);
    for (size_t i = 0; i < call->n_headers; i++) {
        free(call->headers[i].name);
        free(call->headers[i].value);
    }
    free(call->headers);
    if (call->release)
        call->release(call->attached);
    strbuf_done(&call->body);
    free(call->method);
    free(call->path);
    (void)pthread_mutex_destroy(&call->lock);
    free(call);
}

static enum progress call_progress(struct httpd_call *call)
{
    enum progress progress;

    (void)pthread_mutex_lock(&call->lock);
    progress = call->progress;
    (void)pthread_mutex_unlock(&call->lock);
    return progress;
}

static enum MHD_Result queue_answer(struct httpd_call *call)
{
    enum MHD_Result r;

    (void)pthread_mutex_lock(&call->lock);
    call->progress = CALL_QUEUED;
    httpd_link_deadline(call->link, call->stream ? 0 : call->httpd->options.idle_ms);
    r = MHD_queue_response(call->connection, (unsigned)call->status, call->response);
    (void)pthread_mutex_unlock(&call->lock);
    return r;
}

/* Runs one handler; the connection sleeps when it has not answered. */
static void run(struct httpd_call *call, httpd_handler_fn *fn, void *data)
{
    fn(data, call);
    (void)pthread_mutex_lock(&call->lock);
    if (call->progress == CALL_HANDED) {
        call->suspended = true;
        MHD_suspend_connection(call->connection);
    }
    (void)pthread_mutex_unlock(&call->lock);
}

static void set_handed(struct httpd_call *call)
{
    (void)pthread_mutex_lock(&call->lock);
    call->progress = CALL_HANDED;
    (void)pthread_mutex_unlock(&call->lock);
}

/* As far as it goes without waiting. */
static enum MHD_Result proceed(struct httpd_call *call)
{
    struct httpd *h = call->httpd;

    for (;;) {
        switch (call_progress(call)) {
        case CALL_READING:
            httpd_link_deadline(call->link, 0);
            call->counted = httpd_busy(h);
            if (!call->counted)
                return MHD_NO;
            set_handed(call);
            run(call, h->options.handler, h->options.data);
            break;
        case CALL_AGAIN:
            set_handed(call);
            run(call, call->again, call->again_data);
            break;
        case CALL_ANSWERED:
            return queue_answer(call);
        case CALL_HANDED: /* asleep */
        case CALL_QUEUED:
            return MHD_YES;
        }
    }
}

/* A client that is still sending when the connection closes may lose the answer to a reset: so a
 * body that is not wanted is read and thrown away, unless it is huge or the client asks first. */
static bool worth_reading(const struct httpd_call *call, uint64_t length)
{
    return length && length <= DISCARD_MOST &&
           !MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, "Expect");
}

/* The header is here. */
static enum MHD_Result begin(struct httpd_call *call)
{
    const struct httpd_options *o = &call->httpd->options;
    const char *text =
        MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, "Content-Length");
    uint64_t length = text ? strtoull(text, NULL, 10) : 0;

    httpd_link_deadline(call->link, o->body_ms);
    if (o->admit)
        call->most_body = o->admit(o->data, call);
    call->too_long = length > call->most_body;
    if (worth_reading(call, length))
        return MHD_YES;
    if (call_progress(call) == CALL_READING && call->too_long)
        o->handler(o->data, call); /* it sees the missing body and refuses */
    return call_progress(call) == CALL_ANSWERED ? queue_answer(call) : MHD_YES;
}

static void take_body(struct httpd_call *call, const char *bytes, size_t n)
{
    if (call_progress(call) != CALL_READING)
        return;
    call->too_long |= n > call->most_body - call->body.length;
    if (!call->too_long)
        strbuf_add(&call->body, bytes, n);
}

enum MHD_Result httpd_on_access(void *data, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *bytes,
                                size_t *n, void **context)
{
    struct httpd *h = data;
    struct httpd_call *call = *context;

    (void)version;
    if (!call) {
        *context = call = call_new(h, connection, method, url);
        return begin(call);
    }
    if (*n) {
        take_body(call, bytes, *n);
        *n = 0;
        return MHD_YES;
    }
    return proceed(call);
}

void httpd_on_completed(void *data, struct MHD_Connection *connection, void **context,
                        enum MHD_RequestTerminationCode why)
{
    struct httpd *h = data;
    struct httpd_call *call = *context;

    (void)connection;
    (void)why;
    *context = NULL;
    if (!call)
        return;
    /* A next request's header has to be here in time, however slowly it trickles. */
    httpd_link_deadline(call->link, h->options.idle_ms + h->options.header_ms);
    call_free(call);
}

/* --- for the handler ---------------------------------------------------------------------------
 */

const char *httpd_method(const struct httpd_call *call)
{
    return call->method;
}

const char *httpd_path(const struct httpd_call *call)
{
    return call->path;
}

const char *httpd_query(const struct httpd_call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *httpd_header(const struct httpd_call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

const void *httpd_body(const struct httpd_call *call, size_t *ret_n)
{
    if (call->too_long)
        return NULL;
    *ret_n = call->body.length;
    return strbuf_text(&call->body);
}

void httpd_peer(const struct httpd_call *call, char text[HTTPD_PEER_MAX])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;

    if (!address || getnameinfo(address,
                                address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                               : sizeof(struct sockaddr_in),
                                text, HTTPD_PEER_MAX, NULL, 0, NI_NUMERICHOST))
        (void)snprintf(text, HTTPD_PEER_MAX, "unknown");
}

bool httpd_client(const struct httpd_call *call, struct httpd_client *ret_client)
{
    const union MHD_ConnectionInfo *info =
        call->httpd->options.client_ca_file
            ? MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)
            : NULL;

    return info && identity_client(info->tls_session, ret_client);
}

void httpd_attach(struct httpd_call *call, void *thing, void (*release)(void *thing))
{
    call->attached = thing;
    call->release = release;
}

void *httpd_attached(const struct httpd_call *call)
{
    return call->attached;
}

/* --- the answer --------------------------------------------------------------------------------
 */

void httpd_add_header(struct httpd_call *call, const char *name, const char *value)
{
    *ARRAY_ADD(call, headers) = (struct header){ xstrdup(name), xstrdup(value) };
}

/* Under the call's lock. */
static void go_on(struct httpd_call *call, enum progress progress)
{
    call->progress = progress;
    if (call->suspended)
        MHD_resume_connection(call->connection);
    call->suspended = false;
}

void httpd_answer(struct httpd_call *call, int status, const char *content_type,
                  struct MHD_Response *response, struct httpd_stream *stream)
{
    struct httpd *h = call->httpd;
    bool idle;

    if (content_type)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    for (size_t i = 0; i < call->n_headers; i++)
        (void)MHD_add_response_header(response, call->headers[i].name, call->headers[i].value);
    (void)pthread_mutex_lock(&call->lock);
    call->status = status;
    call->response = response;
    call->stream = stream;
    idle = call->counted && !stream; /* a stream stays counted until it ends */
    go_on(call, CALL_ANSWERED);
    (void)pthread_mutex_unlock(&call->lock);
    if (idle)
        httpd_idle(h);
}

void httpd_reply(struct httpd_call *call, int status, const char *content_type, const void *bytes,
                 size_t n)
{
    httpd_answer(
        call, status, content_type,
        MHD_create_response_from_buffer(n, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY), NULL);
}

void httpd_again(struct httpd_call *call, httpd_handler_fn *fn, void *data)
{
    (void)pthread_mutex_lock(&call->lock);
    call->again = fn;
    call->again_data = data;
    go_on(call, CALL_AGAIN);
    (void)pthread_mutex_unlock(&call->lock);
}
