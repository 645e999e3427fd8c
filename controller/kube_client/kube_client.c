/* Requests to a Kubernetes API server: see kube_client.h. kube_send() only puts a call into the
 * line; a timer of the loop sends what stands there, in order, as the rate allows. So nothing is
 * sent or ended from inside a callback of http.h, where that is forbidden. */
#include "controller/kube_client/kube_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_answer.h"
#include "controller/kube_client/kube_client_private.h"
#include "controller/kube_client/kube_credentials.h"
#include "controller/kube_client/kube_limit.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/random.h"
#include "proto/base/strbuf.h"

#define MOST_BYTES (16u << 20)
#define TOTAL_MS 30000 /* of http.h, where nothing else is said */
#define PEER_MS 90000  /* a peer that acknowledges nothing for so long is gone */
#define USER_AGENT "User-Agent: huddle/" HUDDLE_VERSION

struct kube_call {
    struct kube_client *client;
    struct kube_call *next, **back;
    char *method, *url, *content_type, *accept, *body;
    size_t n_body;
    int64_t total_ms, not_after_ms;
    http_chunk_fn *chunk;
    kube_done_fn *fn;
    void *data;
    struct http_call *http; /* NULL: it stands in the line */
    bool counted, prompt;   /* against the rate; not held back */
    bool again;             /* sent once more after a 401 */
    unsigned generation;    /* of the credentials that it showed */
    bool cancelled;         /* from a chunk; taken away by the next turn */
};

struct kube_client {
    struct loop *loop;
    struct kube_config *config;
    struct kube_credentials *credentials;
    struct http_client *http;
    struct kube_call *calls, **last; /* oldest first */
    struct loop_timer *turn;
    struct kube_limit *limit, *own_limit; /* the one that is kept to; NULL: that is shared */
    int leave;                            /* tokens of it, to others */
    struct random jitter;
    bool secure;   /* credentials may be shown */
    bool in_chunk; /* http.h must not be called */
    const char **headers;
};

/* --- calls ---------------------------------------------------------------------------------- */

static void call_append(struct kube_client *c, struct kube_call *call)
{
    call->back = c->last;
    *c->last = call;
    c->last = &call->next;
}

static void call_free(struct kube_call *call)
{
    *call->back = call->next;
    if (call->next)
        call->next->back = call->back;
    else
        call->client->last = call->back;
    http_cancel(call->http);
    free(call->method);
    free(call->url);
    free(call->content_type);
    free(call->accept);
    free(call->body);
    free(call);
}

static void turn_soon(void *data)
{
    struct kube_client *c = data;

    loop_timer_arm(c->turn, loop_now_ms(c->loop));
}

/* The call is gone when its owner hears of it: it may free, or send, what it likes. */
static void call_end(struct kube_call *call, const struct kube_answer *answer)
{
    kube_done_fn *fn = call->cancelled ? NULL : call->fn;
    void *data = call->data;

    call_free(call);
    if (fn)
        fn(data, answer);
}

static void call_fail(struct kube_call *call, const struct err *why)
{
    struct kube_answer answer = { .status = { .reason = KUBE_UNREACHABLE, .message = *why } };

    call_end(call, &answer);
}

/* --- answers -------------------------------------------------------------------------------- */

static bool send_again(struct kube_call *call, int status)
{
    struct kube_client *c = call->client;

    if (status != 401 || call->again || !c->secure ||
        !kube_credentials_refused(c->credentials, call->generation, loop_now_ms(c->loop)))
        return false;
    call->again = true;
    call->counted = false;
    turn_soon(c);
    return true;
}

static void on_response(void *data, const struct http_response *r)
{
    struct kube_call *call = data;
    struct kube_client *c = call->client;
    struct kube_answer answer = { 0 };
    json_t *object;

    call->http = NULL;
    if (r->status == 0) {
        call_fail(call, &r->error);
        return;
    }
    if (send_again(call, r->status))
        return;
    object = kube_answer_read(r, call->url, call->chunk != NULL, &answer.status);
    if (answer.status.reason == KUBE_THROTTLED) /* turned away, unseen */
        kube_limit_hold(c->limit, loop_now_ms(c->loop), answer.status.retry_after_ms,
                        random_unit(&c->jitter));
    if (answer.status.reason == KUBE_OK)
        answer.object = object;
    call_end(call, &answer);
    json_decref(object);
}

static int on_chunk(void *data, const char *bytes, size_t n)
{
    struct kube_call *call = data;
    struct kube_client *c = call->client;
    int r;

    if (call->cancelled)
        return 1;
    c->in_chunk = true;
    r = call->chunk(call->data, bytes, n);
    c->in_chunk = false;
    return r;
}

/* --- sending -------------------------------------------------------------------------------- */

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

/* The time of now, not of the loop's turn, which may have begun long ago. */
static int64_t left_ms(const struct kube_call *call)
{
    return call->not_after_ms ? call->not_after_ms - clock_boot_ms() : INT64_MAX;
}

/* Bytes that wait for a connection are not to be sent later, either. */
static int64_t total_ms(const struct kube_call *call)
{
    int64_t ms = call->total_ms ? call->total_ms : TOTAL_MS, left = left_ms(call);

    if (left == INT64_MAX || (ms >= 0 && ms <= left))
        return call->total_ms;
    return left > 0 ? left : 1;
}

static int call_send(struct kube_call *call, const struct kube_proof *proof, struct err *e)
{
    struct kube_client *c = call->client;
    const struct kube_config *config = c->config;
    struct http_request rq = {
        .method = call->method,
        .url = call->url,
        .content_type = call->content_type,
        .accept = call->accept,
        .body = call->body,
        .body_length = call->n_body,
        .total_ms = total_ms(call),
        .most_bytes = MOST_BYTES,
        .ca_file = or_null(config->ca_file),
        .cert_file = proof->cert_file,
        .key_file = proof->key_file,
        .bearer = proof->bearer,
        .headers = c->headers,
        .proxy = or_null(config->proxy_url),
        .tls_server_name = or_null(config->tls_server_name),
        .unverified = config->insecure,
        .compressed = true,
        .http1 = true,
        .peer_ms = PEER_MS,
        .chunk = call->chunk ? on_chunk : NULL,
    };

    return http_send(c->http, &rq, on_response, call, &call->http, e);
}

static void sooner(int64_t *at_ms, int64_t other_ms)
{
    if (other_ms < *at_ms)
        *at_ms = other_ms;
}

/* True when the list of calls may be another one now. *ret_next_ms: a turn is needed then. */
static bool try_send(struct kube_call *call, int64_t now_ms, int64_t *ret_next_ms)
{
    struct kube_client *c = call->client;
    struct kube_proof proof = { 0 };
    struct err e = ERR_INIT;
    int64_t at_ms;
    int r = 0;

    if (call->cancelled) {
        call_free(call);
        return true;
    }
    if (call->http)
        return false;
    if (left_ms(call) <= 0) {
        err_text(&e, "%s %s was not sent in time: who asks for it may not any more", call->method,
                 call->url);
        call_fail(call, &e);
        return true;
    }
    if (call->not_after_ms)
        sooner(ret_next_ms, call->not_after_ms);
    if (c->secure)
        r = kube_credentials_get(c->credentials, now_ms, &proof, &e);
    if (r > 0)
        return false; /* a turn comes when they are there */
    if (proof.changed)
        http_client_renew(c->http);
    at_ms = r < 0
                ? 0
                : kube_limit_take(c->limit,
                                  &(struct kube_rate_need){ .free = !call->counted && !call->prompt,
                                                            .prompt = call->prompt,
                                                            .leave = c->leave },
                                  now_ms);
    if (at_ms) {
        sooner(ret_next_ms, at_ms);
        return false;
    }
    call->generation = proof.generation;
    if (r == 0)
        r = call_send(call, &proof, &e);
    if (r == 0)
        return false;
    call_fail(call, &e);
    return true;
}

static void on_turn(void *data, int64_t now_ms)
{
    struct kube_client *c = data;
    int64_t next_ms = INT64_MAX;

    for (struct kube_call *call = c->calls, *next; call; call = next) {
        next = call->next;
        if (try_send(call, now_ms, &next_ms)) {
            turn_soon(c); /* `next` may be gone */
            return;
        }
    }
    if (next_ms < INT64_MAX)
        loop_timer_arm(c->turn, next_ms);
}

/* What stands before the path must stay the server's name whatever the path is. */
static int check_request(const struct kube_request *rq, struct err *e)
{
    const char *path = rq->path;

    if (!path || path[0] != '/')
        return err_set(e, -EINVAL, "\"%s\": a path begins with a slash", path ? path : "");
    for (; *path; path++)
        if (*path <= ' ' || *path == 0x7f)
            return err_set(e, -EINVAL, "\"%s\": a path without blanks is needed (%%20)", rq->path);
    return 0;
}

int kube_send(struct kube_client *c, const struct kube_request *request, kube_done_fn *fn,
              void *data, struct kube_call **ret_call, struct err *e)
{
    struct strbuf url = STRBUF_INIT;
    struct kube_call *call;
    int r = check_request(request, e);

    if (r < 0)
        return r;
    strbuf_printf(&url, "%s%s", c->config->server, request->path);
    call = xcalloc(1, sizeof(*call));
    *call = (struct kube_call){
        .client = c,
        .method = xstrdup(request->method ? request->method : "GET"),
        .url = strbuf_take(&url),
        .accept = xstrdup(request->accept ? request->accept : "application/json"),
        .total_ms = request->total_ms,
        .not_after_ms = request->not_after_ms,
        .counted = request->total_ms >= 0,
        .prompt = request->prompt,
        .chunk = request->chunk,
        .fn = fn,
        .data = data,
    };
    call_append(c, call);
    if (request->body) {
        call->content_type =
            xstrdup(request->content_type ? request->content_type : "application/json");
        call->body = json_dumps(request->body, JSON_COMPACT);
        if (!call->body) {
            call_free(call);
            return err_set(e, -EINVAL, "%s: the body is no JSON object", request->path);
        }
        call->n_body = strlen(call->body);
    }
    turn_soon(c);
    if (ret_call)
        *ret_call = call;
    return 0;
}

void kube_cancel(struct kube_call *call)
{
    if (!call)
        return;
    if (!call->client->in_chunk) {
        call_free(call);
        return;
    }
    call->cancelled = true;
    turn_soon(call->client);
}

/* --- the client ----------------------------------------------------------------------------- */

void kube_client_share(struct kube_client *c, struct kube_limit *limit, bool yields)
{
    kube_limit_free(TAKE(c->own_limit));
    c->limit = limit;
    c->leave = yields ? KUBE_RATE_BURST / 4 : 0;
}

const struct kube_config *kube_client_config(const struct kube_client *c)
{
    return c->config;
}

int kube_login(struct kube_client *c, struct kube_login *ret_login, struct err *e)
{
    struct kube_proof proof = { 0 };
    int r = kube_credentials_get(c->credentials, loop_now_ms(c->loop), &proof, e);

    if (r > 0)
        return err_set(e, -EAGAIN, "credentials are being asked for");
    if (r == 0)
        *ret_login =
            (struct kube_login){ proof.bearer, proof.cert_file, proof.key_file, c->headers };
    return r;
}

struct loop *kube_client_loop(struct kube_client *c)
{
    return c->loop;
}

bool kube_client_has_room(const struct kube_client *c)
{
    for (const struct kube_call *call = c->calls; call; call = call->next)
        if (!call->http)
            return false;
    return kube_limit_spare(c->limit, loop_now_ms(c->loop));
}

static char *header(const char *name, const char *value)
{
    struct strbuf line = STRBUF_INIT;

    strbuf_printf(&line, "%s: %s", name, value);
    return strbuf_take(&line);
}

static void make_headers(struct kube_client *c)
{
    const struct kube_config *config = c->config;
    const struct string_list *groups = &config->impersonate.groups;
    const struct string_list *extra = &config->impersonate.extra;
    size_t n = 0;

    c->headers = xcalloc(groups->n + extra->n + 4, sizeof(*c->headers));
    c->headers[n++] = xstrdup(USER_AGENT);
    if (!c->secure)
        return;
    if (config->impersonate.user[0])
        c->headers[n++] = header("Impersonate-User", config->impersonate.user);
    if (config->impersonate.uid[0])
        c->headers[n++] = header("Impersonate-Uid", config->impersonate.uid);
    for (size_t i = 0; i < groups->n; i++)
        c->headers[n++] = header("Impersonate-Group", groups->item[i]);
    for (size_t i = 0; i < extra->n; i++)
        c->headers[n++] = xstrdup(extra->item[i]);
}

int kube_client_new(struct loop *l, struct kube_config *config, struct kube_client **ret_client,
                    struct err *e)
{
    AUTO(kube_client) struct kube_client *c = xcalloc(1, sizeof(*c));
    int r;

    c->loop = l;
    c->config = config;
    c->last = &c->calls;
    c->turn = loop_timer_add(l, on_turn, c);
    c->limit = c->own_limit = kube_limit_new();
    c->secure = strncasecmp(config->server, "https://", strlen("https://")) == 0;
    c->credentials = kube_credentials_new(l, config, turn_soon, c);
    c->jitter = random_stream((uint64_t)loop_now_ms(l), random_hash(config->source), 0, 0);
    make_headers(c);
    r = http_client_new(l, &c->http, e);
    if (r < 0)
        return r;
    *ret_client = TAKE(c);
    return 0;
}

void kube_client_free(struct kube_client *c)
{
    if (!c)
        return;
    for (struct kube_call *call = c->calls, *next; call; call = next) {
        next = call->next;
        call_free(call);
    }
    http_client_free(c->http);
    loop_timer_remove(c->turn);
    kube_credentials_free(c->credentials);
    kube_limit_free(c->own_limit);
    for (size_t i = 0; c->headers && c->headers[i]; i++)
        free((char *)c->headers[i]);
    free(c->headers);
    kube_config_free(c->config);
    free(c);
}
