/* Files of tokens: what is refused, with its line, and what a token may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/api/auth.h"
#include "proto/base/array.h"

#define HASH /* of "secret" */ "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

#define OTHER_HASH "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"
#define THIRD_HASH "b1e99324505bd32da0e1f85dcf5e19a09db0481e8a15f62c41eb320304a8e927"

static int load(const char *text, struct auth **ret_auth, struct err *e)
{
    char path[] = "/tmp/huddle-auth-test-XXXXXX";
    int fd = mkstemp(path), r;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
    r = auth_new(path, ret_auth, e);
    (void)unlink(path);
    return r;
}

static void bad_lines_are_named(void **state)
{
    static const struct {
        const char *text, *why;
    } CASES[] = {
        { "", "no token in it" },
        { "# only a comment\n\n", "no token in it" },
        { "a viewer sha256:" HASH "\nb\n", ":2: expected: NAME ROLE sha256:HEX" },
        { "a viewer " HASH "\n", ":1: expected" },
        { "a viewer sha1:" HASH "\n", ":1: expected" },
        { "a root sha256:" HASH "\n", ":1: \"root\" is no role" },
        { "a none sha256:" HASH "\n", ":1: \"none\" is no role" },
        { "a viewer sha256:abc\n", ":1: the SHA-256 must be 64" },
        { "a viewer sha256:" HASH "0\n", ":1: the SHA-256 must be 64" },
        { "a viewer sha256:2BB80D537B1DA3E38BD30361AA855686BDE0EACD7162FEF6A25FE97BF527A25B\n",
          ":1: the SHA-256 must be 64 lower-case" },
        { "a viewer sha256:" HASH " more\n", ":1: expected" },
        { "a viewer sha256:" HASH " 1 2 3 4 5 6 7 8\n", ":1: expected" },
        { "a agent sha256:" HASH "\n", ":1: a token of role agent says which node" },
        { "a agent sha256:" HASH " # node:n1\n", ":1: a token of role agent says which node" },
        { "a viewer sha256:" HASH " node:n1\n", ":1: node: only a token of role agent" },
        { "a agent sha256:" HASH " node:n1 node:n2\n", ":1: node: stands there twice" },
        { "a agent sha256:" HASH " node:\n", ":1: node: expected the name of a node" },
        { "a agent sha256:" HASH " node:N1\n", ":1: node: expected the name of a node" },
        { "a agent sha256:" HASH " node:-a\n", ":1: node: expected the name of a node" },
        { "a viewer sha256:" HASH " expires:2027-03-01\n", ":1: expires: expected a time like" },
        { "a viewer sha256:" HASH " expires:\n", ":1: expires: expected a time like" },
        { "a viewer sha256:" HASH " expires:2027-03-01T00:00:00Z expires:2028-03-01T00:00:00Z\n",
          ":1: expires: stands there twice" },
        { "a agent sha256:" HASH " node: n1\n", ":1: node: expected the name" },
        { "a/b viewer sha256:" HASH "\n", ":1: a token's name" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct auth *a = NULL;
        struct err e = ERR_INIT;

        assert_true(load(CASES[i].text, &a, &e) < 0);
        assert_null(a);
        if (!strstr(e.text, CASES[i].why))
            fail_msg("%s=> %s", CASES[i].text, e.text);
    }
}

static void a_token_is_its_whole_text(void **state)
{
    AUTO(auth) struct auth *a = NULL;
    struct bearer by = { .who = "" };
    struct err e = ERR_INIT;

    (void)state;
    if (load("# people\nann@x operator sha256:" HASH " # until May\n", &a, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(auth_check(a, "Bearer secret", RIGHT_OPERATE, 0, &by), 0);
    assert_string_equal(by.who, "ann@x");
    assert_string_equal(by.node, "");
    assert_int_equal(auth_check(a, "Bearer secret", RIGHT_READ, 0, &by), 0);
    assert_int_equal(auth_check(a, "Bearer secret", RIGHT_EDIT, 0, &by), 403);
    assert_int_equal(auth_check(a, "Bearer secret", RIGHT_REPORT, 0, &by), 403);
    assert_int_equal(auth_check(a, "Bearer secre", RIGHT_READ, 0, &by), 401);
    assert_int_equal(auth_check(a, "Bearer secret ", RIGHT_READ, 0, &by), 401);
    assert_int_equal(auth_check(a, "Bearer " HASH, RIGHT_READ, 0, &by), 401);
    assert_int_equal(auth_check(a, "Basic secret", RIGHT_READ, 0, &by), 401);
    assert_int_equal(auth_check(a, "", RIGHT_READ, 0, &by), 401);
    assert_int_equal(auth_check(a, NULL, RIGHT_READ, 0, &by), 401);
}

static void an_agents_token_is_for_its_node(void **state)
{
    static const struct {
        const char *line, *node;
    } CASES[] = {
        { "a agent sha256:" HASH " node:rack-1.n3\n", "rack-1.n3" },
        { "a agent sha256:" HASH "\tnode:n3 # the third\r\n", "n3" },
        { "a agent sha256:" HASH " node:*\n", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(auth) struct auth *a = NULL;
        struct bearer by = { .node = "x" };
        struct err e = ERR_INIT;

        if (load(CASES[i].line, &a, &e) < 0)
            fail_msg("%s", e.text);
        assert_int_equal(auth_check(a, "Bearer secret", RIGHT_REPORT, 0, &by), 0);
        assert_string_equal(by.who, "a");
        assert_string_equal(by.node, CASES[i].node);
        assert_int_equal(auth_check(a, "Bearer secret", RIGHT_METRICS, 0, &by), 403);
    }
}

#define MARCH_1 INT64_C(1803859200000) /* 2027-03-01T00:00:00Z */

static void a_token_ends_at_its_time(void **state)
{
    AUTO(auth) struct auth *a = NULL;
    AUTO(mem) struct bearer *soon = NULL;
    struct bearer by;
    struct err e = ERR_INIT;

    (void)state;
    if (load("ann viewer sha256:" HASH " expires:2027-03-01T01:00:00+01:00\n"
             "box agent sha256:" OTHER_HASH " expires:2027-03-02T00:00:00Z node:n1\n"
             "old viewer sha256:" THIRD_HASH "\n",
             &a, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(auth_check(a, "Bearer secret", RIGHT_READ, MARCH_1 - 1, &by), 0);
    assert_int_equal(by.expires_wall_ms, MARCH_1);
    assert_int_equal(auth_check(a, "Bearer secret", RIGHT_READ, MARCH_1, &by), 401);
    assert_string_equal(by.who, "ann"); /* expired, not unknown */
    assert_int_equal(auth_check(a, "Bearer other", RIGHT_REPORT, MARCH_1, &by), 0);
    assert_int_equal(auth_check(a, "Bearer other", RIGHT_REPORT, MARCH_1 + 86400000, &by), 401);
    assert_int_equal(auth_check(a, "Bearer wrong", RIGHT_READ, MARCH_1, &by), 401);
    assert_string_equal(by.who, "");

    assert_int_equal(auth_expiring(a, MARCH_1, &soon), 0);
    free(TAKE(soon));
    assert_int_equal(auth_expiring(a, MARCH_1 + 1, &soon), 1);
    assert_string_equal(soon[0].who, "ann");
    free(TAKE(soon));
    assert_int_equal(auth_expiring(a, INT64_MAX, &soon), 2); /* never is not soon */
}

static void without_a_file_everybody_is_admin(void **state)
{
    AUTO(auth) struct auth *a = NULL;
    struct bearer by = { .node = "x" };
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(auth_new(NULL, &a, &e), 0);
    assert_int_equal(auth_check(a, NULL, RIGHT_ADMIN, 0, &by), 0);
    assert_int_equal(auth_check(a, NULL, RIGHT_REPORT, 0, &by), 0);
    assert_string_equal(by.who, "local");
    assert_string_equal(by.node, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(a_token_is_its_whole_text),
        cmocka_unit_test(an_agents_token_is_for_its_node),
        cmocka_unit_test(a_token_ends_at_its_time),
        cmocka_unit_test(without_a_file_everybody_is_admin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
