/* The authority, requests and certificates, and the files of the doors. What TLS makes of the
 * certificates is tests/integration/test_doors.py's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/pki/authority.h"
#include "controller/pki/folder.h"
#include "controller/pki/user_token.h"
#include "proto/base/array.h"
#include "proto/certificate.h"

#define NOW_MS INT64_C(1790000000000)
#define UID "00112233445566778899aabbccddeeff"

struct world {
    char *ca, *ca_key;
    struct authority *authority;
};

static void open_world(struct world *w)
{
    struct err e = ERR_INIT;

    *w = (struct world){ NULL, NULL, NULL };
    if (authority_make(NOW_MS, &w->ca, &w->ca_key, &e) < 0 ||
        authority_new(w->ca, w->ca_key, &w->authority, &e) < 0)
        fail_msg("%s", e.text);
}

static void close_world(struct world *w)
{
    authority_free(w->authority);
    free(w->ca);
    free(w->ca_key);
}

static char *request_of(const char *node, char **ret_key)
{
    struct err e = ERR_INIT;
    char *request = NULL;

    if (certificate_key(ret_key, &e) < 0 || certificate_request(*ret_key, node, &request, &e) < 0)
        fail_msg("%s", e.text);
    return request;
}

/* Does GnuTLS find the certificate signed by that authority, at that time, for that purpose? */
static bool is_good(const char *ca, const char *text, int64_t at_ms, const char *purpose)
{
    gnutls_x509_crt_t crt, root;
    gnutls_datum_t a = { (unsigned char *)(uintptr_t)ca, (unsigned)strlen(ca) };
    gnutls_datum_t b = { (unsigned char *)(uintptr_t)text, (unsigned)strlen(text) };
    gnutls_x509_trust_list_t trust;
    gnutls_typed_vdata_st data = { GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)(uintptr_t)purpose,
                                   0 };
    unsigned status = 1;

    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_init(&root), 0);
    assert_int_equal(gnutls_x509_crt_import(root, &a, GNUTLS_X509_FMT_PEM), 0);
    assert_int_equal(gnutls_x509_crt_import(crt, &b, GNUTLS_X509_FMT_PEM), 0);
    assert_int_equal(gnutls_x509_trust_list_init(&trust, 0), 0);
    assert_int_equal(gnutls_x509_trust_list_add_cas(trust, &root, 1, 0), 1);
    assert_int_equal(gnutls_x509_trust_list_verify_crt2(trust, &crt, 1, &data, 1,
                                                        GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status,
                                                        NULL),
                     0);
    status |= gnutls_x509_crt_get_activation_time(crt) > at_ms / 1000 ||
              gnutls_x509_crt_get_expiration_time(crt) < at_ms / 1000;
    gnutls_x509_trust_list_deinit(trust, 0);
    gnutls_x509_crt_deinit(root);
    gnutls_x509_crt_deinit(crt);
    return status == 0;
}

static void a_node_gets_a_certificate(void **state)
{
    struct world w, other;
    char *key = NULL, *request = request_of("n1.rack-a", &key), *text = NULL;
    struct certificate c;
    struct err e = ERR_INIT;

    (void)state;
    open_world(&w);
    open_world(&other);
    if (authority_sign_agent(w.authority, request, UID, NOW_MS, &text, &e) < 0 ||
        certificate_read(text, &c, &e) < 0 || certificate_match(text, key, &e) < 0)
        fail_msg("%s", e.text);
    assert_string_equal(c.node, "n1.rack-a");
    assert_string_equal(c.uid, UID);
    assert_false(c.authority);
    assert_int_equal(c.from_ms, NOW_MS - AUTHORITY_DAY_MS);
    assert_int_equal(c.until_ms, NOW_MS + AUTHORITY_AGENT_MS);
    assert_true(is_good(w.ca, text, NOW_MS, GNUTLS_KP_TLS_WWW_CLIENT));
    assert_false(is_good(w.ca, text, NOW_MS, GNUTLS_KP_TLS_WWW_SERVER));
    assert_false(is_good(w.ca, text, NOW_MS + AUTHORITY_AGENT_MS + 1000, GNUTLS_KP_TLS_WWW_CLIENT));
    assert_false(is_good(other.ca, text, NOW_MS, GNUTLS_KP_TLS_WWW_CLIENT));
    assert_int_equal(certificate_match(text, w.ca_key, &e), -EINVAL);
    free(text);
    free(request);
    free(key);
    close_world(&other);
    close_world(&w);
}

static void a_request_is_checked(void **state)
{
    static const char *const NAMES[] = { "", "-n", "n1.", "N1", "a b", "a/b" };
    char *key = NULL, *request = request_of("n1", &key), *no = NULL;
    char node[CERTIFICATE_NODE_MAX], *byte;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(certificate_request_read(request, node, &e), 0);
    assert_string_equal(node, "n1");
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        assert_int_equal(certificate_request(key, NAMES[i], &no, &e), -EINVAL);
    byte = strstr(request, "\n-----END") - 12; /* of the signature */
    *byte = *byte == 'A' ? 'B' : 'A';
    assert_true(certificate_request_read(request, node, &e) < 0);
    assert_true(certificate_request_read("", node, &e) < 0);
    assert_true(certificate_request_read(key, node, &e) < 0);
    free(request);
    free(key);
}

/* Only P-256: a key of another kind would make every handshake dearer, or weaker. */
static void other_keys_are_refused(void **state)
{
    static const struct {
        gnutls_pk_algorithm_t kind;
        unsigned bits;
    } KEYS[] = { { GNUTLS_PK_RSA, 2048 },
                 { GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1) } };
    char node[CERTIFICATE_NODE_MAX], *request = NULL;
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        gnutls_x509_privkey_t key;
        gnutls_datum_t pem;

        assert_int_equal(gnutls_x509_privkey_init(&key), 0);
        assert_int_equal(gnutls_x509_privkey_generate(key, KEYS[i].kind, KEYS[i].bits, 0), 0);
        assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
        assert_int_equal(certificate_request((char *)pem.data, "n1", &request, &e), 0);
        assert_int_equal(certificate_request_read(request, node, &e), -EINVAL);
        assert_non_null(strstr(e.text, "P-256"));
        free(request);
        gnutls_free(pem.data);
        gnutls_x509_privkey_deinit(key);
    }
}

static void an_authority_is_known_by_its_key(void **state)
{
    struct world w, other;
    char digest[CERTIFICATE_DIGEST_MAX], wrong[CERTIFICATE_DIGEST_MAX], *picked = NULL;
    char *bundle = NULL;
    struct authority *second = NULL;
    struct certificate c;
    struct err e = ERR_INIT;

    (void)state;
    open_world(&w);
    open_world(&other);
    assert_true(asprintf(&bundle, "%s%s", other.ca, w.ca) > 0);
    assert_int_equal(certificate_digest(w.ca, digest, &e), 0);
    assert_int_equal(certificate_digest(other.ca, wrong, &e), 0);
    assert_true(certificate_is_digest(digest) && !certificate_is_digest("sha256:"));
    assert_string_not_equal(digest, wrong);
    assert_int_equal(certificate_pick(bundle, digest, &picked, &e), 0);
    assert_true(strstr(w.ca, picked) == w.ca);
    assert_int_equal(certificate_read(picked, &c, &e), 0);
    assert_true(c.authority && !c.uid[0]);
    free(picked);
    assert_int_equal(certificate_pick(w.ca, wrong, &picked, &e), -ENOENT);
    assert_int_equal(authority_new(bundle, w.ca_key, &second, &e), 0); /* signs with its own */
    authority_free(second);
    second = NULL;
    assert_int_equal(authority_new(other.ca, w.ca_key, &second, &e), -ENOENT);
    assert_null(second);
    free(bundle);
    close_world(&other);
    close_world(&w);
}

/* A leaf is no authority, whoever has its digest. */
static void a_leaf_is_not_picked(void **state)
{
    struct world w;
    char *key = NULL, *request = request_of("n1", &key), *text = NULL, *picked = NULL;
    char digest[CERTIFICATE_DIGEST_MAX];
    struct err e = ERR_INIT;

    (void)state;
    open_world(&w);
    assert_int_equal(authority_sign_agent(w.authority, request, UID, NOW_MS, &text, &e), 0);
    assert_int_equal(certificate_digest(text, digest, &e), 0);
    assert_int_equal(certificate_pick(text, digest, &picked, &e), -ENOENT);
    free(text);
    free(request);
    free(key);
    close_world(&w);
}

/* --- files -------------------------------------------------------------------------------------
 */

static void in_folder(void (*test)(const char *dir))
{
    char dir[] = "/tmp/huddle-pki-test-XXXXXX";
    char command[64];

    assert_non_null(mkdtemp(dir));
    test(dir);
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

static void try_files(const char *dir)
{
    char *path = pki_path(dir, "a"), *text = NULL;
    struct err e = ERR_INIT;
    struct stat st;

    assert_int_equal(pki_write(dir, "a", "one\n", 4, true, &e), 0);
    assert_int_equal(pki_write(dir, "a", "two\n", 4, true, &e), -EEXIST);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(pki_replace(path, "three", 5, &e), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640); /* it keeps its mode */
    assert_int_equal(pki_append(path, "four", &e), 0);
    assert_int_equal(pki_append(path, "five", &e), 0);
    assert_int_equal(pki_read(dir, "a", &text, &e), 0);
    assert_string_equal(text, "three\nfour\nfive\n");
    free(text);
    free(path);
}

static void files_are_written_whole(void **state)
{
    (void)state;
    in_folder(try_files);
}

static void put(const char *dir, const char *name, const char *text)
{
    struct err e = ERR_INIT;

    if (pki_write(dir, name, text, strlen(text), false, &e) < 0)
        fail_msg("%s", e.text);
}

static void try_renewal(const char *dir)
{
    static const char *const NAMES[] = { "ctl.example", "192.0.2.7", "2001:db8::7" };
    const int64_t late_ms = NOW_MS + AUTHORITY_SERVER_MS * 2 / 3 + AUTHORITY_DAY_MS;
    char *key = NULL, *text = NULL, *again = NULL, **names;
    struct err e = ERR_INIT;
    struct certificate c;
    struct world w;
    bool renewed;
    size_t n;

    open_world(&w);
    assert_int_equal(certificate_key(&key, &e), 0);
    assert_int_equal(authority_sign_server(w.authority, key, NAMES, 3, NOW_MS, &text, &e), 0);
    put(dir, PKI_CA, w.ca);
    put(dir, PKI_CA_KEY, w.ca_key);
    put(dir, PKI_SERVER, text);
    put(dir, PKI_SERVER_KEY, key);
    assert_true(is_good(w.ca, text, NOW_MS, GNUTLS_KP_TLS_WWW_SERVER));
    assert_false(is_good(w.ca, text, NOW_MS, GNUTLS_KP_TLS_WWW_CLIENT));
    assert_int_equal(pki_renew_server(dir, NOW_MS + AUTHORITY_SERVER_MS / 2, &renewed, &e), 0);
    assert_false(renewed);
    assert_int_equal(pki_renew_server(dir, late_ms, &renewed, &e), 0);
    assert_true(renewed);
    assert_int_equal(pki_read(dir, PKI_SERVER, &again, &e), 0);
    assert_int_equal(certificate_read(again, &c, &e), 0);
    assert_int_equal(c.until_ms, (late_ms + AUTHORITY_SERVER_MS) / 1000 * 1000);
    assert_int_equal(certificate_match(again, key, &e), 0);
    assert_true(is_good(w.ca, again, late_ms, GNUTLS_KP_TLS_WWW_SERVER));
    assert_int_equal(authority_server_names(again, &names, &n, &e), 0);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(names[i], NAMES[i]);
    authority_free_names(names, n);
    free(again);
    free(text);
    free(key);
    close_world(&w);
}

static void the_servers_certificate_is_renewed(void **state)
{
    (void)state;
    in_folder(try_renewal);
}

static void tokens_are_found_by_their_whole_name(void **state)
{
    static const char TEXT[] = "# ann viewer\nanna viewer sha256:00\n  ann\tviewer sha256:11\nbob";
    AUTO(strbuf) struct strbuf token = STRBUF_INIT, other = STRBUF_INIT, line = STRBUF_INIT;
    struct user_token t = { "ann", "agent", "n1", "2027-01-01T00:00:00Z" };
    struct err e = ERR_INIT;

    (void)state;
    assert_ptr_equal(user_token_find(TEXT, "ann"), strstr(TEXT, "  ann"));
    assert_null(user_token_find(TEXT, "bob")); /* a name without a role is no line */
    assert_null(user_token_find("", "ann"));
    assert_int_equal(user_token_make(&t, &token, &line, &e), 0);
    assert_int_equal(user_token_make(&t, &other, &line, &e), 0);
    assert_int_equal(token.length, strlen("hud_ann_") + 64);
    assert_string_not_equal(strbuf_text(&token), strbuf_text(&other));
    assert_non_null(strstr(strbuf_text(&line), " node:n1 expires:2027-01-01T00:00:00Z"));
    assert_null(strstr(strbuf_text(&line), strbuf_text(&token) + strlen("hud_ann_")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_gets_a_certificate),
        cmocka_unit_test(a_request_is_checked),
        cmocka_unit_test(other_keys_are_refused),
        cmocka_unit_test(an_authority_is_known_by_its_key),
        cmocka_unit_test(a_leaf_is_not_picked),
        cmocka_unit_test(files_are_written_whole),
        cmocka_unit_test(the_servers_certificate_is_renewed),
        cmocka_unit_test(tokens_are_found_by_their_whole_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
