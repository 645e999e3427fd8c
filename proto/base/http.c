/* HTTP client: see http.h. libcurl's multi interface, its sockets and its timer on our loop. */
#include "proto/base/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
};

struct http_call {
    struct http_client *client; /* NULL: blocking */
    struct http_call *next, **back;
    CURL *curl;
    struct curl_slist *headers;
    char *url, *body_sent;
    struct strbuf body;
    size_t most_bytes;
    bool too_long;
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

static void set_body(struct http_call *call, const struct http_request *rq)
{
    if (!rq->body)
        return;
    call->body_sent = memcpy(xmalloc(rq->body_length), rq->body, rq->body_length);
    (void)curl_easy_setopt(call->curl, CURLOPT_POSTFIELDS, call->body_sent);
    (void)curl_easy_setopt(call->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_length);
    add_header(call, "Expect", ""); /* no round trip for "100 Continue" */
}

static void set_peer(CURL *curl, const struct http_request *rq)
{
    if (rq->ca_file) {
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, rq->ca_file);
        (void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* else every system CA as well */
    }
    if (rq->cert_file)
        (void)curl_easy_setopt(curl, CURLOPT_SSLCERT, rq->cert_file);
    if (rq->key_file)
        (void)curl_easy_setopt(curl, CURLOPT_SSLKEY, rq->key_file);
    if (rq->unix_socket)
        (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, rq->unix_socket);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
}

static void set_headers(struct http_call *call, const struct http_request *rq)
{
    AUTO(strbuf) struct strbuf bearer = STRBUF_INIT;

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
    strbuf_done(&call->body);
    free(call->body_sent);
    free(call->url);
    free(call);
}

static struct http_call *call_new(const struct http_request *rq)
{
    struct http_call *call = xcalloc(1, sizeof(*call));
    long total = rq->total_ms ? (long)rq->total_ms : DEFAULT_TOTAL_MS;

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
    set_peer(call->curl, rq);
    set_body(call, rq);
    if (rq->method)
        (void)curl_easy_setopt(call->curl, CURLOPT_CUSTOMREQUEST, rq->method);
    set_headers(call, rq);
    return call;
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
    curl_off_t retry_after = 0;
    long status = 0;

    if (explain(call, code, &response.error) == 0)
        (void)curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(call->curl, CURLINFO_RETRY_AFTER, &retry_after);
    response.status = (int)status;
    response.retry_after_s = (long)retry_after;
    response.body = strbuf_text(&call->body);
    response.length = call->body.length;
    call->done(call->data, &response);
    call_free(call);
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

int http_send(struct http_client *c, const struct http_request *request, http_done_fn *fn,
              void *data, struct http_call **ret_call, struct err *e)
{
    struct http_call *call = call_new(request);
    CURLMcode code;

    call->done = fn;
    call->chunk = request->chunk;
    call->data = data;
    code = curl_multi_add_handle(c->multi, call->curl);
    if (code != CURLM_OK) {
        int r = err_set(e, -EIO, "%s: %s", call->url, curl_multi_strerror(code));

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
    struct http_call *call = call_new(request);
    long status = 0;
    int r;

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
