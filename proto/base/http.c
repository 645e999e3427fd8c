/* HTTP client: see http.h. libcurl's multi interface, its sockets and its timer on our loop. */
#include "proto/base/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define DEFAULT_CONNECT_MS 5000
#define DEFAULT_TOTAL_MS 30000
#define DEFAULT_MOST_BYTES (1u << 20)
#define KEPT_CONNECTIONS 256L /* a report and the probes of many replicas */

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer *timer;
    struct http_call *calls; /* in flight */
    int64_t renewed_ms;      /* of the last http_client_renew(); 0: never */
};

struct http_call {
    struct http_client *client; /* NULL: blocking */
    struct http_call *next, **back;
    CURL *curl;
    struct curl_slist *headers, *connect_to;
    char *url, *body_sent;
    size_t n_body_sent, n_taken; /* length; bytes that libcurl has */
    struct strbuf body;
    size_t most_bytes;
    bool too_long;
    unsigned peer_ms;
    http_done_fn *done;
    http_chunk_fn *chunk;
    bool stopped; /* by the chunk callback */
    void *data;
    char why[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* --- one call ----------------------------------------------------------------------------------
 */

static size_t on_body(char *bytes, size_t size, size_t n, void *data)
{
    struct http_call *call = data;
    long status = 0;

    n *= size;
    (void)curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
    if (call->chunk && status / 100 == 2) {
        call->stopped = call->chunk(call->data, bytes, n) != 0;
        return call->stopped ? 0 : n;
    }
    call->too_long = n > call->most_bytes - call->body.length;
    if (call->too_long)
        return 0;
    strbuf_add(&call->body, bytes, n);
    return n;
}

static void add_header(struct http_call *call, const char *name, const char *value)
{
    AUTO(strbuf) struct strbuf line = STRBUF_INIT;

    strbuf_printf(&line, "%s: %s", name, value);
    call->headers = curl_slist_append(call->headers, strbuf_text(&line));
}

static size_t take_body(char *to, size_t size, size_t n, void *data)
{
    struct http_call *call = data;
    size_t left = call->n_body_sent - call->n_taken;

    n *= size;
    n = n < left ? n : left;
    memcpy(to, call->body_sent + call->n_taken, n);
    call->n_taken += n;
    return n;
}

/* Not as CURLOPT_POSTFIELDS: what libcurl can rewind, it sends again, unasked, when a kept
 * connection breaks before an answer; the peer may have done it. */
static void set_body(struct http_call *call, const struct http_request *rq)
{
    if (!rq->body)
        return;
    call->body_sent = memcpy(xmalloc(rq->body_length), rq->body, rq->body_length);
    call->n_body_sent = rq->body_length;
    (void)curl_easy_setopt(call->curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(call->curl, CURLOPT_READFUNCTION, take_body);
    (void)curl_easy_setopt(call->curl, CURLOPT_READDATA, call);
    (void)curl_easy_setopt(call->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_length);
    add_header(call, "Expect", ""); /* no round trip for "100 Continue" */
}

/* Keep-alive probes find a peer that is gone while nothing is sent, as on a watch. */
static int on_socket_made(void *data, curl_socket_t fd, curlsocktype purpose)
{
    const struct http_call *call = data;
    int on = 1, idle_s = (int)(call->peer_ms / 3000 + 1), between_s = idle_s / 2 + 1;

    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKOPT_OK;
    /* Without one of them the call goes on: what is dead is then found later. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &call->peer_ms, sizeof(call->peer_ms));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between_s, sizeof(between_s));
    return CURL_SOCKOPT_OK;
}

static void set_connection(struct http_call *call, const struct http_request *rq)
{
    CURL *curl = call->curl;

    call->peer_ms = (unsigned)rq->peer_ms;
    if (rq->peer_ms) {
        (void)curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
        (void)curl_easy_setopt(curl, CURLOPT_SOCKOPTDATA, call);
    }
    if (rq->http1)
        (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (rq->pinned_key)
        (void)curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, rq->pinned_key);
    if (rq->unverified || (rq->pinned_key && !rq->ca_file)) {
        (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void set_peer(CURL *curl, const struct http_request *rq)
{
    if (rq->ca_file) {
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, rq->ca_file);
        (void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* else every system CA as well */
        (void)curl_easy_setopt(curl, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* the file may change */
    }
    if (rq->cert_file)
        (void)curl_easy_setopt(curl, CURLOPT_SSLCERT, rq->cert_file);
    if (rq->key_file)
        (void)curl_easy_setopt(curl, CURLOPT_SSLKEY, rq->key_file);
    if (rq->unix_socket)
        (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, rq->unix_socket);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, rq->proxy ? rq->proxy : "");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
}

static void set_headers(struct http_call *call, const struct http_request *rq)
{
    AUTO(strbuf) struct strbuf bearer = STRBUF_INIT;

    for (const char *const *h = rq->headers; h && *h; h++)
        call->headers = curl_slist_append(call->headers, *h);
    if (rq->content_type)
        add_header(call, "Content-Type", rq->content_type);
    if (rq->accept)
        add_header(call, "Accept", rq->accept);
    if (rq->user) {
        (void)curl_easy_setopt(call->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        (void)curl_easy_setopt(call->curl, CURLOPT_USERNAME, rq->user);
        (void)curl_easy_setopt(call->curl, CURLOPT_PASSWORD, rq->bearer ? rq->bearer : "");
    } else if (rq->bearer) {
        strbuf_printf(&bearer, "Bearer %s", rq->bearer);
        add_header(call, "Authorization", strbuf_text(&bearer));
    }
    if (rq->compressed)
        (void)curl_easy_setopt(call->curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    (void)curl_easy_setopt(call->curl, CURLOPT_HTTPHEADER, call->headers);
}

/* libcurl checks the certificate against the host of the URL alone: that becomes `name`, and the
 * connection goes where it went. */
static bool set_server_name(struct http_call *call, const char *name)
{
    AUTO(strbuf) struct strbuf to = STRBUF_INIT;
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL, *url = NULL;
    bool done = false;

    if (curl_url_set(u, CURLUPART_URL, call->url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_HOST, name, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK) {
        strbuf_printf(&to, "%s:%s", host, port);
        add_header(call, "Host", strbuf_text(&to));
        strbuf_clear(&to);
        strbuf_printf(&to, "::%s:%s", host, port);
        call->connect_to = curl_slist_append(NULL, strbuf_text(&to));
        (void)curl_easy_setopt(call->curl, CURLOPT_CONNECT_TO, call->connect_to);
        done = curl_easy_setopt(call->curl, CURLOPT_URL, url) == CURLE_OK;
    }
    curl_free(host);
    curl_free(port);
    curl_free(url);
    curl_url_cleanup(u);
    return done;
}

static void call_free(struct http_call *call)
{
    if (call->back) {
        *call->back = call->next;
        if (call->next)
            call->next->back = call->back;
        (void)curl_multi_remove_handle(call->client->multi, call->curl);
    }
    curl_easy_cleanup(call->curl);
    curl_slist_free_all(call->headers);
    curl_slist_free_all(call->connect_to);
    strbuf_done(&call->body);
    free(call->body_sent);
    free(call->url);
    free(call);
}

static int check_headers(const struct http_request *rq, struct err *e)
{
    for (const char *const *h = rq->headers; h && *h; h++)
        if (strpbrk(*h, "\r\n"))
            return err_set(e, -EINVAL, "%s: a header with a line break is not sent", rq->url);
    if (rq->bearer && strpbrk(rq->bearer, "\r\n"))
        return err_set(e, -EINVAL, "%s: a token with a line break is not sent", rq->url);
    return 0;
}

static int call_new(const struct http_request *rq, struct http_call **ret_call, struct err *e)
{
    struct http_call *call;
    long total = rq->total_ms ? (long)rq->total_ms : DEFAULT_TOTAL_MS;
    int r = check_headers(rq, e);

    if (r < 0)
        return r;
    call = xcalloc(1, sizeof(*call));
    (void)pthread_once(&once, start_curl);
    call->curl = curl_easy_init();
    if (!call->curl)
        abort(); /* memory is exhausted */
    call->url = xstrdup(rq->url);
    call->most_bytes = rq->most_bytes ? rq->most_bytes : DEFAULT_MOST_BYTES;
    (void)curl_easy_setopt(call->curl, CURLOPT_URL, call->url);
    (void)curl_easy_setopt(call->curl, CURLOPT_PRIVATE, call);
    (void)curl_easy_setopt(call->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(call->curl, CURLOPT_ERRORBUFFER, call->why);
    (void)curl_easy_setopt(call->curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(call->curl, CURLOPT_WRITEDATA, call);
    (void)curl_easy_setopt(call->curl, CURLOPT_CONNECTTIMEOUT_MS,
                           rq->connect_ms ? (long)rq->connect_ms : DEFAULT_CONNECT_MS);
    (void)curl_easy_setopt(call->curl, CURLOPT_TIMEOUT_MS, total < 0 ? 0L : total);
    set_connection(call, rq);
    set_peer(call->curl, rq);
    set_body(call, rq);
    if (rq->method)
        (void)curl_easy_setopt(call->curl, CURLOPT_CUSTOMREQUEST, rq->method);
    if (rq->tls_server_name && !set_server_name(call, rq->tls_server_name)) {
        call_free(call);
        return err_set(e, -EINVAL, "%s: \"%s\" is no name for a TLS server", rq->url,
                       rq->tls_server_name);
    }
    set_headers(call, rq);
    *ret_call = call;
    return 0;
}

/* What went wrong, in words that help, or 0. */
static int explain(const struct http_call *call, CURLcode code, struct err *e)
{
    const char *why = call->why[0] ? call->why : curl_easy_strerror(code);

    if (code == CURLE_OK || call->stopped)
        return 0;
    if (call->too_long)
        return err_set(e, -EFBIG, "%s: the answer is longer than %zu bytes", call->url,
                       call->most_bytes);
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return err_set(e, -ECONNREFUSED, "%s: cannot connect: %s", call->url, why);
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(e, -EHOSTUNREACH, "%s: unknown host: %s", call->url, why);
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(e, -ETIMEDOUT, "%s: no answer in time: %s", call->url, why);
    case CURLE_SEND_FAIL_REWIND:
        return err_set(e, -ECONNRESET, "%s: the connection broke before an answer came", call->url);
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return err_set(e, -EPROTO, "%s: the server has another key than the one that is pinned",
                       call->url);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(e, -EPROTO,
                       "%s: the server's certificate is not trusted: %s "
                       "(is the CA file the one of this server?)",
                       call->url, why);
    default:
        return err_set(e, -EIO, "%s: %s", call->url, why);
    }
}

/* --- on the loop -------------------------------------------------------------------------------
 */

static void finish(struct http_call *call, CURLcode code)
{
    struct http_response response = { 0 };
    curl_off_t retry_after = 0, pretransfer_us = 0;
    char *type = NULL;
    long status = 0;

    response.curl = call->curl;
    response.code = explain(call, code, &response.error);
    (void)curl_easy_getinfo(call->curl, CURLINFO_PRETRANSFER_TIME_T, &pretransfer_us);
    response.sent = pretransfer_us > 0;
    if (response.code == 0)
        (void)curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(call->curl, CURLINFO_RETRY_AFTER, &retry_after);
    (void)curl_easy_getinfo(call->curl, CURLINFO_CONTENT_TYPE, &type);
    response.content_type = type ? type : "";
    response.status = (int)status;
    response.retry_after_s = (long)retry_after;
    response.body = strbuf_text(&call->body);
    response.length = call->body.length;
    call->done(call->data, &response);
    call_free(call);
}

const char *http_header(const struct http_response *response, const char *name)
{
    struct curl_header *h = NULL;

    if (curl_easy_header(response->curl, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return NULL;
    return h->value;
}

static void collect(struct http_client *c)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->multi, &left))) {
        struct http_call *call = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        finish(call, m->data.result);
    }
}

static void on_socket_ready(void *data, int fd, unsigned events)
{
    struct http_client *c = data;
    int running, mask = (events & LOOP_READ ? CURL_CSELECT_IN : 0) |
                        (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0) |
                        (events & LOOP_HANGUP ? CURL_CSELECT_ERR : 0);

    (void)curl_multi_socket_action(c->multi, fd, mask, &running);
    collect(c);
}

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *data, void *socket_data)
{
    struct http_client *c = data;
    struct loop_io *io = socket_data;
    unsigned events =
        (what & CURL_POLL_IN ? LOOP_READ : 0u) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0u);

    (void)curl;
    if (what == CURL_POLL_REMOVE) {
        loop_io_remove(io);
        (void)curl_multi_assign(c->multi, fd, NULL);
    } else if (io) {
        (void)loop_io_change(io, events);
    } else if (loop_io_add(c->loop, fd, events, on_socket_ready, c, &io) == 0) {
        (void)curl_multi_assign(c->multi, fd, io);
    }
    return 0;
}

static void on_timer(void *data, int64_t now_ms)
{
    struct http_client *c = data;
    int running;

    (void)now_ms;
    (void)curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(c);
}

static int on_timeout_change(CURLM *multi, long ms, void *data)
{
    struct http_client *c = data;

    (void)multi;
    if (ms < 0)
        loop_timer_disarm(c->timer);
    else
        loop_timer_arm(c->timer, loop_now_ms(c->loop) + ms);
    return 0;
}

int http_client_new(struct loop *l, struct http_client **ret_client, struct err *e)
{
    struct http_client *c = xcalloc(1, sizeof(*c));

    (void)pthread_once(&once, start_curl);
    c->loop = l;
    c->multi = curl_multi_init();
    if (!c->multi) {
        free(c);
        return err_set(e, -ENOMEM, "cannot start libcurl");
    }
    c->timer = loop_timer_add(l, on_timer, c);
    (void)curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
    (void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    (void)curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timeout_change);
    (void)curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    *ret_client = c;
    return 0;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    for (struct http_call *call = c->calls, *next; call; call = next) {
        next = call->next;
        call_free(call);
    }
    (void)curl_multi_cleanup(c->multi);
    loop_timer_remove(c->timer);
    free(c);
}

/* libcurl's own clock: of CLOCK_BOOTTIME a suspended night would make old connections young. */
static int64_t curl_now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void http_client_renew(struct http_client *c)
{
    c->renewed_ms = curl_now_ms();
}

/* A connection is older than the last renewal when it has lived longer; libcurl counts whole
 * seconds, and not the first. */
static void leave_old_connections(const struct http_client *c, CURL *curl)
{
    int64_t since_s = (curl_now_ms() - c->renewed_ms) / 1000;

    if (c->renewed_ms == 0)
        return;
    if (since_s < 2)
        (void)curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    else
        (void)curl_easy_setopt(curl, CURLOPT_MAXLIFETIME_CONN, (long)(since_s - 1));
}

int http_send(struct http_client *c, const struct http_request *request, http_done_fn *fn,
              void *data, struct http_call **ret_call, struct err *e)
{
    struct http_call *call;
    CURLMcode code;
    int r = call_new(request, &call, e);

    if (r < 0)
        return r;
    leave_old_connections(c, call->curl);
    call->done = fn;
    call->chunk = request->chunk;
    call->data = data;
    code = curl_multi_add_handle(c->multi, call->curl);
    if (code != CURLM_OK) {
        r = err_set(e, -EIO, "%s: %s", call->url, curl_multi_strerror(code));
        call_free(call);
        return r;
    }
    call->client = c;
    call->next = c->calls;
    call->back = &c->calls;
    if (call->next)
        call->next->back = &call->next;
    c->calls = call;
    if (ret_call)
        *ret_call = call;
    return 0;
}

void http_cancel(struct http_call *call)
{
    if (call)
        call_free(call);
}

/* --- blocking ----------------------------------------------------------------------------------
 */

int http_fetch(const struct http_request *request, http_chunk_fn *chunk, void *data,
               char **ret_body, size_t *ret_length, struct err *e)
{
    struct http_call *call;
    long status = 0;
    int r = call_new(request, &call, e);

    if (r < 0)
        return r;
    call->chunk = chunk;
    call->data = data;
    r = explain(call, curl_easy_perform(call->curl), e);
    if (r == 0) {
        (void)curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
        if (ret_length)
            *ret_length = call->body.length;
        if (ret_body)
            *ret_body = strbuf_take(&call->body);
        r = (int)status;
    }
    call_free(call);
    return r;
}
