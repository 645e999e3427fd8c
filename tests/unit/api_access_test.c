/* Who may do what: each role at each right, wrong tokens, other sites' pages, limits; and what the
 * server refuses to start with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "tests/unit/api_world.h"

static const char *const ROLES[] = { "metrics", "viewer", "operator", "editor", "admin", "agent" };

/* Tokens are named and worded as their roles. */
static void write_tokens(const char *path, const char *first_word)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs("# NAME ROLE HASH\n\n", f);
    for (size_t i = 0; i < ARRAY_LEN(ROLES); i++) {
        const char *word = i ? ROLES[i] : first_word;
        unsigned char hash[32];

        assert_int_equal(gnutls_hash_fast(GNUTLS_DIG_SHA256, word, strlen(word), hash), 0);
        fprintf(f, "the-%s %s sha256:", ROLES[i], ROLES[i]);
        for (size_t k = 0; k < sizeof(hash); k++)
            fprintf(f, "%02x", hash[k]);
        fputs(strcmp(ROLES[i], "agent") == 0 ? " node:n7\n" : "\n", f);
    }
    assert_int_equal(fclose(f), 0);
}

static char token_file[] = "/tmp/huddle-api-test-XXXXXX";

static int set_up(void **state)
{
    int fd;

    (void)strcpy(token_file + strlen(token_file) - 6, "XXXXXX");
    fd = mkstemp(token_file);
    assert_true(fd >= 0);
    (void)close(fd);
    write_tokens(token_file, ROLES[0]);
    *state = world_new((struct api_options){ .token_file = token_file, .requests_per_s = 1000 });
    return 0;
}

static int tear_down(void **state)
{
    world_free(*state);
    (void)unlink(token_file);
    return 0;
}

static int ask_as(struct world *w, struct reply *r, const char *token, const char *method,
                  const char *path, const char *body)
{
    char headers[300];

    (void)snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\nContent-Type: %s\r\n",
                   token,
                   strcmp(path, "/v1/report") ? "application/json" : "application/x-protobuf");
    return ask_with(w, r, method, path, headers, body)->status;
}

#define POOL                           \
    "{\"apiVersion\":\"huddle.energy/" \
    "v1alpha1\",\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"}}"

static void each_role_at_each_right(void **state)
{
    static const struct {
        const char *method, *path, *body;
        const char *may; /* in the order of ROLES */
    } RIGHTS[] = {
        { "GET", "/metrics", NULL, "yyyyyn" },
        { "GET", "/version", NULL, "yyyyyn" },
        { "GET", BASE "/nodes", NULL, "nyyyyn" },
        { "GET", BASE "/nodes/a1", NULL, "nyyyyn" },
        { "GET", "/report", NULL, "nyyyyn" },
        { "GET", "/apis", NULL, "nyyyyn" },
        { "POST", BASE "/nodes/a1/drain", "{}", "nnyyyn" },
        { "POST", BASE "/nodes/a1/wake", "{}", "nnyyyn" },
        { "POST", BASE "/nodes/a1/cordon", "{}", "nnyyyn" },
        { "POST", BASE "/nodes/a1/uncordon", "{}", "nnyyyn" },
        { "POST", BASE "/nodes/a1/hold", "{}", "nnyyyn" },
        { "POST", BASE "/clusters/_/pause", "{}", "nnyyyn" },
        { "POST", BASE "/nodes/a1/sleep", "{}", "nnnnyn" },
        { "POST", BASE "/nodes/a1/powertest", "{}", "nnnnyn" },
        { "POST", BASE "/nodes/a1/release", "{}", "nnnnyn" },
        { "POST", BASE "/clusters/_/resume", "{}", "nnnnyn" },
        { "POST", BASE "/powerpools?dryRun=All", POOL, "nnnyyn" },
        { "PUT", BASE "/powerpools/p?dryRun=All", POOL, "nnnyyn" },
        { "PATCH", BASE "/powerpools/p", "{}", "nnnyyn" },
        { "DELETE", BASE "/powerpools/p", NULL, "nnnyyn" },
        { "POST", "/v1/report", "bytes", "nnnnny" },
    };
    struct world *w = *state;
    struct reply r = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(RIGHTS); i++) {
        for (size_t k = 0; k < ARRAY_LEN(ROLES); k++) {
            bool may = RIGHTS[i].may[k] == 'y';

            ask_as(w, &r, ROLES[k], RIGHTS[i].method, RIGHTS[i].path, RIGHTS[i].body);
            if (may ? r.status == 403 || r.status == 401 : r.status != 403)
                fail_msg("%s: %s %s: %d", ROLES[k], RIGHTS[i].method, RIGHTS[i].path, r.status);
        }
    }
    assert_int_equal(ask_as(w, &r, "operator", "POST", BASE "/nodes/a1/hold", "{}"), 200);
    assert_string_equal(w->last, "verb 5 on 'a1' by the-operator: ");
    ask_as(w, &r, "viewer", "DELETE", BASE "/powerpools/p", NULL);
    assert_status(&r, 403, "Forbidden", "role of this token");
    reply_done(&r);
}

static void without_a_token_nothing_is_told(void **state)
{
    static const char *const PATHS[] = { "/", "/metrics", BASE "/nodes", "/nowhere", "/v1/report" };
    struct world *w = *state;
    struct reply r = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(PATHS); i++) {
        ask(w, &r, "GET", PATHS[i], NULL);
        assert_status(&r, 401, "Unauthorized", "Authorization: Bearer");
        assert_non_null(strstr(strbuf_text(&r.text), "WWW-Authenticate: Bearer"));
    }
    ask_as(w, &r, "metrics", "GET", "/nowhere", NULL);
    assert_status(&r, 404, "NotFound", "there is no /nowhere here");
    assert_int_equal(ask(w, &r, "GET", "/livez", NULL), 200);
    assert_int_equal(ask(w, &r, "GET", "/readyz", NULL), 200);
    w->ready = false;
    ask(w, &r, "GET", "/readyz", NULL);
    assert_status(&r, 503, "ServiceUnavailable", "not ready");
    assert_null(strstr(said(&r, "message"), "store"));
    ask_as(w, &r, "metrics", "GET", "/readyz", NULL);
    assert_status(&r, 503, "ServiceUnavailable", "the store is not open");
    ask_with(w, &r, "GET", "/metrics", "Authorization: Basic admin\r\n", NULL);
    assert_status(&r, 401, "Unauthorized", "");
    reply_done(&r);
}

static void wrong_tokens_are_slowed_down_and_good_ones_are_not(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };
    int unauthorized = 0;

    while (ask_as(w, &r, "guess", "GET", "/metrics", NULL) == 401)
        assert_true(++unauthorized < 30); /* the bucket gets one back in 6 s on a slow machine */
    assert_true(unauthorized >= 10);
    assert_status(&r, 429, "TooManyRequests", "too many wrong tokens");
    assert_non_null(strstr(strbuf_text(&r.text), "Retry-After: "));
    assert_int_equal(ask_as(w, &r, "metrics", "GET", "/metrics", NULL), 200);
    reply_done(&r);
}

static void tokens_are_read_again(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };
    struct err e = ERR_INIT;
    FILE *f;

    write_tokens(token_file, "other");
    assert_int_equal(ask_as(w, &r, "metrics", "GET", "/version", NULL), 200);
    assert_int_equal(api_server_reload(w->server, NULL, NULL, token_file, &e), 0);
    assert_int_equal(ask_as(w, &r, "metrics", "GET", "/version", NULL), 401);
    assert_int_equal(ask_as(w, &r, "other", "GET", "/version", NULL), 200);
    f = fopen(token_file, "w");
    fputs("somebody root sha256:00\n", f);
    fclose(f);
    assert_true(api_server_reload(w->server, NULL, NULL, token_file, &e) <
                0); /* a bad file changes nothing */
    assert_non_null(strstr(e.text, ":1: \"root\" is no role"));
    assert_int_equal(ask_as(w, &r, "other", "GET", "/version", NULL), 200);
    reply_done(&r);
}

static void a_token_has_a_rate(void **state)
{
    struct world *w =
        world_new((struct api_options){ .token_file = token_file, .requests_per_s = 1 });
    struct reply r = { 0 };
    int served = 0;

    (void)state;
    while (ask_as(w, &r, "viewer", "GET", "/version", NULL) == 200)
        assert_true(++served < 100);
    assert_true(served >= 2);
    assert_status(&r, 429, "TooManyRequests", "too many requests of this token");
    assert_int_equal(ask_as(w, &r, "editor", "GET", "/version", NULL), 200);
    for (int i = 0; i < 20; i++) /* a box of agents may share one token */
        assert_int_equal(ask_as(w, &r, "agent", "POST", "/v1/report", "x"), 200);
    assert_string_equal(w->last, "report by the-agent of node 'n7'");
    reply_done(&r);
    world_free(w);
}

static void bodies_wait_for_the_token(void **state)
{
    struct world *w = *state;
    AUTO(strbuf) struct strbuf answer = STRBUF_INIT;

    /* No body is ever sent: the answer comes from the header alone. */
    raw_ask(api_server_port(w->server),
            "POST " BASE "/powerpools HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"
            "Expect: 100-continue\r\n\r\n",
            &answer);
    assert_int_equal(raw_status(&answer), 401);
}

/* --- without tokens --------------------------------------------------------------------------- */

static void pages_of_other_sites_are_refused(void **state)
{
    static const struct {
        const char *headers;
        int status;
    } CASES[] = {
        { "Host: localhost:7443\r\n", 200 },
        { "Host: 127.0.0.1\r\n", 200 },
        { "Host: [::1]:80\r\n", 200 },
        { "Host: LOCALHOST\r\nOrigin: http://localhost\r\n", 200 },
        { "Host: rebound.example\r\n", 403 },
        { "Host: localhost.example\r\n", 403 },
        { "Host: localhost:x\r\n", 403 },
        { "Host: 127.0.0.1.example:80\r\n", 403 },
        { "Host: localhost\r\nOrigin: https://evil.example\r\n", 403 },
        { "Host: localhost:80\r\nOrigin: http://localhost:81\r\n", 403 },
        { "Host: localhost\r\nOrigin: null\r\n", 403 },
    };
    struct world *w = *state;
    struct reply r = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        ask_with(w, &r, "GET", "/version", CASES[i].headers, NULL);
        if (r.status != CASES[i].status)
            fail_msg("%s=> %s", CASES[i].headers, strbuf_text(&r.text));
        if (r.status == 403)
            assert_status(&r, 403, "Forbidden", "");
    }
    reply_done(&r);
}

static void bodies_have_limits(void **state)
{
    struct world *w = world_new((struct api_options){ .most_body = 300, .most_report = 200 });
    struct reply r = { 0 };
    char body[302] = "";

    (void)state;
    memset(body, ' ', 301);
    ask(w, &r, "POST", BASE "/powerpools", body);
    assert_status(&r, 413, "RequestEntityTooLarge", "too long");
    body[300] = '\0';
    ask(w, &r, "POST", BASE "/powerpools", body);
    assert_int_equal(r.status, 400); /* read, and no JSON */
    body[201] = '\0';
    ask_with(w, &r, "POST", "/v1/report", "Content-Type: application/x-protobuf\r\n", body);
    assert_status(&r, 413, "RequestEntityTooLarge", "longer than 200 bytes");
    body[200] = '\0';
    ask_with(w, &r, "POST", "/v1/report", "Content-Type: application/x-protobuf\r\n", body);
    assert_int_equal(r.status, 200);
    reply_done(&r);
    world_free(w);
}

static void small_bodies_only_where_none_is_needed(void **state)
{
    struct world *w = *state;
    struct reply r = { 0 };
    char body[5000] = "";

    memset(body, ' ', sizeof(body) - 1);
    ask(w, &r, "POST", BASE "/nodes/a1/drain", body);
    assert_status(&r, 413, "RequestEntityTooLarge", "");
    ask(w, &r, "GET", BASE "/nodes", body);
    assert_status(&r, 413, "RequestEntityTooLarge", "");
    reply_done(&r);
}

/* --- what it refuses to start with ------------------------------------------------------------ */

static void refuses_to_listen_in_the_open(void **state)
{
    static const struct {
        struct api_options options;
        const char *why;
    } CASES[] = {
        { { .address = "0.0.0.0" }, "both are missing. Or listen on 127.0.0.1" },
        { { .address = "::" }, "both are missing" },
        { { .address = "192.0.2.1", .token_file = "x" }, "the certificate is missing" },
        { { .address = "0.0.0.0", .cert_file = "c", .key_file = "k" }, "the tokens are missing" },
        { { .address = "0.0.0.0", .cert_file = "c", .token_file = "t" }, "the key is missing" },
        { { .address = "127.0.0.1", .key_file = "k" }, "the certificate is missing" },
        { { .address = "localhost" }, "not a loopback address" },
        { { .token_file = "/nonexistent/tokens" }, "/nonexistent/tokens" },
        { { .cert_file = "/nonexistent/c", .key_file = "k" }, "/nonexistent/c" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct api_server *server = NULL;
        struct err e = ERR_INIT;

        assert_true(api_server_new(&CASES[i].options, &server, &e) < 0);
        assert_null(server);
        if (!strstr(e.text, CASES[i].why))
            fail_msg("%zu: %s", i, e.text);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define OPEN(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_role_at_each_right),
        TEST(without_a_token_nothing_is_told),
        TEST(wrong_tokens_are_slowed_down_and_good_ones_are_not),
        TEST(tokens_are_read_again),
        TEST(a_token_has_a_rate),
        TEST(bodies_wait_for_the_token),
        OPEN(pages_of_other_sites_are_refused),
        OPEN(small_bodies_only_where_none_is_needed),
        cmocka_unit_test(bodies_have_limits),
        cmocka_unit_test(refuses_to_listen_in_the_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
