/* The HTTP server under clients that behave and clients that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/httpd.h"
#include "tests/unit/raw_client.h"

#define LARGE 3500000 /* more than the sockets' buffers take */
#define CLOSE "Connection: close\r\n\r\n"

struct world {
    struct httpd *httpd;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct httpd_call *kept; /* the one that waits for its answer */
    struct httpd_stream *stream;
    bool ended;
    int closed;
    atomic_int handled;
    atomic_int released;
    pthread_t helper;
};

/* --- the handler ------------------------------------------------------------------------------ */

static void say(struct httpd_call *call, int status, const char *text)
{
    httpd_reply(call, status, "text/plain", text, strlen(text));
}

static void *answer_later(void *data)
{
    say(data, 200, "later\n");
    return NULL;
}

static void second_half(void *data, struct httpd_call *call)
{
    httpd_add_header(call, "X-Thing", data);
    say(call, 200, "again\n");
}

static void *hand_back(void *data)
{
    httpd_again(data, second_half, (void *)(uintptr_t) "yes");
    return NULL;
}

static void on_closed(void *data)
{
    struct world *w = data;

    pthread_mutex_lock(&w->lock);
    w->stream = NULL;
    w->closed++;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void begin_stream(struct world *w, struct httpd_call *call)
{
    pthread_mutex_lock(&w->lock);
    w->ended = false;
    w->stream = httpd_stream_begin(call, "text/plain", on_closed, w);
    httpd_stream_prime(w->stream, "first\n", 6);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void keep(struct world *w, struct httpd_call *call)
{
    pthread_mutex_lock(&w->lock);
    w->kept = call;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void handle(void *data, struct httpd_call *call)
{
    struct world *w = data;
    const char *path = httpd_path(call);
    char peer[HTTPD_PEER_MAX];
    pthread_t thread;
    size_t n = 0;
    const char *body = httpd_body(call, &n);

    atomic_fetch_add(&w->handled, 1);
    if (!body) {
        say(call, 413, "too long\n");
    } else if (strcmp(path, "/echo") == 0) {
        httpd_reply(call, 200, "text/plain", body, n);
    } else if (strcmp(path, "/peer") == 0) {
        httpd_peer(call, peer);
        say(call, 200, peer);
    } else if (strcmp(path, "/query") == 0) {
        say(call, 200, httpd_query(call, "a") ? httpd_query(call, "a") : "none");
    } else if (strcmp(path, "/later") == 0 || strcmp(path, "/again") == 0) {
        bool later = strcmp(path, "/later") == 0;

        if (pthread_create(&thread, NULL, later ? answer_later : hand_back, call) != 0)
            abort();
        pthread_detach(thread);
    } else if (strcmp(path, "/keep") == 0) {
        keep(w, call);
    } else if (strcmp(path, "/stream") == 0) {
        begin_stream(w, call);
    } else {
        say(call, 404, "no such page\n");
    }
}

static void release(void *thing)
{
    atomic_fetch_add((atomic_int *)thing, 1);
}

static size_t admit(void *data, struct httpd_call *call)
{
    struct world *w = data;

    httpd_attach(call, &w->released, release);
    if (httpd_header(call, "X-Refuse"))
        say(call, 401, "who are you?\n");
    return strcmp(httpd_path(call), "/echo") == 0 ? 100 : 10;
}

/* --- set-up ----------------------------------------------------------------------------------- */

static struct world *world_new(struct httpd_options o)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct err e = ERR_INIT;

    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    o.address = "127.0.0.1";
    o.handler = handle;
    o.data = w;
    if (httpd_new(&o, &w->httpd, &e) < 0)
        fail_msg("%s", e.text);
    return w;
}

static void world_free(struct world *w)
{
    httpd_free(w->httpd);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w);
}

static struct httpd_call *wait_kept(struct world *w)
{
    struct httpd_call *call;

    pthread_mutex_lock(&w->lock);
    while (!w->kept)
        pthread_cond_wait(&w->changed, &w->lock);
    call = w->kept;
    w->kept = NULL;
    pthread_mutex_unlock(&w->lock);
    return call;
}

static void wait_closed(struct world *w, int times)
{
    pthread_mutex_lock(&w->lock);
    while (w->closed < times)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static bool write_stream(struct world *w, const void *bytes, size_t n)
{
    bool room;

    pthread_mutex_lock(&w->lock);
    room = w->stream && httpd_stream_write(w->stream, bytes, n);
    pthread_mutex_unlock(&w->lock);
    return room;
}

static void end_stream(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    if (w->stream && !w->ended)
        httpd_stream_end(w->stream);
    w->ended = true;
    pthread_mutex_unlock(&w->lock);
}

static void expect(struct world *w, const char *request, int status, const char *body)
{
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;

    raw_ask(httpd_port(w->httpd), request, &answer);
    if (raw_status(&answer) != status || !strstr(raw_body(&answer), body))
        fail_msg("%s\n=> %s", request, strbuf_text(&answer));
}

/* --- requests --------------------------------------------------------------------------------- */

static void answers_come_now_later_and_again(void **state)
{
    struct world *w = world_new((struct httpd_options){ 0 });
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;

    (void)state;
    expect(w, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" CLOSE "hello", 200,
           "hello");
    expect(w, "GET /peer HTTP/1.1\r\nHost: x\r\n" CLOSE, 200, "127.0.0.1");
    expect(w, "GET /query?a=b%20c&d HTTP/1.1\r\nHost: x\r\n" CLOSE, 200, "b c");
    expect(w, "GET /query HTTP/1.1\r\nHost: x\r\n" CLOSE, 200, "none");
    expect(w, "GET /later HTTP/1.1\r\nHost: x\r\n" CLOSE, 200, "later");
    expect(w, "GET /other HTTP/1.1\r\nHost: x\r\n" CLOSE, 404, "no such page");
    raw_ask(httpd_port(w->httpd), "GET /again HTTP/1.1\r\nHost: x\r\n" CLOSE, &answer);
    assert_non_null(strstr(strbuf_text(&answer), "X-Thing: yes"));
    world_free(w);
}

static void many_answers_from_other_threads(void **state)
{
    struct world *w = world_new((struct httpd_options){ .threads = 4 });
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;
    int fd = raw_connect(httpd_port(w->httpd));

    (void)state;
    for (int i = 0; i < 200; i++) { /* one connection, kept alive */
        raw_send(fd, i % 2 ? "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
                           : "GET /again HTTP/1.1\r\nHost: x\r\n\r\n");
        strbuf_clear(&answer);
        assert_int_equal(raw_read(fd, i % 2 ? "later\n" : "again\n", &answer), 1);
    }
    (void)close(fd);
    world_free(w);
}

static void a_refusal_needs_no_body_and_is_heard(void **state)
{
    struct world *w = world_new((struct httpd_options){ .admit = admit });
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;
    int fd = raw_connect(httpd_port(w->httpd));
    char *large = xcalloc(1, LARGE + 1);

    (void)state;
    /* It waits with its body: the refusal comes without it. */
    raw_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nX-Refuse: 1\r\nExpect: 100-continue\r\n"
                 "Content-Length: 9\r\n\r\n");
    (void)raw_read(fd, NULL, &answer);
    assert_int_equal(raw_status(&answer), 401);
    (void)close(fd);
    /* It sends on: the body is thrown away and the answer is not lost to a reset. */
    memset(large, 'x', LARGE);
    for (int i = 0; i < 20; i++) {
        fd = raw_connect(httpd_port(w->httpd));
        raw_send(
            fd, "POST /echo HTTP/1.1\r\nHost: x\r\nX-Refuse: 1\r\nContent-Length: 3500000\r\n\r\n");
        raw_send(fd, large);
        strbuf_clear(&answer);
        assert_int_equal(raw_read(fd, "who are you?\n", &answer), 1);
        (void)close(fd);
    }
    assert_int_equal(atomic_load(&w->handled), 0);
    world_free(w);
    free(large);
}

static void bodies_have_a_limit(void **state)
{
    struct world *w = world_new((struct httpd_options){ .admit = admit });
    AUTO(strbuf) struct strbuf request = STRBUF_INIT;

    (void)state;
    expect(w, "POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n" CLOSE "0123456789", 404,
           "");
    expect(w, "POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n" CLOSE "0123456789a", 413,
           "too long");
    strbuf_puts(&request, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" CLOSE);
    for (int i = 0; i < 10; i++)
        strbuf_puts(&request, "a\r\n0123456789\r\n");
    strbuf_puts(&request, "0\r\n\r\n");
    expect(w, strbuf_text(&request), 200, "01234567890123");
    request.length -= strlen("0\r\n\r\n");
    strbuf_puts(&request, "1\r\nx\r\n0\r\n\r\n");
    expect(w, strbuf_text(&request), 413, "too long");
    /* So large that nobody reads it. */
    expect(w, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n" CLOSE, 413,
           "too long");
    world_free(w);
}

static void what_is_attached_is_released_once(void **state)
{
    struct world *w = world_new((struct httpd_options){ .admit = admit, .body_ms = 1000 });
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;
    int fd = raw_connect(httpd_port(w->httpd)), released;

    (void)state;
    raw_send(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /peer HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(raw_read(fd, "127.0.0.1", &answer), 1);
    raw_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n...");
    (void)shutdown(fd, SHUT_WR); /* and goes away in the middle of its body */
    strbuf_clear(&answer);
    (void)raw_read(fd, NULL, &answer);
    (void)close(fd);
    httpd_free(w->httpd);
    w->httpd = NULL;
    released = atomic_load(&w->released);
    assert_int_equal(released, 3);
    world_free(w);
}

/* --- slow and many ---------------------------------------------------------------------------- */

/* Sends `head`, then a byte every 50 ms, until the server cuts it; how long that took. */
static int64_t trickle(uint16_t port, const char *head, const char *first_answer)
{
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;
    int fd = raw_connect(port);
    int64_t began_ms;

    raw_send(fd, head);
    if (first_answer)
        assert_int_equal(raw_read(fd, first_answer, &answer), 1);
    began_ms = clock_boot_ms();
    for (;;) {
        struct pollfd p = { fd, POLLIN | POLLRDHUP, 0 };

        if (poll(&p, 1, 50) > 0 || send(fd, "a", 1, MSG_NOSIGNAL) < 0)
            break;
        assert_true(clock_boot_ms() - began_ms < RAW_PATIENCE_MS);
    }
    (void)close(fd);
    return clock_boot_ms() - began_ms;
}

static void slow_headers_bodies_and_second_requests_are_cut(void **state)
{
    struct world *w =
        world_new((struct httpd_options){ .header_ms = 200, .body_ms = 300, .idle_ms = 1000 });
    uint16_t port = httpd_port(w->httpd);

    (void)state;
    assert_true(trickle(port, "GET /peer HTTP/1.1\r\nHost: ", NULL) >= 150);
    assert_true(trickle(port, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n",
                        NULL) >= 250);
    assert_true(trickle(port, "GET /peer HTTP/1.1\r\nHost: x\r\n\r\nGET /", "127.0.0.1") >= 1000);
    assert_int_equal(atomic_load(&w->handled), 1);
    expect(w, "GET /peer HTTP/1.1\r\nHost: x\r\n" CLOSE, 200, "127.0.0.1");
    world_free(w);
}

static void one_address_gets_so_many_connections(void **state)
{
    struct world *w = world_new((struct httpd_options){ .threads = 1, .connections_per_ip = 3 });
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;
    int fd[3], extra;

    (void)state;
    for (int i = 0; i < 3; i++) {
        fd[i] = raw_connect(httpd_port(w->httpd));
        raw_send(fd[i], "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n");
        strbuf_clear(&answer);
        assert_int_equal(raw_read(fd[i], "127.0.0.1", &answer), 1);
    }
    extra = raw_connect(httpd_port(w->httpd));
    strbuf_clear(&answer);
    assert_int_equal(raw_read(extra, "\n", &answer), 0); /* closed at once */
    (void)close(extra);
    for (int i = 0; i < 3; i++)
        (void)close(fd[i]);
    world_free(w);
}

static void a_port_belongs_to_one_server(void **state)
{
    struct world *w = world_new((struct httpd_options){ 0 });
    struct httpd_options o = { .address = "127.0.0.1", .handler = handle };
    struct httpd *second = NULL;
    struct err e = ERR_INIT;

    (void)state;
    o.port = httpd_port(w->httpd);
    assert_int_equal(httpd_new(&o, &second, &e), -EADDRINUSE);
    assert_non_null(strstr(e.text, "127.0.0.1 port"));
    o.address = "localhost";
    assert_int_equal(httpd_new(&o, &second, &e), -EINVAL);
    world_free(w);
}

/* --- streams ---------------------------------------------------------------------------------- */

static int open_stream(struct world *w, struct strbuf *answer)
{
    int fd = raw_connect(httpd_port(w->httpd));

    raw_send(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(raw_read(fd, "first\n", answer), 1);
    return fd;
}

static void a_stream_flows_until_its_end(void **state)
{
    struct world *w = world_new((struct httpd_options){ 0 });
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;
    int fd = open_stream(w, &answer);
    char line[32];

    (void)state;
    for (int i = 0; i < 100; i++) {
        (void)snprintf(line, sizeof(line), "line %d\n", i);
        assert_true(write_stream(w, line, strlen(line)));
        assert_int_equal(raw_read(fd, line, &answer), 1);
    }
    end_stream(w);
    assert_int_equal(raw_read(fd, "0\r\n\r\n", &answer), 1); /* the last chunk */
    wait_closed(w, 1);
    (void)close(fd);
    world_free(w);
}

static void a_reader_that_sleeps_is_noticed(void **state)
{
    struct world *w = world_new((struct httpd_options){ 0 });
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;
    int fd = open_stream(w, &answer), written = 0;
    char kilobyte[1024];

    (void)state;
    memset(kilobyte, 'x', sizeof(kilobyte));
    while (write_stream(w, kilobyte, sizeof(kilobyte)))
        assert_true(++written < 64 * 1024); /* the sockets' buffers take some MiB, no more */
    assert_true(written >= 4096);
    (void)close(fd);
    wait_closed(w, 1);
    world_free(w);
}

/* The same, but slowly: it is noticed by the time that it takes nothing. */
static void a_reader_that_stands_still_may_lag_less(void **state)
{
    struct world *w = world_new((struct httpd_options){ 0 });
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;
    int fd = open_stream(w, &answer), written = 0;
    size_t n = 32u << 20; /* more than the sockets' buffers take */
    char *much = xcalloc(1, n), kilobyte[1024] = { 0 };
    int64_t began_ms = clock_boot_ms();

    (void)state;
    pthread_mutex_lock(&w->lock);
    httpd_stream_prime(w->stream, much, n);
    pthread_mutex_unlock(&w->lock);
    for (; written < 300; written++)
        assert_true(write_stream(w, kilobyte, sizeof(kilobyte)));
    while (write_stream(w, kilobyte, 1)) {
        assert_true(clock_boot_ms() - began_ms < RAW_PATIENCE_MS);
        (void)poll(NULL, 0, 50);
    }
    assert_true(clock_boot_ms() - began_ms >= 5000);
    (void)close(fd);
    wait_closed(w, 1);
    world_free(w);
    free(much);
}

static void who_does_not_take_the_rest_is_cut(void **state)
{
    struct world *w = world_new((struct httpd_options){ .body_ms = 300 });
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;
    size_t n = 32u << 20;
    char *much = xcalloc(1, n);
    int fd = open_stream(w, &answer);

    (void)state;
    pthread_mutex_lock(&w->lock);
    httpd_stream_prime(w->stream, much, n);
    pthread_mutex_unlock(&w->lock);
    end_stream(w);
    wait_closed(w, 1);
    (void)close(fd);
    world_free(w);
    free(much);
}

static void the_beginning_of_a_stream_may_be_long(void **state)
{
    struct world *w = world_new((struct httpd_options){ 0 });
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;
    size_t n = 4u << 20;
    char *much = xcalloc(1, n);
    int fd = open_stream(w, &answer);

    (void)state;
    memset(much, 'y', n);
    pthread_mutex_lock(&w->lock);
    httpd_stream_prime(w->stream, much, n);
    pthread_mutex_unlock(&w->lock);
    assert_true(write_stream(w, "end\n", 4)); /* does not count what stands before it */
    assert_int_equal(raw_read(fd, "end\n", &answer), 1);
    assert_true(answer.length > n);
    end_stream(w);
    wait_closed(w, 1);
    (void)close(fd);
    world_free(w);
    free(much);
}

static void a_client_that_leaves_an_idle_stream_is_noticed(void **state)
{
    struct world *w = world_new((struct httpd_options){ 0 });
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;
    int fd = open_stream(w, &answer);

    (void)state;
    (void)close(fd); /* nothing is written: only the reaper can see it */
    wait_closed(w, 1);
    world_free(w);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void *free_server(void *data)
{
    struct world *w = data;

    httpd_free(w->httpd);
    return NULL;
}

static void the_end_waits_for_calls_and_streams(void **state)
{
    struct world *w = world_new((struct httpd_options){ 0 });
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT, streamed = STRBUF_INIT, late = STRBUF_INIT;
    uint16_t port = httpd_port(w->httpd);
    int fd = raw_connect(port), stream = open_stream(w, &streamed), idle = raw_connect(port);
    struct httpd_call *call;

    (void)state;
    raw_send(fd, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    call = wait_kept(w);
    assert_int_equal(pthread_create(&w->helper, NULL, free_server, w), 0);
    do { /* until it takes no more requests */
        strbuf_clear(&late);
        raw_ask(port, "GET /peer HTTP/1.1\r\nHost: x\r\n" CLOSE, &late);
    } while (late.length);
    assert_int_equal(pthread_tryjoin_np(w->helper, NULL), EBUSY);
    end_stream(w);
    assert_int_equal(pthread_tryjoin_np(w->helper, NULL), EBUSY);
    say(call, 200, "at last\n");
    assert_int_equal(pthread_join(w->helper, NULL), 0);
    assert_int_equal(w->closed, 1);
    (void)close(fd);
    (void)close(stream);
    (void)close(idle);
    w->httpd = NULL;
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_now_later_and_again),
        cmocka_unit_test(many_answers_from_other_threads),
        cmocka_unit_test(a_refusal_needs_no_body_and_is_heard),
        cmocka_unit_test(bodies_have_a_limit),
        cmocka_unit_test(what_is_attached_is_released_once),
        cmocka_unit_test(slow_headers_bodies_and_second_requests_are_cut),
        cmocka_unit_test(one_address_gets_so_many_connections),
        cmocka_unit_test(a_port_belongs_to_one_server),
        cmocka_unit_test(a_stream_flows_until_its_end),
        cmocka_unit_test(a_reader_that_sleeps_is_noticed),
        cmocka_unit_test(a_reader_that_stands_still_may_lag_less),
        cmocka_unit_test(who_does_not_take_the_rest_is_cut),
        cmocka_unit_test(the_beginning_of_a_stream_may_be_long),
        cmocka_unit_test(a_client_that_leaves_an_idle_stream_is_noticed),
        cmocka_unit_test(the_end_waits_for_calls_and_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
