/* The agents' listener and the way to a certificate: who comes in, and who does not. The server is
 * the real one, on loopback, with TLS; the clients are libcurl's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "controller/pki/authority.h"
#include "controller/pki/folder.h"
#include "controller/pki/join_token.h"
#include "controller/pki/roster.h"
#include "proto/base/http.h"
#include "proto/certificate.h"
#include "proto/wire.h"
#include "tests/unit/api_world.h"

#define UID "00112233445566778899aabbccddeeff"
#define DAY AUTHORITY_DAY_MS

struct rig {
    char dir[40], *ca, *ca_key, *key, *request;
    char *ca_file, *key_file, *cert_file;
    struct authority *authority;
    struct world *world;
};

static void write_file(const struct rig *rig, const char *name, const char *text)
{
    struct err e = ERR_INIT;

    if (pki_write(rig->dir, name, text, strlen(text), false, &e) < 0)
        fail_msg("%s", e.text);
}

static void must(int r, const struct err *e)
{
    if (r < 0)
        fail_msg("%s", e->text);
}

static int set_up(void **state)
{
    static const char *const NAMES[] = { "127.0.0.1" };
    struct rig *rig = xcalloc(1, sizeof(*rig));
    AUTO(mem) char *server_key = NULL, *server = NULL, *cert_file = NULL, *server_key_file = NULL;
    struct err e = ERR_INIT;

    (void)snprintf(rig->dir, sizeof(rig->dir), "/tmp/huddle-doors-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    must(authority_make(clock_wall_ms(), &rig->ca, &rig->ca_key, &e), &e);
    must(authority_new(rig->ca, rig->ca_key, &rig->authority, &e), &e);
    must(certificate_key(&server_key, &e), &e);
    must(certificate_key(&rig->key, &e), &e);
    must(certificate_request(rig->key, "a1", &rig->request, &e), &e);
    must(authority_sign_server(rig->authority, server_key, NAMES, 1, clock_wall_ms(), &server, &e),
         &e);
    write_file(rig, PKI_CA, rig->ca);
    write_file(rig, PKI_CA_KEY, rig->ca_key);
    write_file(rig, PKI_SERVER, server);
    write_file(rig, PKI_SERVER_KEY, server_key);
    write_file(rig, "node.key", rig->key);
    rig->ca_file = pki_path(rig->dir, PKI_CA);
    rig->key_file = pki_path(rig->dir, "node.key");
    rig->cert_file = pki_path(rig->dir, "node.pem");
    cert_file = pki_path(rig->dir, PKI_SERVER);
    server_key_file = pki_path(rig->dir, PKI_SERVER_KEY);
    rig->world = world_new((struct api_options){ .cert_file = cert_file,
                                                 .key_file = server_key_file,
                                                 .pki = rig->dir,
                                                 .agents_address = "127.0.0.1" });
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    char command[64];

    world_free(rig->world);
    (void)snprintf(command, sizeof(command), "rm -rf %s", rig->dir);
    assert_int_equal(system(command), 0);
    authority_free(rig->authority);
    free(rig->ca);
    free(rig->ca_key);
    free(rig->key);
    free(rig->request);
    free(rig->ca_file);
    free(rig->key_file);
    free(rig->cert_file);
    free(rig);
    return 0;
}

/* The node's certificate, signed so long ago, by that authority. */
static void sign(const struct rig *rig, const struct authority *a, const char *request,
                 int64_t ago_ms)
{
    AUTO(mem) char *text = NULL;
    struct err e = ERR_INIT;

    must(authority_sign_agent(a, request, UID, clock_wall_ms() - ago_ms, &text, &e), &e);
    write_file(rig, "node.pem", text);
}

/* POST to the agents' listener; the status, or 0 when there was no handshake. `cert`: "": none. */
static int post(const struct rig *rig, const char *path, const char *cert, const char *key,
                const char *type, const char *body, char **ret_body)
{
    char url[128];
    const struct http_request request = { .method = "POST",
                                          .url = url,
                                          .content_type = type,
                                          .body = body,
                                          .body_length = strlen(body),
                                          .ca_file = rig->ca_file,
                                          .cert_file = cert[0] ? cert : NULL,
                                          .key_file = cert[0] ? key : NULL };
    AUTO(mem) char *answer = NULL;
    struct err e = ERR_INIT;
    size_t n = 0;
    int status;

    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u%s",
                   api_server_agents_port(rig->world->server), path);
    status = http_fetch(&request, NULL, NULL, &answer, &n, &e);
    if (status == -ETIMEDOUT)
        fail_msg("%s", e.text);
    if (ret_body)
        *ret_body = TAKE(answer);
    return status < 0 ? 0 : status;
}

static int report(const struct rig *rig, const char *cert, const char *key)
{
    rig->world->last[0] = '\0';
    return post(rig, "/v1/report", cert, key, WIRE_CONTENT_TYPE, "x", NULL);
}

static int renew(const struct rig *rig, char **ret_body)
{
    return post(rig, "/v1/renew", rig->cert_file, rig->key_file, "application/x-pem-file",
                rig->request, ret_body);
}

/* --- reports ------------------------------------------------------------------------------------
 */

static void a_node_reports_with_its_certificate(void **state)
{
    struct rig *rig = *state;

    sign(rig, rig->authority, rig->request, 0);
    assert_int_equal(report(rig, rig->cert_file, rig->key_file), 200);
    assert_string_equal(rig->world->last, "report by certificate:a1 of node 'a1'");
    assert_int_equal(post(rig, BASE "/powerpools", rig->cert_file, rig->key_file,
                          "application/json", "{}", NULL),
                     404);
    assert_int_equal(post(rig, "/v1/enrol", rig->cert_file, rig->key_file, "a/b", "", NULL), 404);
}

static void nobody_comes_in_without_a_certificate(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(report(rig, "", ""), 0);
    assert_string_equal(rig->world->last, "");
}

/* Of an authority that calls itself as it likes. */
static void another_authority_counts_for_nothing(void **state)
{
    struct rig *rig = *state;
    struct authority *other = NULL;
    AUTO(mem) char *ca = NULL, *key = NULL;
    struct err e = ERR_INIT;

    must(authority_make(clock_wall_ms(), &ca, &key, &e), &e);
    must(authority_new(ca, key, &other, &e), &e);
    sign(rig, other, rig->request, 0);
    assert_int_equal(report(rig, rig->cert_file, rig->key_file), 0);
    write_file(rig, "other.pem", ca); /* and itself: signed by itself */
    write_file(rig, "other.key", key);
    AUTO(mem) char *cert_file = pki_path(rig->dir, "other.pem");
    AUTO(mem) char *key_file = pki_path(rig->dir, "other.key");
    assert_int_equal(report(rig, cert_file, key_file), 0);
    assert_string_equal(rig->world->last, "");
    authority_free(other);
}

/* The controller's own certificate is good, and its purpose another. */
static void a_servers_certificate_is_no_clients(void **state)
{
    struct rig *rig = *state;
    AUTO(mem) char *cert_file = pki_path(rig->dir, PKI_SERVER);
    AUTO(mem) char *key_file = pki_path(rig->dir, PKI_SERVER_KEY);

    assert_int_equal(report(rig, cert_file, key_file), 0);
    assert_string_equal(rig->world->last, "");
}

/* The authority's own key signs, and is nobody. */
static void the_authority_is_no_node(void **state)
{
    struct rig *rig = *state;
    AUTO(mem) char *key_file = pki_path(rig->dir, PKI_CA_KEY);

    assert_true(report(rig, rig->ca_file, key_file) != 200);
    assert_string_equal(rig->world->last, "");
}

static void an_expired_certificate_only_asks_for_the_next(void **state)
{
    struct rig *rig = *state;

    sign(rig, rig->authority, rig->request, AUTHORITY_AGENT_MS + 5 * DAY);
    assert_int_equal(report(rig, rig->cert_file, rig->key_file), 401);
    assert_string_equal(rig->world->last, "");
    sign(rig, rig->authority, rig->request, -2 * DAY); /* not yet good */
    assert_int_equal(report(rig, rig->cert_file, rig->key_file), 0);
    assert_string_equal(rig->world->last, "");
}

/* Read at each request: also of a connection that is there already, as libcurl keeps none here. */
static void a_revoked_certificate_counts_no_more(void **state)
{
    struct rig *rig = *state;
    char uid[CERTIFICATE_UID_MAX];
    struct err e = ERR_INIT;

    sign(rig, rig->authority, rig->request, 0);
    assert_int_equal(roster_revoke(rig->dir, "a1", uid, &e), -ENOENT);
    AUTO(mem) char *nodes = pki_path(rig->dir, PKI_NODES);
    must(pki_write(nodes, "a1", UID "\n", strlen(UID) + 1, true, &e), &e);
    assert_int_equal(report(rig, rig->cert_file, rig->key_file), 200);
    assert_int_equal(roster_revoke(rig->dir, "a1", uid, &e), 0);
    assert_string_equal(uid, UID);
    assert_int_equal(report(rig, rig->cert_file, rig->key_file), 403);
    assert_int_equal(renew(rig, NULL), 403);
    assert_string_equal(rig->world->last, "");
}

/* --- renewal ------------------------------------------------------------------------------------
 */

static void assert_next(const struct rig *rig, const char *body, const char *node)
{
    json_t *answer = json_loads(body, 0, NULL);
    const char *text = json_string_value(json_object_get(answer, "certificate"));
    struct certificate c;
    struct err e = ERR_INIT;

    assert_non_null(text);
    must(certificate_read(text, &c, &e), &e);
    must(certificate_match(text, rig->key, &e), &e);
    assert_string_equal(c.node, node);
    assert_string_equal(c.uid, UID);
    assert_true(c.until_ms > clock_wall_ms() + 89 * DAY);
    json_decref(answer);
}

static void a_certificate_is_renewed(void **state)
{
    struct rig *rig = *state;
    AUTO(mem) char *body = NULL, *other = NULL;
    struct err e = ERR_INIT;

    sign(rig, rig->authority, rig->request, 61 * DAY);
    assert_int_equal(renew(rig, &body), 200);
    assert_next(rig, body, "a1");
    assert_string_equal(rig->world->last, "renew a1 by certificate:a1");
    must(certificate_request(rig->key, "a2", &other, &e), &e); /* for another name */
    assert_int_equal(post(rig, "/v1/renew", rig->cert_file, rig->key_file, "a/b", other, NULL),
                     403);
    assert_int_equal(post(rig, "/v1/renew", rig->cert_file, rig->key_file, "a/b", "no", NULL), 400);
}

/* Of the world's nodes a1 is awake: it could have renewed in time. a2 sleeps. */
static void only_who_slept_renews_late(void **state)
{
    struct rig *rig = *state;
    AUTO(mem) char *sleeper = NULL, *body = NULL;
    struct err e = ERR_INIT;

    sign(rig, rig->authority, rig->request, AUTHORITY_AGENT_MS + 5 * DAY);
    assert_int_equal(renew(rig, NULL), 401);
    must(certificate_request(rig->key, "a2", &sleeper, &e), &e);
    sign(rig, rig->authority, sleeper, AUTHORITY_AGENT_MS + 31 * DAY);
    assert_int_equal(post(rig, "/v1/renew", rig->cert_file, rig->key_file, "a/b", sleeper, NULL),
                     401);
    sign(rig, rig->authority, sleeper, AUTHORITY_AGENT_MS + 29 * DAY);
    assert_int_equal(post(rig, "/v1/renew", rig->cert_file, rig->key_file, "a/b", sleeper, &body),
                     200);
    assert_next(rig, body, "a2");
}

/* --- enrolment ----------------------------------------------------------------------------------
 */

/* POST /v1/enrol to people's listener, where it stands. */
static int enrol(const struct rig *rig, const char *token, const char *request)
{
    char url[128];
    const struct http_request ask = { .method = "POST",
                                      .url = url,
                                      .content_type = "application/x-pem-file",
                                      .body = request,
                                      .body_length = strlen(request),
                                      .ca_file = rig->ca_file,
                                      .bearer = token };
    AUTO(mem) char *answer = NULL;
    struct err e = ERR_INIT;
    size_t n = 0;

    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/v1/enrol",
                   api_server_port(rig->world->server));
    return http_fetch(&ask, NULL, NULL, &answer, &n, &e);
}

static void make_token(const struct rig *rig, const struct join_token *t, char text[JOIN_TOKEN_MAX])
{
    struct err e = ERR_INIT;

    must(join_token_make(rig->dir, t, text, &e), &e);
}

static void a_token_lets_nodes_join_so_often(void **state)
{
    struct rig *rig = *state;
    const int64_t soon_ms = clock_wall_ms() + 60000;
    struct join_token two = { .uses = 2, .expires_ms = soon_ms };
    struct join_token again = { .uses = 1, .expires_ms = soon_ms, .replace = true };
    AUTO(mem) char *third = NULL;
    char text[JOIN_TOKEN_MAX], anew[JOIN_TOKEN_MAX], uid[CERTIFICATE_UID_MAX];
    struct err e = ERR_INIT;

    must(certificate_request(rig->key, "a3", &third, &e), &e);
    make_token(rig, &two, text);
    make_token(rig, &again, anew);
    assert_int_equal(enrol(rig, text, "no request"), 400);
    assert_int_equal(enrol(rig, text, rig->request), 200);
    assert_true(strncmp(rig->world->last, "enrol a1 by join:", 17) == 0);
    assert_null(strstr(rig->world->last, text));           /* the id alone */
    assert_int_equal(enrol(rig, text, rig->request), 409); /* which costs nothing */
    assert_int_equal(enrol(rig, text, third), 200);
    assert_int_equal(enrol(rig, text, third), 401);
    assert_int_equal(enrol(rig, anew, rig->request), 200); /* the first a1 is denied now */
    assert_int_equal(roster_revoke(rig->dir, "a1", uid, &e), 0);
    AUTO(mem) char *denied = pki_path(rig->dir, PKI_DENIED);
    char command[96];
    (void)snprintf(command, sizeof(command), "test $(ls %s | wc -l) = 2", denied);
    assert_int_equal(system(command), 0);
}

static void a_token_has_its_time_and_place(void **state)
{
    struct rig *rig = *state;
    const int64_t now_ms = clock_wall_ms();
    struct join_token old = { .uses = 1, .expires_ms = now_ms - 1000 };
    struct join_token far = { .uses = 1, .expires_ms = now_ms + 60000, .from = "192.0.2.0/24" };
    struct join_token near = { .uses = 1, .expires_ms = now_ms + 60000, .from = "127.0.0.0/8" };
    char text[JOIN_TOKEN_MAX];

    make_token(rig, &old, text);
    assert_int_equal(enrol(rig, text, rig->request), 401);
    make_token(rig, &far, text);
    assert_int_equal(enrol(rig, text, rig->request), 403);
    make_token(rig, &near, text);
    text[JOIN_TOKEN_MAX - 2] = text[JOIN_TOKEN_MAX - 2] == 'a' ? 'b' : 'a';
    assert_int_equal(enrol(rig, text, rig->request), 401);
    assert_int_equal(enrol(rig, "../tokens", rig->request), 401);
    make_token(rig, &near, text);
    assert_int_equal(enrol(rig, text, rig->request), 200);
}

static void who_guesses_is_slowed_down(void **state)
{
    struct rig *rig = *state;
    struct join_token one = { .uses = 1, .expires_ms = clock_wall_ms() + 60000 };
    char text[JOIN_TOKEN_MAX];

    for (int i = 0; i < 10; i++)
        assert_int_equal(enrol(rig, "aaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaa", rig->request), 401);
    make_token(rig, &one, text);
    assert_int_equal(enrol(rig, text, rig->request), 429);
}

static void five_join_at_once(void **state)
{
    struct rig *rig = *state;
    struct join_token t = { .uses = 100, .expires_ms = clock_wall_ms() + 60000 };
    char text[JOIN_TOKEN_MAX];
    int slowed = 0;

    make_token(rig, &t, text);
    for (int i = 0; i < 12; i++)
        slowed += enrol(rig, text, "no request") == 429;
    assert_true(slowed > 0);
}

static void networks(void **state)
{
    static const struct {
        const char *network, *address;
        bool in;
    } CASES[] = {
        { "192.0.2.0/24", "192.0.2.255", true },
        { "192.0.2.0/24", "192.0.3.0", false },
        { "192.0.2.0/24", "::ffff:192.0.2.9", true },
        { "0.0.0.0/0", "203.0.113.9", true },
        { "0.0.0.0/0", "2001:db8::1", false },
        { "2001:db8::/33", "2001:db8:7fff::1", true },
        { "2001:db8::/33", "2001:db8:8000::1", false },
        { "::1/128", "::1", true },
        { "192.0.2.1/32", "192.0.2.1", true },
        { "192.0.2.1/32", "unknown", false },
    };
    static const char *const WRONG[] = { "",    "192.0.2.0", "192.0.2.0/33", "::/129",
                                         "a/8", "1.2.3.4/",  "1.2.3.4/-1",   "1.2.3.4/8x" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        assert_int_equal(join_token_from(CASES[i].network, CASES[i].address), CASES[i].in);
    for (size_t i = 0; i < ARRAY_LEN(WRONG); i++)
        assert_false(join_token_is_network(WRONG[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_node_reports_with_its_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_comes_in_without_a_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_authority_counts_for_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_servers_certificate_is_no_clients, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_authority_is_no_node, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_expired_certificate_only_asks_for_the_next, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_revoked_certificate_counts_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_certificate_is_renewed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_who_slept_renews_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_lets_nodes_join_so_often, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_has_its_time_and_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_guesses_is_slowed_down, set_up, tear_down),
        cmocka_unit_test_setup_teardown(five_join_at_once, set_up, tear_down),
        cmocka_unit_test(networks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
