/* Callers whose tokens are none of ours: what is asked about them, in the words of RBAC, and what
 * becomes of the answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/api_world.h"

static char token_file[] = "/tmp/huddle-api-review-XXXXXX";

/* Tokens say themselves what becomes of them; what was asked stands in w->last. */
static void review(void *data, const struct api_question *q, api_done_fn *done, void *arg)
{
    struct world *w = data;
    const struct access *a = &q->access;
    int status = strcmp(q->token, "nobody") == 0    ? 401
                 : strcmp(q->token, "may-not") == 0 ? 403
                 : strcmp(q->token, "silent") == 0  ? 503
                                                    : 200;

    pthread_mutex_lock(&w->lock);
    (void)snprintf(w->last, sizeof(w->last), "%s%s|%s|%s|%s|%s", a->identity ? "who" : "", a->verb,
                   a->resource, a->sub, a->name, a->path);
    w->later = true;
    answer(w, done, arg, status, status == 200 ? json_string("alice") : NULL, "because");
}

static int set_up(void **state)
{
    char expires[CLOCK_TEXT_MAX];
    FILE *f;
    int fd;

    (void)strcpy(token_file + strlen(token_file) - 6, "XXXXXX");
    fd = mkstemp(token_file);
    f = fdopen(fd, "w");
    assert_non_null(f);
    fputs("ours viewer "
          "sha256:ae0bec9e9d33c56354bd612c8a6010840324fc5b9786ce0a18b696b304b09397\n",
          f);
    clock_format(clock_wall_ms() + 60000, expires);
    fprintf(f,
            "brief viewer "
            "sha256:29a8825bd242f14386ee528d76e0e8f1e38f3c8c4047d7b2d6df7493368a17d0 expires:%s\n",
            expires);
    assert_int_equal(fclose(f), 0);
    *state = world_new((struct api_options){
        .token_file = token_file, .requests_per_s = 1000, .backend = { .review = review } });
    return 0;
}

static int tear_down(void **state)
{
    world_free(*state);
    (void)unlink(token_file);
    return 0;
}

static int ask_by(struct world *w, struct reply *r, const char *header, const char *token,
                  const char *method, const char *path, const char *body)
{
    char headers[300];

    (void)snprintf(headers, sizeof(headers), "%s: Bearer %s\r\nContent-Type: %s\r\n", header, token,
                   strcmp(path, "/v1/report") ? "application/json" : "application/x-protobuf");
    return ask_with(w, r, method, path, headers, body)->status;
}

#define POOL                           \
    "{\"apiVersion\":\"huddle.energy/" \
    "v1alpha1\",\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"}}"

static void each_route_is_a_verb_on_a_resource(void **state)
{
    static const struct {
        const char *method, *path, *body, *asked;
    } CASES[] = {
        { "GET", BASE "/nodes", NULL, "list|nodes|||" },
        { "HEAD", BASE "/nodes", NULL, "list|nodes|||" },
        { "GET", BASE "/nodes/a1", NULL, "get|nodes||a1|" },
        { "GET", BASE "/nodes?watch=true&timeoutSeconds=0", NULL, "watch|nodes|||" },
        { "POST", BASE "/powerpools?dryRun=All", POOL, "create|powerpools|||" },
        { "PUT", BASE "/powerpools/p?dryRun=All", POOL, "update|powerpools||p|" },
        { "PATCH", BASE "/powerpools/p", "{}", "patch|powerpools||p|" },
        { "DELETE", BASE "/powerpools/p", NULL, "delete|powerpools||p|" },
        { "POST", BASE "/nodes/a1/drain", "{}", "create|nodes|drain|a1|" },
        { "POST", BASE "/nodes/a1/wake", "{}", "create|nodes|wake|a1|" },
        { "POST", BASE "/nodes/a1/cordon", "{}", "create|nodes|cordon|a1|" },
        { "POST", BASE "/nodes/a1/uncordon", "{}", "create|nodes|uncordon|a1|" },
        { "POST", BASE "/nodes/a1/hold", "{}", "create|nodes|hold|a1|" },
        { "POST", BASE "/nodes/a1/sleep", "{}", "create|nodes|sleep|a1|" },
        { "POST", BASE "/nodes/a1/release", "{}", "create|nodes|release|a1|" },
        { "POST", BASE "/nodes/a1/powertest", "{}", "create|nodes|powertest|a1|" },
        { "POST", BASE "/clusters/_/pause", "{}", "create|clusters|pause|_|" },
        { "POST", BASE "/clusters/_/resume", "{}", "create|clusters|resume|_|" },
        { "GET", "/report", NULL, "get|clusters|report||" },
        { "GET", "/metrics", NULL, "get||||/metrics" },
        { "GET", "/version", NULL, "get||||/version" },
        { "GET", "/apis/huddle.energy", NULL, "get||||/apis/huddle.energy" },
        { "GET", "/", NULL, "get||||/" },
        { "GET", "/nowhere", NULL, "who||||" },
        { "PUT", BASE "/nodes", "{}", "who||||" },
    };
    struct world *w = *state;
    struct reply r = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        w->last[0] = '\0';
        ask_by(w, &r, "Authorization", "may-not", CASES[i].method, CASES[i].path, CASES[i].body);
        if (r.status != 403 || strcmp(w->last, CASES[i].asked) != 0)
            fail_msg("%s %s: %d, %s", CASES[i].method, CASES[i].path, r.status, w->last);
    }
    reply_done(&r);
}

static void who_may_does_and_is_named(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    ask_by(w, &r, "Authorization", "good", "GET", BASE "/nodes", NULL);
    assert_int_equal(r.status, 200);
    assert_string_equal(said(&r, "items.0.metadata.name"), "a1");
    ask_by(w, &r, "Huddle-Authorization", "good", "POST", BASE "/nodes/a1/hold",
           "{\"reason\":\"disk\"}");
    assert_int_equal(r.status, 200);
    assert_string_equal(w->last, "verb 5 on 'a1' by kubernetes:alice: disk");
    ask_by(w, &r, "Authorization", "good", "POST", BASE "/powerpools?dryRun=All", POOL);
    assert_int_equal(r.status, 201);
    ask_by(w, &r, "Authorization", "good", "GET", "/nowhere", NULL);
    assert_status(&r, 404, "NotFound", "there is no /nowhere here");
    ask_by(w, &r, "Authorization", "good", "PUT", BASE "/nodes", "{}");
    assert_status(&r, 405, "MethodNotAllowed", "GET, HEAD is");
    reply_done(&r);
}

static void who_may_not_is_told_why(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };
    int unknown = 0;

    ask_by(w, &r, "Authorization", "may-not", "GET", BASE "/nodes", NULL);
    assert_status(&r, 403, "Forbidden", "because");
    ask_by(w, &r, "Authorization", "silent", "GET", BASE "/nodes", NULL);
    assert_status(&r, 503, "ServiceUnavailable", "because");
    assert_non_null(strstr(strbuf_text(&r.text), "Retry-After: 1"));
    while (ask_by(w, &r, "Authorization", "nobody", "GET", BASE "/nodes", NULL) == 401)
        assert_true(++unknown < 30);
    assert_true(unknown >= 10);
    assert_status(&r, 429, "TooManyRequests", "too many wrong tokens");
    reply_done(&r);
}

/* A stream that is begun: its connection. */
static int begin_stream(struct world *w, const char *token, const char *query, struct strbuf *seen)
{
    int fd = raw_connect(api_server_port(w->server));
    AUTO(strbuf) struct strbuf request = STRBUF_INIT;

    strbuf_printf(&request,
                  "GET " BASE "/nodes?watch=true&resourceVersion=103%s HTTP/1.0\r\nHost: localhost"
                  "\r\nAuthorization: Bearer %s\r\n\r\n",
                  query, token);
    raw_send(fd, strbuf_text(&request));
    assert_int_equal(raw_read(fd, "\r\n\r\n", seen), 1);
    assert_non_null(strstr(strbuf_text(seen), " 200 "));
    return fd;
}

/* What was allowed counts for five minutes, however long a stream was asked for, and not after the
 * token has expired. */
static void a_watch_outlives_no_right(void **state)
{
    static const struct {
        const char *token, *query;
        int64_t goes_on_ms, ends_ms;
    } CASES[] = {
        { "good", "", 299000, 301000 },
        { "good", "&timeoutSeconds=86400", 299000, 301000 },
        { "ours", "&timeoutSeconds=3600", 299000, 301000 },
        { "brief", "", 0, 61000 },
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct strbuf seen = STRBUF_INIT;
        int fd = begin_stream(w, CASES[i].token, CASES[i].query, &seen);
        int64_t now_ms = clock_boot_ms();

        api_server_tick(w->server, now_ms + CASES[i].goes_on_ms);
        assert_int_equal(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 20), 0);
        api_server_tick(w->server, now_ms + CASES[i].ends_ms);
        assert_int_equal(raw_read(fd, NULL, &seen), 1);
        (void)close(fd);
        strbuf_done(&seen);
    }
}

/* Whoever guesses has used up what others are asked for him; tokens of ours are known here. */
static void others_are_not_asked_for_those_who_guess(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };
    int unknown = 0;

    do {
        w->last[0] = '\0';
        ask_by(w, &r, "Authorization", "nobody", "GET", BASE "/nodes", NULL);
        assert_true(++unknown < 30);
    } while (w->last[0]); /* others were asked */
    assert_true(unknown > 10);
    assert_status(&r, 429, "TooManyRequests", "too many wrong tokens");
    assert_non_null(strstr(strbuf_text(&r.text), "Retry-After: "));
    assert_int_equal(ask_by(w, &r, "Authorization", "ours", "GET", BASE "/nodes", NULL), 200);
    reply_done(&r);
}

/* No JSON could say it; it counts as wrong. */
static void a_token_that_is_no_text_is_wrong(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };
    int unknown = 0;

    ask_by(w, &r, "Authorization", "\xff\xfe", "GET", BASE "/nodes", NULL);
    assert_status(&r, 401, "Unauthorized", "a valid token is needed");
    while (ask_by(w, &r, "Authorization", "\xc3", "GET", BASE "/nodes", NULL) == 401)
        assert_true(++unknown < 30);
    assert_int_equal(r.status, 429);
    assert_string_equal(w->last, "");
    reply_done(&r);
}

/* Tokens of our own form, and agents' reports: nobody else knows them. */
static void others_are_not_asked_in_vain(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };

    ask_by(w, &r, "Authorization", "hud_wrong", "GET", BASE "/nodes", NULL);
    assert_status(&r, 401, "Unauthorized", "Authorization: Bearer");
    ask_by(w, &r, "Authorization", "good", "POST", "/v1/report", "x");
    assert_status(&r, 401, "Unauthorized", "");
    ask_by(w, &r, "Authorization", "", "GET", BASE "/nodes", NULL);
    assert_status(&r, 401, "Unauthorized", "");
    ask_with(w, &r, "GET", "/version", "Authorization: Basic x\r\n", NULL);
    assert_status(&r, 401, "Unauthorized", "");
    ask_by(w, &r, "Authorization: Bearer hud_x\r\nHuddle-Authorization", "good", "GET", "/version",
           NULL);
    assert_status(&r, 401, "Unauthorized", "");
    ask(w, &r, "GET", BASE "/nodes", NULL);
    assert_status(&r, 401, "Unauthorized", "");
    assert_string_equal(w->last, "");
    reply_done(&r);
}

/* More than that is read only of those who are known. */
static void bodies_of_strangers_are_short(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };
    char *body = xcalloc(1, 40001);

    memset(body, ' ', 40000);
    ask_by(w, &r, "Authorization", "good", "POST", BASE "/powerpools", body);
    assert_status(&r, 413, "RequestEntityTooLarge", "");
    ask_by(w, &r, "Authorization", "nobody", "POST", BASE "/powerpools", body);
    assert_status(&r, 401, "Unauthorized", "");
    body[5000] = '\0';
    ask_by(w, &r, "Authorization", "good", "POST", BASE "/nodes/a1/hold", body);
    assert_status(&r, 413, "RequestEntityTooLarge", "");
    reply_done(&r);
    free(body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_route_is_a_verb_on_a_resource),
        TEST(who_may_does_and_is_named),
        TEST(who_may_not_is_told_why),
        TEST(a_watch_outlives_no_right),
        TEST(others_are_not_asked_for_those_who_guess),
        TEST(a_token_that_is_no_text_is_wrong),
        TEST(others_are_not_asked_in_vain),
        TEST(bodies_of_strangers_are_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
