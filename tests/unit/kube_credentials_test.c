/* Who a Kubernetes client is: tokens read again in time, certificate files looked at for changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/kube_client/kube_credentials.h"
#include "proto/base/array.h"
#include "proto/base/file.h"

static char folder[] = "/tmp/huddle-kube-credentials-XXXXXX";

struct world {
    struct kube_config *config;
    struct kube_credentials *credentials;
    char token[64], ca[64];
};

static void put(const char *path, const char *text)
{
    struct err e = ERR_INIT;

    if (file_replace(path, text, strlen(text), 0600, &e) < 0)
        fail_msg("%s", e.text);
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    *state = w;
    (void)snprintf(w->token, sizeof(w->token), "%s/token", folder);
    (void)snprintf(w->ca, sizeof(w->ca), "%s/ca.crt", folder);
    w->config = kube_config_new();
    free(w->config->token_file);
    w->config->token_file = xstrdup(w->token);
    free(w->config->ca_file);
    w->config->ca_file = xstrdup(w->ca);
    put(w->ca, "ca");
    w->credentials = kube_credentials_new(NULL, w->config, NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kube_credentials_free(w->credentials);
    kube_config_free(w->config);
    (void)unlink(w->token);
    (void)unlink(w->ca);
    free(w);
    return 0;
}

static void shows(struct world *w, int64_t now_ms, const char *token)
{
    struct kube_proof proof;
    struct err e = ERR_INIT;

    if (kube_credentials_get(w->credentials, now_ms, &proof, &e) < 0)
        fail_msg("%s", e.text);
    assert_string_equal(proof.bearer, token);
}

static void a_token_is_read_again_each_minute(void **state)
{
    struct world *w = *state;

    put(w->token, "one\n");
    shows(w, 1000, "one");
    put(w->token, "two\n");
    shows(w, 60999, "one");
    shows(w, 61000, "two");
    put(w->token, ""); /* in the middle of a write */
    shows(w, 121000, "two");
    put(w->token, "three");
    shows(w, 181000, "three");
    (void)unlink(w->token);
    shows(w, 241000, "three");
}

static void what_is_no_token_is_refused(void **state)
{
    static const char *const bad[] = { "", "\n", "  ", "a b", "a\tb", "a\x7f" };
    struct world *w = *state;
    struct kube_proof proof;
    struct err e = ERR_INIT;

    assert_int_equal(kube_credentials_get(w->credentials, 1, &proof, &e), -ENOENT);
    assert_non_null(strstr(e.text, w->token));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        put(w->token, bad[i]);
        assert_int_equal(kube_credentials_get(w->credentials, 1, &proof, &e), -EINVAL);
        assert_non_null(strstr(e.text, w->token));
    }
}

static bool changed(struct world *w, int64_t now_ms)
{
    struct kube_proof proof;
    struct err e = ERR_INIT;

    assert_int_equal(kube_credentials_get(w->credentials, now_ms, &proof, &e), 0);
    return proof.changed;
}

static void another_file_is_noticed_once(void **state)
{
    struct world *w = *state;

    put(w->token, "t");
    assert_false(changed(w, 1000)); /* the first look */
    assert_false(changed(w, 3000));
    put(w->ca, "ac");
    assert_false(changed(w, 3500)); /* once a second */
    assert_true(changed(w, 4000));
    assert_false(changed(w, 5000));
    (void)unlink(w->ca);
    assert_false(changed(w, 6000)); /* being replaced */
    put(w->ca, "ca");
    assert_true(changed(w, 7000));
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_is_read_again_each_minute),
        TEST(what_is_no_token_is_refused),
        TEST(another_file_is_noticed_once),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
