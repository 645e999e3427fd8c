/* Watches through the API: what is told first, resuming, what is gone, selectors, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/api/watch.h"
#include "tests/unit/api_world.h"

static int set_up(void **state)
{
    *state = world_new((struct api_options){ .watches = 3 });
    return 0;
}

/* An open watch: lines as they come. */
struct watch {
    int fd;
    struct strbuf seen;
    size_t at; /* what was looked at */
};

static struct watch watch_open(struct world *w, const char *path)
{
    struct watch watch = { raw_connect(api_server_port(w->server)), STRBUF_INIT, 0 };
    AUTO(strbuf) struct strbuf request = STRBUF_INIT;

    strbuf_printf(&request, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path); /* no chunks */
    raw_send(watch.fd, strbuf_text(&request));
    assert_int_equal(raw_read(watch.fd, "\r\n\r\n", &watch.seen), 1);
    watch.at = (size_t)(raw_body(&watch.seen) - strbuf_text(&watch.seen));
    return watch;
}

static void watch_close(struct watch *watch)
{
    (void)close(watch->fd);
    strbuf_done(&watch->seen);
}

/* The next line is of that type about that object; the object's version. */
static uint64_t expect_line(struct watch *watch, const char *type, const char *name)
{
    char bytes[4096];
    const char *end;
    json_t *line, *meta;
    uint64_t version;

    while (!(end = strchr(strbuf_text(&watch->seen) + watch->at, '\n'))) {
        struct pollfd p = { watch->fd, POLLIN, 0 };
        ssize_t n;

        assert_int_equal(poll(&p, 1, RAW_PATIENCE_MS), 1);
        n = recv(watch->fd, bytes, sizeof(bytes), 0);
        if (n <= 0)
            fail_msg("the watch ended, expected %s %s", type, name);
        strbuf_add(&watch->seen, bytes, (size_t)n);
    }
    line = json_loadb(strbuf_text(&watch->seen) + watch->at,
                      (size_t)(end - strbuf_text(&watch->seen)) - watch->at, 0, NULL);
    meta = json_object_get(json_object_get(line, "object"), "metadata");
    assert_string_equal(json_string_value(json_object_get(line, "type")), type);
    if (name)
        assert_string_equal(json_string_value(json_object_get(meta, "name")), name);
    version = strtoull(json_string_value(json_object_get(meta, "resourceVersion")), NULL, 10);
    watch->at = (size_t)(end - strbuf_text(&watch->seen)) + 1;
    json_decref(line);
    return version;
}

static void expect_end(struct watch *watch)
{
    assert_int_equal(raw_read(watch->fd, NULL, &watch->seen), 1);
    assert_string_equal(strbuf_text(&watch->seen) + watch->at, "");
}

static void all_that_is_there_and_what_comes(void **state)
{
    struct world *w = *state;
    struct watch watch = watch_open(w, BASE "/nodes?watch=true"),
                 zero = watch_open(w, BASE "/nodes?watch=1&resourceVersion=0");

    expect_line(&watch, "ADDED", "a1");
    expect_line(&watch, "ADDED", "a2");
    expect_line(&zero, "ADDED", "a1");
    expect_line(&zero, "ADDED", "a2");
    world_add(w, "replicas", node_object("r1", "east", "other"));
    world_add(w, "nodes", node_object("a3", "east", "awake"));
    world_add(w, "nodes", node_object("a1", "east", "draining"));
    world_drop(w, "nodes", "a2");
    assert_int_equal(expect_line(&watch, "ADDED", "a3"), 105);
    expect_line(&watch, "MODIFIED", "a1");
    expect_line(&watch, "DELETED", "a2");
    watch_close(&watch);
    watch_close(&zero);
}

static void one_object_by_its_name(void **state)
{
    struct world *w = *state;
    struct watch watch = watch_open(w, BASE "/nodes/later?watch=true");

    world_add(w, "nodes", node_object("other", "east", "awake"));
    world_add(w, "nodes", node_object("later", "east", "awake"));
    expect_line(&watch, "ADDED", "later");
    watch_close(&watch);
}

static void resume_behind_a_version(void **state)
{
    struct world *w = *state;
    struct watch watch;

    world_add(w, "nodes", node_object("a3", "east", "awake")); /* 104 */
    world_add(w, "nodes", node_object("a4", "east", "awake")); /* 105 */
    world_add(w, "nodes", node_object("a3", "east", "empty")); /* 106 */
    watch = watch_open(w, BASE "/nodes?watch=true&resourceVersion=104");
    assert_int_equal(expect_line(&watch, "ADDED", "a4"), 105);
    assert_int_equal(expect_line(&watch, "MODIFIED", "a3"), 106);
    world_drop(w, "nodes", "a4");
    expect_line(&watch, "DELETED", "a4");
    watch_close(&watch);
}

static void what_is_gone_is_410(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    ask(w, &r, "GET", BASE "/nodes?watch=true&resourceVersion=99", NULL); /* before the start */
    assert_status(&r, 410, "Expired", "too old: list again");
    ask(w, &r, "GET", BASE "/nodes?watch=true&resourceVersion=999", NULL); /* of another life */
    assert_status(&r, 410, "Expired", "not of this cluster's past");
    for (int i = 0; i < WATCH_RING; i++)
        world_add(w, "nodes", node_object("a1", "east", i % 2 ? "awake" : "empty"));
    ask(w, &r, "GET", BASE "/nodes?watch=true&resourceVersion=102", NULL);
    assert_status(&r, 410, "Expired", "too old: list again");
    ask(w, &r, "GET", BASE "/nodes?watch=true&resourceVersion=x", NULL);
    assert_status(&r, 400, "BadRequest", "resourceVersion: expected a whole number");
    ask(w, &r, "GET", BASE "/nodes?watch=true&timeoutSeconds=-1", NULL);
    assert_status(&r, 400, "BadRequest", "timeoutSeconds: expected a whole number");
    reply_done(&r);
}

/* A replay is longer than a reader may lag behind later. */
static void the_whole_ring_is_replayed(void **state)
{
    struct world *w = *state;
    struct watch watch;

    for (int i = 0; i < WATCH_RING; i++)
        world_add(w, "nodes", node_object("a1", "east", i % 2 ? "awake" : "empty"));
    watch = watch_open(w, BASE "/nodes?watch=true&resourceVersion=103");
    for (int i = 0; i < WATCH_RING; i++)
        assert_int_equal(expect_line(&watch, "MODIFIED", "a1"), 104 + i);
    world_drop(w, "nodes", "a1");
    expect_line(&watch, "DELETED", "a1");
    watch_close(&watch);
}

/* However few they are: a plan for a large cluster is megabytes. */
static void long_changes_leave_sooner(void **state)
{
    char *text = xcalloc(1, WATCH_RING_BYTES / 2 + 1);
    struct world *w = *state;
    struct reply r = { 0 };
    struct watch watch;

    memset(text, 'x', WATCH_RING_BYTES / 2);
    for (int i = 0; i < 2; i++) {
        json_t *o = node_object("a1", "east", "awake");

        json_object_set_new(json_object_get(o, "status"), "why", json_string(text));
        world_add(w, "nodes", o);
    }
    world_add(w, "nodes", node_object("a2", "east", "awake"));
    ask(w, &r, "GET", BASE "/nodes?watch=true&resourceVersion=103", NULL);
    assert_status(&r, 410, "Expired", "too old: list again");
    watch = watch_open(w, BASE "/nodes?watch=true&resourceVersion=105");
    assert_int_equal(expect_line(&watch, "MODIFIED", "a2"), 106);
    watch_close(&watch);
    reply_done(&r);
    free(text);
}

static void a_selector_sees_comings_and_goings(void **state)
{
    struct world *w = *state;
    struct watch watch = watch_open(w, BASE "/nodes?watch=true&fieldSelector=status.state%3Dawake"),
                 resumed;

    expect_line(&watch, "ADDED", "a1");
    world_add(w, "nodes", node_object("a1", "east", "empty"));
    world_add(w, "nodes", node_object("a1", "east", "asleep")); /* seen by nobody */
    world_add(w, "nodes", node_object("a2", "west", "awake"));
    world_add(w, "nodes", node_object("a2", "west", "awake"));
    world_drop(w, "nodes", "a2");
    assert_int_equal(expect_line(&watch, "DELETED", "a1"), 104);
    assert_int_equal(expect_line(&watch, "ADDED", "a2"), 106);
    assert_int_equal(expect_line(&watch, "MODIFIED", "a2"), 107);
    expect_line(&watch, "DELETED", "a2");
    /* Who comes back saw a1 awake at 103: it must hear of its leaving. */
    resumed = watch_open(w, BASE
                         "/nodes?watch=true&resourceVersion=103&fieldSelector=status.state=awake");
    assert_int_equal(expect_line(&resumed, "DELETED", "a1"), 104);
    watch_close(&watch);
    watch_close(&resumed);
}

static void ends_after_its_time(void **state)
{
    struct world *w = *state;
    struct watch watch =
        watch_open(w, BASE "/nodes?watch=true&resourceVersion=103&timeoutSeconds=60");
    int64_t now_ms = clock_boot_ms();

    api_server_tick(w->server, now_ms + 50000);
    world_add(w, "nodes", node_object("a9", "east", "awake"));
    expect_line(&watch, "ADDED", "a9");
    api_server_tick(w->server, now_ms + 62000);
    expect_end(&watch);
    watch_close(&watch);
}

static void bookmarks_for_those_who_ask(void **state)
{
    struct world *w = *state;
    int64_t now_ms = clock_boot_ms();
    struct watch watch =
        watch_open(w, BASE "/replicas?watch=true&resourceVersion=103&allowWatchBookmarks=true");
    struct watch plain = watch_open(w, BASE "/replicas?watch=true&resourceVersion=103");

    api_server_tick(w->server, now_ms);
    assert_int_equal(expect_line(&watch, "BOOKMARK", NULL), 103);
    world_add(w, "nodes", node_object("a9", "east", "awake"));
    api_server_tick(w->server, now_ms + 1000); /* not yet */
    api_server_tick(w->server, now_ms + WATCH_BOOKMARK_MS);
    assert_int_equal(expect_line(&watch, "BOOKMARK", NULL), 104);
    world_add(w, "replicas", node_object("r1", "east", "x"));
    expect_line(&watch, "ADDED", "r1");
    expect_line(&plain, "ADDED", "r1");
    watch_close(&watch);
    watch_close(&plain);
}

static void so_many_at_once(void **state)
{
    struct world *w = *state;
    struct watch watches[3];
    struct reply r = { 0 };

    for (int i = 0; i < 3; i++)
        watches[i] = watch_open(w, BASE "/nodes?watch=true&resourceVersion=103");
    ask(w, &r, "GET", BASE "/nodes?watch=true", NULL);
    assert_status(&r, 429, "TooManyRequests", "too many watches");
    assert_non_null(strstr(strbuf_text(&r.text), "Retry-After: 5\r\n"));
    watch_close(&watches[0]); /* it makes room when the server has seen it leave */
    for (int64_t until_ms = clock_boot_ms() + RAW_PATIENCE_MS; r.status == 429;) {
        assert_true(clock_boot_ms() < until_ms);
        (void)poll(NULL, 0, 20);
        ask(w, &r, "GET", BASE "/nodes?watch=true&resourceVersion=1", NULL);
    }
    assert_int_equal(r.status, 410);
    watch_close(&watches[1]);
    watch_close(&watches[2]);
    reply_done(&r);
}

static void who_does_not_read_is_cut_and_nobody_waits(void **state)
{
    struct world *w = *state;
    struct watch sleeper = watch_open(w, BASE "/nodes?watch=true&resourceVersion=103"),
                 reader = watch_open(w, BASE "/nodes?watch=true&resourceVersion=103");
    char filler[20001] = { 0 };
    int told = 0;

    memset(filler, 'x', sizeof(filler) - 1);
    for (int i = 0; i < 1000; i++) { /* 20 MB: more than all buffers on the way */
        world_add(w, "nodes", node_object("a1", filler, "awake"));
        expect_line(&reader, "MODIFIED", "a1");
        told++;
    }
    assert_int_equal(told, 1000);
    assert_int_equal(raw_read(sleeper.fd, NULL, &sleeper.seen), 1); /* its end, short of all */
    assert_true(sleeper.seen.length < 19u << 20);
    watch_close(&sleeper);
    watch_close(&reader);
}

static void the_end_of_the_server_ends_watches(void **state)
{
    struct world *w = *state;
    struct watch watch = watch_open(w, BASE "/nodes?watch=true&resourceVersion=103");

    api_server_free(w->server);
    w->server = NULL;
    assert_int_equal(raw_read(watch.fd, NULL, &watch.seen), 1);
    watch_close(&watch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_that_is_there_and_what_comes),
        TEST(one_object_by_its_name),
        TEST(resume_behind_a_version),
        TEST(what_is_gone_is_410),
        TEST(the_whole_ring_is_replayed),
        TEST(long_changes_leave_sooner),
        TEST(a_selector_sees_comings_and_goings),
        TEST(ends_after_its_time),
        TEST(bookmarks_for_those_who_ask),
        TEST(so_many_at_once),
        TEST(who_does_not_read_is_cut_and_nobody_waits),
        TEST(the_end_of_the_server_ends_watches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
