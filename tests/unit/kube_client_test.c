/* The running Kubernetes client against our own server, which plays an API server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_limit.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/httpd.h"
#include "proto/base/strbuf.h"

#define PATIENCE_MS 60000

static char folder[] = "/tmp/huddle-kube-test-XXXXXX", cert[64], key[64], token[64];

struct world {
    struct httpd *httpd;
    pthread_mutex_t lock;
    struct strbuf seen; /* by the server: method, path, and what else a test looks at */
    int calls, expired, throttled;
    struct loop *loop;
    struct kube_client *client;
    struct loop_timer *alarm;
    int answered, want;
    struct kube_status status;
    struct strbuf streamed;
    struct kube_call *other;
    struct httpd_call *kept; /* not answered until the end */
};

/* --- the server ------------------------------------------------------------------------------- */

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

static void reply(struct httpd_call *call, int status, const char *json)
{
    httpd_reply(call, status, "application/json", json, strlen(json));
}

/* Three pages of two; the token of the second is too old as often as `expired` says. */
static void reply_page(struct world *w, struct httpd_call *call)
{
    const char *page = httpd_query(call, "continue");
    int n = page && strlen(page) == 4 ? page[2] - '0' : 1;
    char text[256];

    if (page && (strncmp(page, "p&", 2) != 0 || page[3] != '=')) {
        reply(call, 400, "{}");
        return;
    }
    if (page && w->expired && n == 2) {
        w->expired--;
        reply(call, 410, "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Expired\"}");
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "{\"kind\":\"PodList\",\"metadata\":{\"continue\":\"%s\"},\"items\":[{\"n\":%d},"
                   "{\"n\":%d}]}",
                   n == 1   ? "p&2="
                   : n == 2 ? "p&3="
                            : "",
                   2 * n - 1, 2 * n);
    reply(call, 200, text);
}

static void closed(void *data)
{
    (void)data;
}

static void reply_stream(struct httpd_call *call)
{
    static const char much[16384];
    struct httpd_stream *s = httpd_stream_begin(call, "application/json", closed, NULL);

    httpd_stream_prime(s, "{\"a\":1}{\"b\"", 11);
    httpd_stream_prime(s, ":2}", 3);
    if (strcmp(httpd_path(call), "/long") == 0)
        for (int i = 0; i < 50; i++)
            httpd_stream_prime(s, much, sizeof(much));
    httpd_stream_end(s);
}

static void note(struct world *w, struct httpd_call *call)
{
    size_t n;
    const char *body = httpd_body(call, &n);

    w->calls++;
    strbuf_printf(&w->seen, "%s %s %s|%s|%s|%s|%s\n", httpd_method(call), httpd_path(call),
                  or_dash(httpd_header(call, "Authorization")),
                  or_dash(httpd_header(call, "Content-Type")),
                  or_dash(httpd_header(call, "Impersonate-User")),
                  or_dash(httpd_query(call, "limit")), body ? body : "");
}

static void handle(void *data, struct httpd_call *call)
{
    struct world *w = data;
    const char *path = httpd_path(call), *who = httpd_header(call, "Authorization");

    pthread_mutex_lock(&w->lock);
    note(w, call);
    if (strcmp(path, "/list") == 0) {
        reply_page(w, call);
    } else if (strcmp(path, "/watch") == 0 || strcmp(path, "/long") == 0) {
        reply_stream(call);
    } else if (strcmp(path, "/never") == 0) {
        w->kept = call;
    } else if (strcmp(path, "/nul") == 0) {
        reply(call, 200, "{\"a\":\"x\\u0000y\"}");
    } else if (strcmp(path, "/page") == 0) {
        httpd_reply(call, 200, "text/html", "<html>", 6);
    } else if (strcmp(path, "/readyz") == 0) {
        httpd_reply(call, 200, "text/plain; charset=utf-8", "ok", 2);
    } else if (strcmp(path, "/broken") == 0) {
        reply(call, 200, "{\"a\":");
    } else if (strcmp(path, "/much") == 0) {
        char *much = xcalloc(1, 17u << 20);

        httpd_reply(call, 200, "application/json", much, 17u << 20);
        free(much);
    } else if (strcmp(path, "/busy") == 0 && w->throttled) {
        w->throttled--;
        httpd_add_header(call, "Retry-After", "1");
        reply(call, 429, "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\"}");
    } else if (strcmp(path, "/too-busy") == 0) {
        httpd_add_header(call, "Retry-After", "30");
        reply(call, 429, "{\"kind\":\"Status\",\"reason\":\"TooManyRequests\"}");
    } else if (strcmp(path, "/evict") == 0) {
        reply(call, 429,
              "{\"kind\":\"Status\",\"details\":{\"causes\":[{\"reason\":\"DisruptionBudget\"}]}}");
    } else if (strcmp(path, "/new-token-only") == 0 && who && strcmp(who, "Bearer new") != 0) {
        reply(call, 401, "{\"kind\":\"Status\",\"message\":\"who?\"}");
    } else {
        reply(call, 200, "{\"kind\":\"Thing\"}");
    }
    pthread_mutex_unlock(&w->lock);
}

/* --- the world -------------------------------------------------------------------------------- */

static struct kube_config *config_of(struct world *w, bool tls)
{
    struct kube_config *c = kube_config_new();
    struct strbuf server = STRBUF_INIT;

    strbuf_printf(&server, "%s://127.0.0.1:%u", tls ? "https" : "http", httpd_port(w->httpd));
    free(c->server);
    c->server = strbuf_take(&server);
    if (tls) {
        free(c->ca_file);
        c->ca_file = xstrdup(cert);
    }
    return c;
}

static void put(char **text, const char *value)
{
    free(*text);
    *text = xstrdup(value);
}

static void on_alarm(void *data, int64_t now_ms)
{
    (void)data;
    (void)now_ms;
    fail_msg("nothing happened");
}

static void connect_with(struct world *w, struct kube_config *config)
{
    struct err e = ERR_INIT;

    kube_client_free(TAKE(w->client));
    if (kube_client_new(w->loop, config, &w->client, &e) < 0)
        fail_msg("%s", e.text);
}

static void set_up_server(struct world *w, bool tls)
{
    struct httpd_options o = { .address = "127.0.0.1",
                               .cert_file = tls ? cert : NULL,
                               .key_file = tls ? key : NULL,
                               .header_ms = PATIENCE_MS,
                               .handler = handle,
                               .data = w };
    struct err e = ERR_INIT;

    pthread_mutex_init(&w->lock, NULL);
    if (httpd_new(&o, &w->httpd, &e) < 0 || loop_new(&w->loop, &e) < 0)
        fail_msg("%s", e.text);
    w->alarm = loop_timer_add(w->loop, on_alarm, NULL);
    loop_timer_arm(w->alarm, clock_boot_ms() + PATIENCE_MS);
    connect_with(w, config_of(w, tls));
}

static int set_up(void **state)
{
    *state = xcalloc(1, sizeof(struct world));
    set_up_server(*state, false);
    return 0;
}

static int set_up_tls(void **state)
{
    *state = xcalloc(1, sizeof(struct world));
    set_up_server(*state, true);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kube_client_free(w->client);
    loop_timer_remove(w->alarm);
    loop_free(w->loop);
    if (w->kept)
        reply(w->kept, 200, "{}");
    httpd_free(w->httpd);
    pthread_mutex_destroy(&w->lock);
    strbuf_done(&w->seen);
    strbuf_done(&w->streamed);
    free(w);
    return 0;
}

static enum kube_reason get(struct world *w, const char *path, json_t **ret_object)
{
    struct kube_request rq = { .path = path };
    struct kube_status status;
    struct err e = ERR_INIT;

    if (kube_fetch(w->client, &rq, &status, ret_object, &e) < 0) {
        status = (struct kube_status){ .reason = KUBE_UNREACHABLE, .message = e };
    }
    w->status = status;
    return status.reason;
}

static void on_answer(void *data, const struct kube_answer *answer)
{
    struct world *w = data;

    w->status = answer->status;
    if (++w->answered >= w->want)
        loop_stop(w->loop, 0);
}

static struct kube_call *send(struct world *w, const struct kube_request *rq)
{
    struct kube_call *call;
    struct err e = ERR_INIT;

    if (kube_send(w->client, rq, on_answer, w, &call, &e) < 0)
        fail_msg("%s", e.text);
    return call;
}

static void write_file(const char *path, const char *text)
{
    struct err e = ERR_INIT;

    if (file_replace(path, text, strlen(text), 0600, &e) < 0)
        fail_msg("%s", e.text);
}

/* --- requests --------------------------------------------------------------------------------- */

static void a_request_is_sent_as_told(void **state)
{
    struct world *w = *state;
    json_t *body = json_pack("{s:s}", "a", "b"), *object = NULL;
    struct kube_request rq = {
        .method = "PATCH", .path = "/x?limit=3", .content_type = KUBE_MERGE_PATCH, .body = body
    };
    struct kube_status status;
    struct err e = ERR_INIT;

    assert_int_equal(kube_fetch(w->client, &rq, &status, &object, &e), 0);
    assert_int_equal(status.reason, KUBE_OK);
    assert_string_equal(json_string_value(json_object_get(object, "kind")), "Thing");
    assert_string_equal(strbuf_text(&w->seen),
                        "PATCH /x -|application/merge-patch+json|-|3|{\"a\":\"b\"}\n");
    json_decref(body);
    json_decref(object);
}

static void answers_are_read_for_what_they_are(void **state)
{
    struct world *w = *state;
    json_t *object = NULL;
    struct err e = ERR_INIT;

    assert_int_equal(get(w, "/nul", &object), KUBE_OK);
    assert_int_equal(json_string_length(json_object_get(object, "a")), 3);
    json_decref(object);
    object = NULL;
    assert_int_equal(get(w, "/readyz", &object), KUBE_OK);
    assert_null(object);
    assert_int_equal(get(w, "/page", NULL), KUBE_UNREACHABLE);
    assert_non_null(strstr(w->status.message.text, "text/html"));
    assert_int_equal(get(w, "/broken", NULL), KUBE_UNREACHABLE);
    assert_int_equal(get(w, "/much", NULL), KUBE_UNREACHABLE);
    assert_non_null(strstr(w->status.message.text, "longer than"));
    assert_int_equal(get(w, "/evict", NULL), KUBE_DISRUPTION_BUDGET);
    assert_int_equal(kube_send(w->client, &(struct kube_request){ .path = "@evil.example/" },
                               on_answer, w, NULL, &e),
                     -EINVAL);
    assert_int_equal(
        kube_send(w->client, &(struct kube_request){ .path = "/a b" }, on_answer, w, NULL, &e),
        -EINVAL);
}

static int on_stream(void *data, const char *bytes, size_t n)
{
    struct world *w = data;

    strbuf_add(&w->streamed, bytes, n);
    return 0;
}

/* From inside a chunk: ends its own call and another, and sends one. */
static int meddle(void *data, const char *bytes, size_t n)
{
    struct world *w = data;

    (void)bytes;
    (void)n;
    kube_cancel(w->other);
    w->want = 1;
    send(w, &(struct kube_request){ .path = "/after" });
    return 1;
}

static void chunks_come_as_they_come(void **state)
{
    struct world *w = *state;

    w->want = 1;
    send(w, &(struct kube_request){ .path = "/watch", .total_ms = -1, .chunk = on_stream });
    assert_int_equal(loop_run(w->loop), 0);
    assert_int_equal(w->status.reason, KUBE_OK);
    assert_string_equal(strbuf_text(&w->streamed), "{\"a\":1}{\"b\":2}");
}

static void on_meddled(void *data, const struct kube_answer *answer)
{
    struct world *w = data;

    assert_int_equal(answer->status.reason, KUBE_OK);
    strbuf_puts(&w->streamed, "ended");
}

static void a_chunk_may_send_and_cancel(void **state)
{
    struct world *w = *state;
    struct kube_request rq = { .path = "/watch", .total_ms = -1, .chunk = meddle };
    struct err e = ERR_INIT;

    assert_int_equal(kube_send(w->client, &rq, on_meddled, w, NULL, &e), 0);
    w->other = send(w, &(struct kube_request){ .path = "/never" });
    assert_int_equal(loop_run(w->loop), 0);
    assert_int_equal(w->answered, 1);
    assert_string_equal(strbuf_text(&w->streamed), "ended");
    assert_non_null(strstr(strbuf_text(&w->seen), "/after"));
}

static int cancel_myself(void *data, const char *bytes, size_t n)
{
    struct world *w = data;

    (void)bytes;
    (void)n;
    assert_non_null(w->other); /* no chunk comes after it */
    kube_cancel(TAKE(w->other));
    w->want = 1;
    send(w, &(struct kube_request){ .path = "/after" });
    return 0;
}

static void on_never(void *data, const struct kube_answer *answer)
{
    (void)data;
    (void)answer;
    fail_msg("a cancelled call was answered");
}

static void a_call_cancelled_from_its_chunk_is_never_answered(void **state)
{
    struct world *w = *state;
    struct kube_request rq = { .path = "/long", .total_ms = -1, .chunk = cancel_myself };
    struct err e = ERR_INIT;

    assert_int_equal(kube_send(w->client, &rq, on_never, w, &w->other, &e), 0);
    assert_int_equal(loop_run(w->loop), 0);
    assert_int_equal(w->answered, 1);
}

/* --- lists ------------------------------------------------------------------------------------ */

struct list {
    int n, sum, restarts;
};

static void on_item(void *data, const json_t *object)
{
    struct list *l = data;

    l->n++;
    l->sum += (int)json_integer_value(json_object_get(object, "n"));
}

static void on_restart(void *data)
{
    *(struct list *)data = (struct list){ .restarts = ((struct list *)data)->restarts + 1 };
}

static void lists_come_page_by_page(void **state)
{
    struct world *w = *state;
    struct list l = { 0 };
    struct err e = ERR_INIT;

    assert_int_equal(kube_fetch_list(w->client, "/list", on_item, on_restart, &l, NULL, &e), 0);
    assert_int_equal(l.n, 6);
    assert_int_equal(l.sum, 21);
    assert_int_equal(w->calls, 3);
    assert_non_null(strstr(strbuf_text(&w->seen), "|500|"));
}

static void an_expired_page_begins_the_list_anew(void **state)
{
    struct world *w = *state;
    struct list l = { 0 };
    struct kube_status status;
    struct err e = ERR_INIT;

    w->expired = 2;
    assert_int_equal(kube_fetch_list(w->client, "/list", on_item, on_restart, &l, &status, &e), 0);
    assert_int_equal(l.restarts, 2);
    assert_int_equal(l.sum, 21);
    w->expired = 1000;
    assert_int_equal(kube_fetch_list(w->client, "/list", on_item, on_restart, &l, &status, &e),
                     -EIO);
    assert_int_equal(status.reason, KUBE_EXPIRED);
    assert_int_equal(kube_fetch_list(w->client, "/x", on_item, NULL, &l, &status, &e), -EPROTO);
}

/* --- rate ------------------------------------------------------------------------------------- */

static void requests_keep_to_the_rate(void **state)
{
    struct world *w = *state;
    int64_t begin_ms = clock_boot_ms();

    w->want = 60;
    for (int i = 0; i < w->want; i++)
        send(w, &(struct kube_request){ .path = "/x" });
    assert_int_equal(loop_run(w->loop), 0);
    assert_true(clock_boot_ms() - begin_ms >= 950);
    assert_int_equal(w->calls, 60);
}

/* Twice as many requests by two clients take as long as by one. */
static void several_clients_keep_to_one_rate(void **state)
{
    struct world *w = *state;
    struct kube_client *first = TAKE(w->client);
    struct kube_limit *limit = kube_limit_new();
    int64_t begin_ms = clock_boot_ms();

    connect_with(w, config_of(w, false));
    kube_client_share(first, limit, false);
    kube_client_share(w->client, limit, true);
    w->want = 60;
    for (int i = 0; i < w->want; i++) {
        if (i % 2 == 0) {
            send(w, &(struct kube_request){ .path = "/x" });
            continue;
        }
        assert_int_equal(kube_send(first, &(struct kube_request){ .path = "/x" }, on_answer, w,
                                   NULL, &(struct err){ 0 }),
                         0);
    }
    assert_int_equal(loop_run(w->loop), 0);
    assert_true(clock_boot_ms() - begin_ms >= 950);
    assert_int_equal(w->calls, 60);
    kube_client_free(first);
    kube_client_free(TAKE(w->client));
    kube_limit_free(limit);
}

static void a_server_that_throttles_is_left_alone(void **state)
{
    struct world *w = *state;
    int64_t begin_ms;

    w->throttled = 1;
    assert_int_equal(get(w, "/busy", NULL), KUBE_THROTTLED);
    assert_int_equal(w->status.retry_after_ms, 1000);
    begin_ms = clock_boot_ms();
    assert_int_equal(get(w, "/x", NULL), KUBE_OK);
    assert_true(clock_boot_ms() - begin_ms >= 990);
    begin_ms = clock_boot_ms();
    for (int i = 0; i < 20; i++) /* a budget that refuses holds up nobody */
        assert_int_equal(get(w, "/evict", NULL), KUBE_DISRUPTION_BUDGET);
    assert_true(clock_boot_ms() - begin_ms < 15000);
    w->throttled = 1;
    assert_int_equal(
        kube_fetch_list(w->client, "/busy", on_item, NULL, NULL, NULL, &(struct err){ 0 }),
        -EPROTO); /* asked for again, and then it was no list */
}

/* A leader's write, while its term ends. */
static void what_is_too_late_is_not_sent(void **state)
{
    struct world *w = *state;
    struct kube_request rq = { .method = "PUT", .path = "/write" };
    int64_t begin_ms = clock_boot_ms();

    assert_int_equal(get(w, "/too-busy", NULL), KUBE_THROTTLED);
    w->want = 1;
    rq.not_after_ms = clock_boot_ms() + 200;
    send(w, &rq);
    assert_int_equal(loop_run(w->loop), 0);
    assert_true(clock_boot_ms() - begin_ms < 25000); /* not for as long as the server said */
    assert_int_equal(w->status.reason, KUBE_UNREACHABLE);
    assert_non_null(strstr(w->status.message.text, "not sent in time"));
    connect_with(w, config_of(w, false));
    assert_int_equal(get(w, "/x", NULL), KUBE_OK);
    assert_null(strstr(strbuf_text(&w->seen), "/write"));
    rq.not_after_ms = clock_boot_ms() + PATIENCE_MS;
    w->want = 2;
    send(w, &rq);
    assert_int_equal(loop_run(w->loop), 0);
    assert_int_equal(w->status.reason, KUBE_OK);
    assert_non_null(strstr(strbuf_text(&w->seen), "PUT /write"));
}

static void what_is_under_way_ends_when_it_is_too_late(void **state)
{
    struct world *w = *state;

    w->want = 1;
    send(w, &(struct kube_request){ .path = "/never",
                                    .total_ms = 100 * PATIENCE_MS,
                                    .not_after_ms = clock_boot_ms() + 2000 });
    assert_int_equal(loop_run(w->loop), 0);
    assert_int_equal(w->status.reason, KUBE_UNREACHABLE);
    assert_non_null(w->kept);
}

/* --- credentials ------------------------------------------------------------------------------ */

static void credentials_go_over_tls_only(void **state)
{
    struct world *w = *state;
    struct kube_config *c = config_of(w, false);

    put(&c->token, "secret");
    put(&c->impersonate.user, "ann");
    connect_with(w, c);
    assert_int_equal(get(w, "/x", NULL), KUBE_OK);
    assert_null(strstr(strbuf_text(&w->seen), "secret"));
    assert_null(strstr(strbuf_text(&w->seen), "ann"));
}

static void a_token_is_shown_over_tls(void **state)
{
    struct world *w = *state;
    struct kube_config *c = config_of(w, true);

    put(&c->token, "secret");
    put(&c->impersonate.user, "ann");
    connect_with(w, c);
    assert_int_equal(get(w, "/x", NULL), KUBE_OK);
    assert_string_equal(strbuf_text(&w->seen), "GET /x Bearer secret|-|ann|-|\n");
    c = config_of(w, true);
    put(&c->token, "sec\r\nret");
    connect_with(w, c);
    assert_int_equal(get(w, "/x", NULL), KUBE_UNREACHABLE);
}

static void a_refused_token_is_read_once_more(void **state)
{
    struct world *w = *state;
    struct kube_config *c = config_of(w, true);

    write_file(token, "old\n");
    put(&c->token, "of no account");
    put(&c->token_file, token);
    connect_with(w, c);
    assert_int_equal(get(w, "/x", NULL), KUBE_OK);
    write_file(token, " new \n");
    assert_int_equal(get(w, "/new-token-only", NULL), KUBE_OK);
    assert_int_equal(w->calls, 3);
    assert_non_null(strstr(strbuf_text(&w->seen), "/x Bearer old|"));
    write_file(token, "other");
    assert_int_equal(get(w, "/x", NULL), KUBE_OK); /* it is not read for every request */
    assert_int_equal(w->calls, 4);
}

static void a_second_refusal_is_told(void **state)
{
    struct world *w = *state;
    struct kube_config *c = config_of(w, true);

    write_file(token, "old");
    put(&c->token_file, token);
    connect_with(w, c);
    assert_int_equal(get(w, "/new-token-only", NULL), KUBE_UNAUTHORIZED);
    assert_int_equal(w->calls, 2);
    assert_string_equal(w->status.message.text, "who?");
    (void)unlink(token);
    assert_int_equal(get(w, "/new-token-only", NULL), KUBE_UNAUTHORIZED);
    c = config_of(w, true);
    put(&c->token_file, token);
    connect_with(w, c);
    assert_int_equal(get(w, "/x", NULL), KUBE_UNREACHABLE);
    assert_non_null(strstr(w->status.message.text, token));
}

/* --- TLS -------------------------------------------------------------------------------------- */

static void the_server_must_be_who_it_says(void **state)
{
    struct world *w = *state;
    struct kube_config *c = config_of(w, true);

    put(&c->tls_server_name, "api.example");
    connect_with(w, c);
    assert_int_equal(get(w, "/x", NULL), KUBE_OK);
    c = config_of(w, true);
    put(&c->tls_server_name, "other.example");
    connect_with(w, c);
    assert_int_equal(get(w, "/x", NULL), KUBE_UNREACHABLE);
    assert_non_null(strstr(w->status.message.text, "not trusted"));
    c = config_of(w, true);
    put(&c->ca_file, "");
    connect_with(w, c);
    assert_int_equal(get(w, "/x", NULL), KUBE_UNREACHABLE);
    c = config_of(w, true);
    put(&c->ca_file, "");
    c->insecure = true;
    connect_with(w, c);
    assert_int_equal(get(w, "/x", NULL), KUBE_OK);
}

static int make_folder(void **state)
{
    char command[512];

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", folder);
    (void)snprintf(key, sizeof(key), "%s/key.pem", folder);
    (void)snprintf(token, sizeof(token), "%s/token", folder);
    (void)snprintf(command, sizeof(command),
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                   "-subj /CN=huddle -addext subjectAltName=IP:127.0.0.1,DNS:api.example -keyout "
                   "%s -out %s >/dev/null 2>&1",
                   key, cert);
    return system(command);
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(cert);
    (void)unlink(key);
    (void)unlink(token);
    return rmdir(folder);
}

#define PLAIN(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TLS(name) cmocka_unit_test_setup_teardown(name, set_up_tls, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(a_request_is_sent_as_told),
        PLAIN(answers_are_read_for_what_they_are),
        PLAIN(chunks_come_as_they_come),
        PLAIN(a_chunk_may_send_and_cancel),
        PLAIN(a_call_cancelled_from_its_chunk_is_never_answered),
        PLAIN(lists_come_page_by_page),
        PLAIN(an_expired_page_begins_the_list_anew),
        PLAIN(requests_keep_to_the_rate),
        PLAIN(several_clients_keep_to_one_rate),
        PLAIN(a_server_that_throttles_is_left_alone),
        PLAIN(what_is_too_late_is_not_sent),
        PLAIN(what_is_under_way_ends_when_it_is_too_late),
        PLAIN(credentials_go_over_tls_only),
        TLS(a_token_is_shown_over_tls),
        TLS(a_refused_token_is_read_once_more),
        TLS(a_second_refusal_is_told),
        TLS(the_server_must_be_who_it_says),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
