/* HTTP server: see httpd.h.
 *
 * One struct httpd_call per request. The access handler collects the body, hands the call to the
 * handler, and suspends the connection until the answer is there; the answer may come from any
 * thread, so both sides meet under the call's lock. A reaper thread cuts connections whose header
 * or body takes too long. */
#include "proto/base/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"
#include "proto/base/yaml.h"

#define STREAM_MOST (256u << 10)
#define REAP_MS 500

struct link { /* one connection */
    struct link *next, **back;
    int fd;
    int64_t deadline_ms; /* header or body must be complete by then; 0: none */
};

struct httpd {
    struct MHD_Daemon *daemon;
    struct httpd_options options;
    char *cert, *key;
    pthread_mutex_t lock; /* guards links and stopping */
    pthread_cond_t wake;
    struct link *links;
    bool stopping;
    pthread_t reaper;
    bool reaping;
};

enum progress { CALL_READING, CALL_HANDED, CALL_ANSWERED, CALL_QUEUED };

struct header {
    char *name, *value;
};

struct httpd_call {
    struct httpd *httpd;
    struct MHD_Connection *connection;
    struct link *link;
    char *method, *path;
    struct strbuf body;
    bool too_long;
    struct header *headers;
    size_t n_headers, cap_headers;
    pthread_mutex_t lock; /* guards what follows: the handler may answer from another thread */
    enum progress progress;
    bool suspended;
    int status;
    struct MHD_Response *response;
};

struct httpd_stream {
    pthread_mutex_t lock;
    struct MHD_Connection *connection; /* NULL once the client went away */
    struct strbuf waiting;
    size_t sent; /* of `waiting` */
    bool suspended, ended;
    httpd_closed_fn *closed;
    void *data;
};

/* --- connections -------------------------------------------------------------------------------
 */

static void set_deadline(struct httpd *h, struct link *l, int64_t ms)
{
    (void)pthread_mutex_lock(&h->lock);
    l->deadline_ms = ms ? clock_boot_ms() + ms : 0;
    (void)pthread_mutex_unlock(&h->lock);
}

static void on_connection(void *data, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct httpd *h = data;
    struct link *l = *context;
    const union MHD_ConnectionInfo *info;

    (void)pthread_mutex_lock(&h->lock);
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        l = xcalloc(1, sizeof(*l));
        info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        l->fd = info ? info->connect_fd : -1;
        l->deadline_ms = clock_boot_ms() + h->options.header_ms;
        l->next = h->links;
        l->back = &h->links;
        if (l->next)
            l->next->back = &l->next;
        h->links = l;
        *context = l;
    } else if (l) {
        *l->back = l->next;
        if (l->next)
            l->next->back = l->back;
        free(l);
        *context = NULL;
    }
    (void)pthread_mutex_unlock(&h->lock);
}

static void *reap(void *data)
{
    struct httpd *h = data;

    (void)pthread_mutex_lock(&h->lock);
    while (!h->stopping) {
        int64_t now_ms = clock_boot_ms(), wall_ms = clock_wall_ms() + REAP_MS;
        struct timespec until = { wall_ms / 1000, wall_ms % 1000 * 1000000 };

        for (struct link *l = h->links; l; l = l->next) {
            if (l->deadline_ms && now_ms > l->deadline_ms) {
                (void)shutdown(l->fd, SHUT_RDWR); /* the pool's thread sees the end and cleans up */
                l->deadline_ms = 0;
            }
        }
        (void)pthread_cond_timedwait(&h->wake, &h->lock, &until);
    }
    (void)pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* --- requests ----------------------------------------------------------------------------------
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
    (void)pthread_mutex_init(&call->lock, NULL);
    return call;
}

static void call_free(struct httpd_call *call)
{
    if (call->response)
        MHD_destroy_response(call->response);
    for (size_t i = 0; i < call->n_headers; i++) {
        free(call->headers[i].name);
        free(call->headers[i].value);
    }
    free(call->headers);
    strbuf_done(&call->body);
    free(call->method);
    free(call->path);
    (void)pthread_mutex_destroy(&call->lock);
    free(call);
}

static enum MHD_Result answer_now(struct httpd_call *call, int status, const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result r = MHD_queue_response(call->connection, (unsigned)status, response);

    MHD_destroy_response(response);
    call->progress = CALL_QUEUED;
    return r;
}

/* The whole request is here. */
static enum MHD_Result hand_over(struct httpd_call *call)
{
    if (call->link)
        set_deadline(call->httpd, call->link, 0);
    if (call->too_long)
        return answer_now(call, MHD_HTTP_CONTENT_TOO_LARGE, "the request's body is too long\n");
    call->progress = CALL_HANDED;
    call->httpd->options.handler(call->httpd->options.data, call);
    (void)pthread_mutex_lock(&call->lock);
    if (call->progress == CALL_HANDED) {
        call->suspended = true;
        MHD_suspend_connection(call->connection);
    }
    (void)pthread_mutex_unlock(&call->lock);
    return MHD_YES;
}

static enum MHD_Result queue_answer(struct httpd_call *call)
{
    enum MHD_Result r;

    (void)pthread_mutex_lock(&call->lock);
    call->progress = CALL_QUEUED;
    r = MHD_queue_response(call->connection, (unsigned)call->status, call->response);
    (void)pthread_mutex_unlock(&call->lock);
    return r;
}

static enum progress call_progress(struct httpd_call *call)
{
    enum progress progress;

    (void)pthread_mutex_lock(&call->lock);
    progress = call->progress;
    (void)pthread_mutex_unlock(&call->lock);
    return progress;
}

static enum MHD_Result begin(struct httpd *h, struct httpd_call *call)
{
    const char *length =
        MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, "Content-Length");

    if (call->link)
        set_deadline(h, call->link, h->options.body_ms);
    /* Refused before it is read. */
    if (length && strtoull(length, NULL, 10) > h->options.most_body)
        return answer_now(call, MHD_HTTP_CONTENT_TOO_LARGE, "the request's body is too long\n");
    return MHD_YES;
}

static enum MHD_Result on_access(void *data, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *bytes,
                                 size_t *n, void **context)
{
    struct httpd *h = data;
    struct httpd_call *call = *context;
    enum MHD_Result r = MHD_YES;

    (void)version;
    if (!call) {
        *context = call = call_new(h, connection, method, url);
        return begin(h, call);
    }
    if (*n) {
        call->too_long |= *n > h->options.most_body - call->body.length;
        if (!call->too_long)
            strbuf_add(&call->body, bytes, *n);
        *n = 0;
        return MHD_YES;
    }
    switch (call_progress(call)) {
    case CALL_READING:
        r = hand_over(call);
        if (r == MHD_YES && call_progress(call) == CALL_ANSWERED)
            r = queue_answer(call);
        break;
    case CALL_ANSWERED:
        r = queue_answer(call);
        break;
    default:
        break;
    }
    return r;
}

static void on_completed(void *data, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why)
{
    struct httpd_call *call = *context;

    (void)data;
    (void)connection;
    (void)why;
    if (call)
        call_free(call);
    *context = NULL;
}

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
        (void)strcpy(text, "unknown");
}

void httpd_add_header(struct httpd_call *call, const char *name, const char *value)
{
    *ARRAY_ADD(call, headers) = (struct header){ xstrdup(name), xstrdup(value) };
}

static void answer(struct httpd_call *call, int status, const char *content_type,
                   struct MHD_Response *response)
{
    if (content_type)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    for (size_t i = 0; i < call->n_headers; i++)
        (void)MHD_add_response_header(response, call->headers[i].name, call->headers[i].value);
    (void)pthread_mutex_lock(&call->lock);
    call->status = status;
    call->response = response;
    call->progress = CALL_ANSWERED;
    if (call->suspended)
        MHD_resume_connection(call->connection);
    call->suspended = false;
    (void)pthread_mutex_unlock(&call->lock);
}

void httpd_reply(struct httpd_call *call, int status, const char *content_type, const void *bytes,
                 size_t n)
{
    answer(call, status, content_type,
           MHD_create_response_from_buffer(n, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY));
}

/* --- streams -----------------------------------------------------------------------------------
 */

static ssize_t on_read(void *data, uint64_t at, char *buffer, size_t room)
{
    struct httpd_stream *s = data;
    size_t n;

    (void)at;
    (void)pthread_mutex_lock(&s->lock);
    n = s->waiting.length - s->sent;
    if (n > room)
        n = room;
    if (n) {
        memcpy(buffer, s->waiting.data + s->sent, n);
        s->sent += n;
        if (s->sent == s->waiting.length) {
            strbuf_clear(&s->waiting);
            s->sent = 0;
        }
    } else if (!s->ended) {
        s->suspended = true;
        MHD_suspend_connection(s->connection);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return n || !s->ended ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

static void on_stream_free(void *data)
{
    struct httpd_stream *s = data;

    s->closed(s->data); /* from here on nobody else knows it */
    strbuf_done(&s->waiting);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

struct httpd_stream *httpd_stream_begin(struct httpd_call *call, const char *content_type,
                                        httpd_closed_fn *closed, void *data)
{
    struct httpd_stream *s = xcalloc(1, sizeof(*s));

    *s = (struct httpd_stream){ .connection = call->connection, .closed = closed, .data = data };
    (void)pthread_mutex_init(&s->lock, NULL);
    answer(call, MHD_HTTP_OK, content_type,
           MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, on_read, s, on_stream_free));
    return s;
}

static void wake_stream(struct httpd_stream *s)
{
    if (s->suspended)
        MHD_resume_connection(s->connection);
    s->suspended = false;
}

bool httpd_stream_write(struct httpd_stream *s, const void *bytes, size_t n)
{
    bool room;

    (void)pthread_mutex_lock(&s->lock);
    room = s->waiting.length - s->sent + n <= STREAM_MOST;
    if (room) {
        strbuf_add(&s->waiting, bytes, n);
        wake_stream(s);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return room;
}

void httpd_stream_end(struct httpd_stream *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->ended = true;
    wake_stream(s);
    (void)pthread_mutex_unlock(&s->lock);
}

/* --- the server --------------------------------------------------------------------------------
 */

static void fill_in(struct httpd_options *o)
{
    o->threads = o->threads ? o->threads : 2;
    o->connections = o->connections ? o->connections : 4096;
    o->most_body = o->most_body ? o->most_body : 1u << 20;
    o->header_ms = o->header_ms ? o->header_ms : 5000;
    o->body_ms = o->body_ms ? o->body_ms : 10000;
    o->idle_ms = o->idle_ms ? o->idle_ms : 120000;
}

static int resolve(const struct httpd_options *o, struct sockaddr_storage *ret, struct err *e)
{
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;

    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, o->address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(o->port);
        return 0;
    }
    if (inet_pton(AF_INET6, o->address, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(o->port);
        return 0;
    }
    return err_set(e, -EINVAL, "\"%s\" is not an IPv4 or IPv6 address", o->address);
}

static int read_tls(struct httpd *h, struct err *e)
{
    size_t n;
    int r;

    if (!h->options.cert_file)
        return 0;
    if ((r = yaml_read_file(h->options.cert_file, &h->cert, &n, e)) < 0 ||
        (r = yaml_read_file(h->options.key_file, &h->key, &n, e)) < 0)
        return r;
    return 0;
}

static int start(struct httpd *h, struct err *e)
{
    struct sockaddr_storage address;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, NULL },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, NULL },
        { MHD_OPTION_HTTPS_PRIORITIES, 0,
          (void *)(uintptr_t) "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
        { MHD_OPTION_END, 0, NULL },
    };
    int r = resolve(&h->options, &address, e);

    if (r < 0 || (r = read_tls(h, e)) < 0)
        return r;
    if (h->cert)
        flags |= MHD_USE_TLS;
    tls[0].ptr_value = h->cert;
    tls[1].ptr_value = h->key;
    if (address.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    errno = 0;
    h->daemon = MHD_start_daemon(
        flags, h->options.port, NULL, NULL, on_access, h, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_THREAD_POOL_SIZE, h->options.threads, MHD_OPTION_CONNECTION_LIMIT,
        h->options.connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT, h->options.connections_per_ip,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(h->options.idle_ms / 1000),
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        h, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_ARRAY, h->cert ? tls : tls + 3,
        MHD_OPTION_END);
    if (!h->daemon)
        return err_set(e, errno ? -errno : -EIO, "cannot listen on %s port %u: %s",
                       h->options.address, h->options.port,
                       errno ? strerror(errno) : "is the certificate and its key in order?");
    if (pthread_create(&h->reaper, NULL, reap, h) != 0)
        return err_set(e, -EAGAIN, "cannot start a thread");
    h->reaping = true;
    return 0;
}

int httpd_new(const struct httpd_options *options, struct httpd **ret_httpd, struct err *e)
{
    AUTO(httpd) struct httpd *h = xcalloc(1, sizeof(*h));
    int r;

    h->options = *options;
    fill_in(&h->options);
    (void)pthread_mutex_init(&h->lock, NULL);
    (void)pthread_cond_init(&h->wake, NULL);
    r = start(h, e);
    if (r < 0)
        return r;
    *ret_httpd = TAKE(h);
    return 0;
}

void httpd_free(struct httpd *h)
{
    if (!h)
        return;
    if (h->reaping) {
        (void)pthread_mutex_lock(&h->lock);
        h->stopping = true;
        (void)pthread_cond_signal(&h->wake);
        (void)pthread_mutex_unlock(&h->lock);
        (void)pthread_join(h->reaper, NULL);
    }
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    free(h->cert);
    free(h->key);
    (void)pthread_cond_destroy(&h->wake);
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}

uint16_t httpd_port(const struct httpd *h)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info ? info->port : h->options.port;
}
