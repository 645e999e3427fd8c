/* scrape: against a real HTTP server on loopback that answers well, badly, slowly or without end.
 */
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

#include "agent/sensor/scrape.h"
#include "proto/base/httpd.h"

#define MANY 30
#define LONG_MS 60000

struct rig {
    struct loop *loop;
    struct scraper *scraper;
    struct httpd *httpd;
    char url[64];

    pthread_mutex_t lock;
    struct httpd_call *held[MANY + 8]; /* "/hold" waits for release() */
    size_t n_held, most_held, n_answered;

    size_t n_done, n_good, wanted;
    uint64_t last_requests;
    struct err last_error;
};

static const char PAGE[] = "requests_total 42\nrequests_in_flight 3\n";

static void serve(void *data, struct httpd_call *call)
{
    struct rig *r = data;
    const char *path = httpd_path(call);

    if (strcmp(path, "/hold") == 0) {
        (void)pthread_mutex_lock(&r->lock);
        r->held[r->n_held++] = call;
        (void)pthread_mutex_unlock(&r->lock);
    } else if (strcmp(path, "/gone") == 0) {
        httpd_reply(call, 404, "text/html", "<html>", 6);
    } else if (strcmp(path, "/html") == 0) {
        httpd_reply(call, 200, "text/html", "<html>\n", 7);
    } else if (strcmp(path, "/huge") == 0) {
        size_t n = METRICS_PAGE_MAX + 8;
        char *page = malloc(n);
        assert_non_null(page);
        memset(page, '\n', n);
        httpd_reply(call, 200, "text/plain", page, n);
        free(page);
    } else {
        httpd_reply(call, 200, "text/plain; version=0.0.4", PAGE, sizeof(PAGE) - 1);
    }
}

/* Answers those that are held; returns how many there were. */
static size_t release(struct rig *r)
{
    (void)pthread_mutex_lock(&r->lock);
    size_t n = r->n_held;
    r->most_held = n > r->most_held ? n : r->most_held;
    for (size_t i = 0; i < n; i++)
        httpd_reply(r->held[i], 200, "text/plain", PAGE, sizeof(PAGE) - 1);
    r->n_held = 0;
    r->n_answered += n;
    (void)pthread_mutex_unlock(&r->lock);
    return n;
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    struct httpd_options options = { .address = "127.0.0.1", .handler = serve, .data = r };
    struct err e = ERR_INIT;

    assert_non_null(r);
    (void)pthread_mutex_init(&r->lock, NULL);
    assert_int_equal(loop_new(&r->loop, &e), 0);
    assert_int_equal(httpd_new(&options, &r->httpd, &e), 0);
    assert_int_equal(scraper_new(r->loop, &r->scraper, &e), 0);
    (void)snprintf(r->url, sizeof(r->url), "http://127.0.0.1:%u", httpd_port(r->httpd));
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;

    scraper_free(r->scraper);
    (void)release(r);
    httpd_free(r->httpd);
    loop_free(r->loop);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
    return 0;
}

static void done(void *data, uint64_t id, const struct metrics *m, const struct err *error)
{
    struct rig *r = data;

    (void)id;
    r->n_done++;
    if (m) {
        r->n_good++;
        r->last_requests = m->requests;
    } else {
        r->last_error = *error;
    }
    if (r->n_done == r->wanted)
        loop_stop(r->loop, 0);
}

static int start(struct rig *r, uint64_t id, const char *path, int64_t limit_ms)
{
    char url[128];

    (void)snprintf(url, sizeof(url), "%s%s", r->url, path);
    struct scrape what = { .id = id, .url = url, .preset = "generic", .limit_ms = limit_ms };
    return scraper_start(r->scraper, &what, done, r, &r->last_error);
}

static void run_until(struct rig *r, size_t wanted)
{
    r->wanted = wanted;
    if (r->n_done < wanted)
        (void)loop_run(r->loop);
    assert_int_equal(r->n_done, wanted);
}

static void a_page_is_read(void **state)
{
    struct rig *r = *state;

    assert_int_equal(start(r, 1, "/metrics", LONG_MS), 0);
    assert_int_equal(r->n_done, 0); /* not from inside */
    run_until(r, 1);
    assert_int_equal(r->n_good, 1);
    assert_int_equal(r->last_requests, 42);
}

static void what_is_wrong_is_told(void **state)
{
    static const struct {
        const char *path, *why;
    } cases[] = { { "/gone", "HTTP status 404" },
                  { "/html", "line 1: expected a metric name" },
                  { "/huge", "the page is longer than" } };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(start(r, 1, cases[i].path, LONG_MS), 0);
        run_until(r, i + 1);
        if (!strstr(r->last_error.text, cases[i].why) || !strstr(r->last_error.text, r->url))
            fail_msg("%s: %s", cases[i].path, r->last_error.text);
    }
    assert_int_equal(r->n_good, 0);
}

static void nobody_listens(void **state)
{
    struct rig *r = *state;
    struct scrape what = { .id = 1, .url = "http://127.0.0.1:1/metrics", .limit_ms = LONG_MS };

    assert_int_equal(scraper_start(r->scraper, &what, done, r, NULL), 0);
    run_until(r, 1);
    assert_non_null(strstr(r->last_error.text, "cannot connect"));
}

static void a_silent_server_ends_at_the_limit(void **state)
{
    struct rig *r = *state;

    assert_int_equal(start(r, 1, "/hold", 200), 0);
    assert_int_equal(start(r, 1, "/hold", 200), -EALREADY);
    run_until(r, 1);
    assert_int_equal(r->n_good, 0);
    if (!strstr(r->last_error.text, "no answer in time") &&
        !strstr(r->last_error.text, "no time left")) /* a machine so busy that it never began */
        fail_msg("%s", r->last_error.text);
    assert_int_equal(start(r, 1, "/metrics", LONG_MS), 0); /* and may be tried again */
    run_until(r, 2);
    assert_int_equal(r->n_good, 1);
}

static void those_in_line_end_at_their_limit_too(void **state)
{
    struct rig *r = *state;

    for (uint64_t id = 0; id < SCRAPE_PARALLEL; id++)
        assert_int_equal(start(r, id, "/hold", LONG_MS), 0);
    assert_int_equal(start(r, 100, "/metrics", 200), 0);
    run_until(r, 1);
    assert_non_null(strstr(r->last_error.text, "no time left when its turn came"));
}

static void poll_release(void *data, int64_t now_ms)
{
    struct rig *r = data;

    (void)now_ms;
    if (r->n_answered + r->n_held < MANY && r->n_held < SCRAPE_PARALLEL) {
        loop_stop(r->loop, 1); /* more will come: look again */
        return;
    }
    (void)release(r);
    loop_stop(r->loop, 1);
}

static void few_run_at_a_time(void **state)
{
    struct rig *r = *state;
    struct loop_timer *timer = loop_timer_add(r->loop, poll_release, r);

    for (uint64_t id = 0; id < MANY; id++)
        assert_int_equal(start(r, id, "/hold", LONG_MS), 0);
    r->wanted = MANY;
    while (r->n_done < MANY) {
        loop_timer_arm(timer, loop_now_ms(r->loop) + 20);
        (void)loop_run(r->loop);
    }
    loop_timer_remove(timer);
    assert_int_equal(r->n_good, MANY);
    assert_int_equal(r->most_held, SCRAPE_PARALLEL);
}

static void a_cancelled_one_is_silent(void **state)
{
    struct rig *r = *state;

    assert_int_equal(start(r, 1, "/hold", 300), 0);
    assert_int_equal(start(r, 2, "/hold", 300), 0);
    scraper_cancel(r->scraper, 1); /* in line */
    scraper_cancel(r->scraper, 7); /* unknown */
    run_until(r, 1);
    assert_int_equal(start(r, 3, "/metrics", LONG_MS), 0);
    run_until(r, 2);
    assert_int_equal(r->n_good, 1);
}

static void a_preset_must_be_known(void **state)
{
    struct rig *r = *state;
    struct scrape what = { .id = 1, .url = r->url, .preset = "vlm", .limit_ms = LONG_MS };
    struct err e = ERR_INIT;

    assert_int_equal(scraper_start(r->scraper, &what, done, r, &e), -EINVAL);
    assert_non_null(strstr(e.text, "vllm"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_page_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_listens, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_server_ends_at_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(those_in_line_end_at_their_limit_too, setup, teardown),
        cmocka_unit_test_setup_teardown(few_run_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_one_is_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(a_preset_must_be_known, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
