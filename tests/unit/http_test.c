/* The HTTP client against our own server: blocking and on a loop; what goes wrong is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/http.h"
#include "proto/base/httpd.h"
#include "proto/base/strbuf.h"

#define PATIENCE_MS 20000

struct world {
    struct httpd *httpd;
    char url[64];
    pthread_mutex_t lock;
    struct httpd_call *kept; /* never answered until the end */
    struct loop *loop;
    struct http_client *client;
    int done, closed;
    struct http_response last;
    char *last_body;
};

/* --- the server ------------------------------------------------------------------------------- */

static void closed(void *data)
{
    (void)data;
}

static void send_stream(struct httpd_call *call)
{
    struct httpd_stream *s = httpd_stream_begin(call, "text/plain", closed, NULL);

    httpd_stream_prime(s, "one\ntwo\n", 8);
    httpd_stream_end(s);
}

static void echo(struct httpd_call *call)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    const char *type = httpd_header(call, "Content-Type"), *accept = httpd_header(call, "Accept"),
               *authorization = httpd_header(call, "Authorization");
    size_t n;
    const char *body = httpd_body(call, &n);

    strbuf_printf(&text, "%s|%s|%s|%s|%s", httpd_method(call), type ? type : "",
                  accept ? accept : "", authorization ? authorization : "", body ? body : "");
    httpd_reply(call, 200, "text/plain", strbuf_text(&text), text.length);
}

/* gzip of 100,000 times 'a'. */
static const unsigned char PACKED[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc1, 0x31, 0x01, 0x00,
    0x00, 0x00, 0xc2, 0xa0, 0xac, 0xeb, 0x5f, 0xc2, 0x1a, 0x1e, 0x40, 0x01, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xaf, 0x06, 0x87, 0xfa, 0xe2, 0x1b, 0xa0, 0x86, 0x01, 0x00
};

static void send_packed(struct httpd_call *call)
{
    const char *accepted = httpd_header(call, "Accept-Encoding");

    if (!accepted || !strstr(accepted, "gzip")) {
        httpd_reply(call, 200, "text/plain", "plain", 5);
        return;
    }
    httpd_add_header(call, "Content-Encoding", "gzip");
    httpd_reply(call, 200, "text/plain", (const char *)PACKED, sizeof(PACKED));
}

static void handle(void *data, struct httpd_call *call)
{
    struct world *w = data;
    const char *path = httpd_path(call);
    char *much;

    if (strcmp(path, "/echo") == 0) {
        echo(call);
    } else if (strcmp(path, "/much") == 0) {
        much = xcalloc(1, 2u << 20);
        httpd_reply(call, 200, "text/plain", much, 2u << 20);
        free(much);
    } else if (strcmp(path, "/stream") == 0) {
        send_stream(call);
    } else if (strcmp(path, "/packed") == 0) {
        send_packed(call);
    } else if (strcmp(path, "/busy") == 0) {
        httpd_add_header(call, "Retry-After", "7");
        httpd_reply(call, 503, "text/plain", "busy", 4);
    } else if (strcmp(path, "/moved") == 0) {
        httpd_add_header(call, "Location", "/echo");
        httpd_reply(call, 302, "text/plain", "", 0);
    } else if (strcmp(path, "/never") == 0) {
        pthread_mutex_lock(&w->lock);
        w->kept = call;
        pthread_mutex_unlock(&w->lock);
    }
}

static int set_up_server(struct world *w, const char *cert, const char *key)
{
    struct httpd_options o = { .address = "127.0.0.1",
                               .cert_file = cert,
                               .key_file = key,
                               .header_ms = 3 * PATIENCE_MS,
                               .handler = handle,
                               .data = w };
    struct err e = ERR_INIT;

    pthread_mutex_init(&w->lock, NULL);
    if (httpd_new(&o, &w->httpd, &e) < 0)
        fail_msg("%s", e.text);
    (void)snprintf(w->url, sizeof(w->url), "%s://127.0.0.1:%u", cert ? "https" : "http",
                   httpd_port(w->httpd));
    return 0;
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct err e = ERR_INIT;

    set_up_server(w, NULL, NULL);
    assert_int_equal(loop_new(&w->loop, &e), 0);
    assert_int_equal(http_client_new(w->loop, &w->client, &e), 0);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    http_client_free(w->client);
    loop_free(w->loop);
    if (w->kept)
        httpd_reply(w->kept, 200, "text/plain", "", 0);
    httpd_free(w->httpd);
    pthread_mutex_destroy(&w->lock);
    free(w->last_body);
    free(w);
    return 0;
}

/* --- blocking --------------------------------------------------------------------------------- */

static const char *at(struct world *w, const char *path)
{
    static char url[128];

    (void)snprintf(url, sizeof(url), "%s%s", w->url, path);
    return url;
}

static void fetch_sends_what_it_is_told(void **state)
{
    struct world *w = *state;
    struct http_request rq = { .method = "PUT",
                               .url = at(w, "/echo"),
                               .content_type = "a/b",
                               .accept = "c/d",
                               .body = "hello",
                               .body_length = 5,
                               .bearer = "secret" };
    AUTO(mem) char *body = NULL;
    struct err e = ERR_INIT;
    size_t n = 0;

    assert_int_equal(http_fetch(&rq, NULL, NULL, &body, &n, &e), 200);
    assert_string_equal(body, "PUT|a/b|c/d|Bearer secret|hello");
    assert_int_equal(n, strlen(body));
}

static void a_user_has_a_password(void **state)
{
    struct world *w = *state;
    struct http_request rq = { .url = at(w, "/echo"), .user = "penguin", .bearer = "secret" };
    AUTO(mem) char *body = NULL;
    struct err e = ERR_INIT;

    assert_int_equal(http_fetch(&rq, NULL, NULL, &body, NULL, &e), 200);
    assert_string_equal(body, "GET||*/*|Basic cGVuZ3VpbjpzZWNyZXQ=|"); /* penguin:secret */
}

static void an_answer_may_come_packed_and_is_limited_unpacked(void **state)
{
    struct world *w = *state;
    struct http_request rq = { .url = at(w, "/packed"), .compressed = true };
    AUTO(mem) char *body = NULL, *plain = NULL;
    struct err e = ERR_INIT;
    size_t n = 0;

    assert_int_equal(http_fetch(&rq, NULL, NULL, &body, &n, &e), 200);
    assert_int_equal(n, 100000);
    assert_int_equal(strspn(body, "a"), n);
    rq.most_bytes = n - 1;
    assert_int_equal(http_fetch(&rq, NULL, NULL, NULL, NULL, &e), -EFBIG);
    rq = (struct http_request){ .url = at(w, "/packed") }; /* only where it is wanted */
    assert_int_equal(http_fetch(&rq, NULL, NULL, &plain, NULL, &e), 200);
    assert_string_equal(plain, "plain");
}

static void fetch_reports_statuses_and_follows_nobody(void **state)
{
    struct world *w = *state;
    struct http_request rq = { .url = at(w, "/busy") };
    AUTO(mem) char *body = NULL;
    struct err e = ERR_INIT;
    size_t n = 0;

    assert_int_equal(http_fetch(&rq, NULL, NULL, &body, &n, &e), 503);
    assert_string_equal(body, "busy");
    rq.url = at(w, "/moved");
    assert_int_equal(http_fetch(&rq, NULL, NULL, NULL, NULL, &e), 302);
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0); /* nobody listens there */
    rq.url = at(w, "/echo");
    assert_int_equal(http_fetch(&rq, NULL, NULL, NULL, NULL, &e), 200);
    assert_int_equal(unsetenv("http_proxy"), 0);
}

static void failures_name_the_url_and_the_cause_never_the_token(void **state)
{
    struct world *w = *state;
    struct http_request rq = { .url = at(w, "/much"), .bearer = "secret" };
    struct err e = ERR_INIT;

    assert_int_equal(http_fetch(&rq, NULL, NULL, NULL, NULL, &e), -EFBIG);
    assert_non_null(strstr(e.text, "/much: the answer is longer than 1048576 bytes"));
    rq = (struct http_request){ .url = at(w, "/never"), .total_ms = 100, .bearer = "secret" };
    assert_int_equal(http_fetch(&rq, NULL, NULL, NULL, NULL, &e), -ETIMEDOUT);
    assert_non_null(strstr(e.text, "/never: no answer in time"));
    rq = (struct http_request){ .url = "http://127.0.0.1:1/", .bearer = "secret" };
    assert_int_equal(http_fetch(&rq, NULL, NULL, NULL, NULL, &e), -ECONNREFUSED);
    assert_null(strstr(e.text, "secret"));
    rq = (struct http_request){ .url = "file:///etc/hostname" };
    assert_true(http_fetch(&rq, NULL, NULL, NULL, NULL, &e) < 0);
}

static int take_chunk(void *data, const char *bytes, size_t n)
{
    strbuf_add(data, bytes, n);
    return 0;
}

static int stop_at_once(void *data, const char *bytes, size_t n)
{
    (void)bytes;
    *(size_t *)data += n;
    return 1;
}

static void chunks_come_as_they_come(void **state)
{
    struct world *w = *state;
    struct http_request rq = { .url = at(w, "/stream"), .total_ms = -1 };
    AUTO(strbuf) struct strbuf all = STRBUF_INIT;
    struct err e = ERR_INIT;
    size_t seen = 0;

    assert_int_equal(http_fetch(&rq, take_chunk, &all, NULL, NULL, &e), 200);
    assert_string_equal(strbuf_text(&all), "one\ntwo\n");
    rq.url = at(w, "/much"); /* no limit, and no need to take it all */
    assert_int_equal(http_fetch(&rq, stop_at_once, &seen, NULL, NULL, &e), 200);
    assert_true(seen > 0 && seen < 2u << 20);
}

/* --- on a loop -------------------------------------------------------------------------------- */

static void on_done(void *data, const struct http_response *response)
{
    struct world *w = data;

    w->done++;
    w->last = *response;
    free(w->last_body);
    w->last_body = xstrdup(response->body);
    loop_stop(w->loop, 0);
}

static void on_patience(void *data, int64_t now_ms)
{
    (void)now_ms;
    loop_stop(data, 9);
}

static void run_until(struct world *w, int done)
{
    struct loop_timer *t = loop_timer_add(w->loop, on_patience, w->loop);

    loop_timer_arm(t, loop_now_ms(w->loop) + PATIENCE_MS);
    while (w->done < done)
        assert_int_equal(loop_run(w->loop), 0);
    loop_timer_remove(t);
}

static void answers_come_on_the_loop(void **state)
{
    struct world *w = *state;
    struct http_request rq = { .url = at(w, "/echo") };
    struct err e = ERR_INIT;

    for (int i = 0; i < 20; i++)
        assert_int_equal(http_send(w->client, &rq, on_done, w, NULL, &e), 0);
    assert_int_equal(w->done, 0); /* never from inside */
    run_until(w, 20);
    assert_int_equal(w->last.status, 200);
    assert_string_equal(w->last_body, "GET||*/*||");
    rq.url = at(w, "/busy");
    assert_int_equal(http_send(w->client, &rq, on_done, w, NULL, &e), 0);
    run_until(w, 21);
    assert_int_equal(w->last.status, 503);
    assert_int_equal(w->last.retry_after_s, 7);
    rq.url = "http://127.0.0.1:1/";
    assert_int_equal(http_send(w->client, &rq, on_done, w, NULL, &e), 0);
    run_until(w, 22);
    assert_int_equal(w->last.status, 0);
    assert_non_null(strstr(w->last.error.text, "cannot connect"));
}

static void a_cancelled_call_is_never_answered(void **state)
{
    struct world *w = *state;
    struct http_request rq = { .url = at(w, "/echo") };
    struct http_call *call = NULL;
    struct err e = ERR_INIT;

    assert_int_equal(http_send(w->client, &rq, on_done, w, &call, &e), 0);
    http_cancel(call);
    assert_int_equal(http_send(w->client, &rq, on_done, w, NULL, &e), 0);
    run_until(w, 1);
    assert_int_equal(w->done, 1);
    http_cancel(NULL);
    rq.url = at(w, "/never"); /* still under way when the client is freed */
    assert_int_equal(http_send(w->client, &rq, on_done, w, NULL, &e), 0);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static void a_server_is_trusted_by_its_ca_only(void **state)
{
    char folder[] = "/tmp/huddle-http-test-XXXXXX", cert[64], key[64], command[512];
    struct world w = { 0 };
    AUTO(mem) char *body = NULL;
    struct err e = ERR_INIT;
    struct http_request rq;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", folder);
    (void)snprintf(key, sizeof(key), "%s/key.pem", folder);
    (void)snprintf(command, sizeof(command),
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                   "-subj /CN=huddle -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s "
                   ">/dev/null 2>&1",
                   key, cert);
    assert_int_equal(system(command), 0);
    set_up_server(&w, cert, key);
    rq = (struct http_request){ .url = at(&w, "/echo"),
                                .ca_file = cert,
                                .connect_ms = 3 * PATIENCE_MS, /* valgrind reads all CAs slowly */
                                .total_ms = 3 * PATIENCE_MS };
    assert_int_equal(http_fetch(&rq, NULL, NULL, &body, NULL, &e), 200);
    rq.ca_file = NULL;
    assert_int_equal(http_fetch(&rq, NULL, NULL, NULL, NULL, &e), -EPROTO);
    assert_non_null(strstr(e.text, "certificate is not trusted"));
    rq.url = at(&w, "/never");
    rq.ca_file = "/nonexistent.pem";
    assert_true(http_fetch(&rq, NULL, NULL, NULL, NULL, &e) < 0);
    httpd_free(w.httpd);
    pthread_mutex_destroy(&w.lock);
    (void)unlink(cert);
    (void)unlink(key);
    (void)rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fetch_sends_what_it_is_told),
        TEST(a_user_has_a_password),
        TEST(an_answer_may_come_packed_and_is_limited_unpacked),
        TEST(fetch_reports_statuses_and_follows_nobody),
        TEST(failures_name_the_url_and_the_cause_never_the_token),
        TEST(chunks_come_as_they_come),
        TEST(answers_come_on_the_loop),
        TEST(a_cancelled_call_is_never_answered),
        cmocka_unit_test(a_server_is_trusted_by_its_ca_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
