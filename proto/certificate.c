/* Keys, requests and certificates: see certificate.h. Reads what comes over the network, so every
 * length is checked before a text goes to GnuTLS. */
#include "proto/certificate.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define HASH_BYTES 32
#define BUNDLE_MAX 8 /* authorities of one file */

DEFINE_AUTO(crt, gnutls_x509_crt_t, gnutls_x509_crt_deinit);
DEFINE_AUTO(crq, gnutls_x509_crq_t, gnutls_x509_crq_deinit);
DEFINE_AUTO(pubkey, gnutls_pubkey_t, gnutls_pubkey_deinit);
DEFINE_AUTO(key, gnutls_x509_privkey_t, gnutls_x509_privkey_deinit);

static int failed(struct err *e, const char *what, int r)
{
    return err_set(e, r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL, "%s: %s", what,
                   gnutls_strerror(r));
}

static int to_datum(const char *text, gnutls_datum_t *ret, struct err *e)
{
    size_t n = strnlen(text, CERTIFICATE_TEXT_MAX);

    if (n == CERTIFICATE_TEXT_MAX)
        return err_set(e, -EFBIG, "longer than %u bytes", CERTIFICATE_TEXT_MAX);
    *ret = (gnutls_datum_t){ (unsigned char *)(uintptr_t)text, (unsigned)n };
    return 0;
}

/* A NUL-terminated copy; frees and wipes GnuTLS' own. */
static char *take_text(gnutls_datum_t *d)
{
    char *text = xcalloc(1, d->size + 1u);

    memcpy(text, d->data, d->size);
    explicit_bzero(d->data, d->size);
    gnutls_free(d->data);
    return text;
}

/* --- keys --------------------------------------------------------------------------------------
 */

static int read_key(const char *text, gnutls_x509_privkey_t *ret_key, struct err *e)
{
    AUTO(key) gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t pem;
    int r = to_datum(text, &pem, e);

    if (r < 0)
        return r;
    if ((r = gnutls_x509_privkey_init(&key)) < 0 ||
        (r = gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0)) < 0)
        return failed(e, "the key", r);
    *ret_key = TAKE(key);
    return 0;
}

int certificate_key(char **ret_key, struct err *e)
{
    AUTO(key) gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t pem;
    int r;

    if ((r = gnutls_x509_privkey_init(&key)) < 0 ||
        (r = gnutls_x509_privkey_generate(
             key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0)) < 0 ||
        (r = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                               &pem)) < 0)
        return failed(e, "a new key", r);
    *ret_key = take_text(&pem);
    return 0;
}

/* --- requests ----------------------------------------------------------------------------------
 */

int certificate_request(const char *key, const char *node, char **ret_request, struct err *e)
{
    AUTO(key) gnutls_x509_privkey_t private = NULL;
    AUTO(crq) gnutls_x509_crq_t crq = NULL;
    gnutls_datum_t pem;
    int r;

    if (!certificate_is_node(node))
        return err_set(e, -EINVAL,
                       "\"%.100s\" is no name of a node: lower-case letters, digits, \"-\" and "
                       "\".\", 63 at most",
                       node);
    if ((r = read_key(key, &private, e)) < 0)
        return r;
    if ((r = gnutls_x509_crq_init(&crq)) < 0 || (r = gnutls_x509_crq_set_version(crq, 1)) < 0 ||
        (r = gnutls_x509_crq_set_key(crq, private)) < 0 ||
        (r = gnutls_x509_crq_set_dn_by_oid(crq, GNUTLS_OID_X520_COMMON_NAME, 0, node,
                                           (unsigned)strlen(node))) < 0 ||
        (r = gnutls_x509_crq_sign2(crq, private, GNUTLS_DIG_SHA256, 0)) < 0 ||
        (r = gnutls_x509_crq_export2(crq, GNUTLS_X509_FMT_PEM, &pem)) < 0)
        return failed(e, "the request", r);
    *ret_request = take_text(&pem);
    return 0;
}

static bool is_p256(gnutls_x509_crq_t crq)
{
    AUTO(pubkey) gnutls_pubkey_t key = NULL;
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;

    return gnutls_pubkey_init(&key) >= 0 && gnutls_pubkey_import_x509_crq(key, crq, 0) >= 0 &&
           gnutls_pubkey_get_pk_algorithm(key, NULL) == GNUTLS_PK_ECDSA &&
           gnutls_pubkey_export_ecc_raw2(key, &curve, NULL, NULL, 0) >= 0 &&
           curve == GNUTLS_ECC_CURVE_SECP256R1;
}

int certificate_request_read(const char *request, char ret_node[CERTIFICATE_NODE_MAX],
                             struct err *e)
{
    AUTO(crq) gnutls_x509_crq_t crq = NULL;
    char node[CERTIFICATE_NODE_MAX] = "";
    size_t n = sizeof(node);
    gnutls_datum_t pem;
    int r = to_datum(request, &pem, e);

    if (r < 0)
        return err_prefix(e, r, "the request");
    if ((r = gnutls_x509_crq_init(&crq)) < 0 ||
        (r = gnutls_x509_crq_import(crq, &pem, GNUTLS_X509_FMT_PEM)) < 0)
        return failed(e, "the request", r);
    if (!is_p256(crq))
        return err_set(e, -EINVAL, "the request: expected a key on the curve P-256");
    if ((r = gnutls_x509_crq_verify(crq, 0)) < 0)
        return failed(e, "the request is not signed by its own key", r);
    if (gnutls_x509_crq_get_dn_by_oid(crq, GNUTLS_OID_X520_COMMON_NAME, 0, 0, node, &n) < 0 ||
        strlen(node) != n || !certificate_is_node(node))
        return err_set(e, -EINVAL, "the request: its common name is no name of a node");
    memcpy(ret_node, node, sizeof(node));
    return 0;
}

/* --- certificates ------------------------------------------------------------------------------
 */

/* The certificates of a text, at least one. They are the caller's to free, each, and the list. */
static int read_list(const char *text, gnutls_x509_crt_t **ret_list, unsigned *ret_n, struct err *e)
{
    gnutls_datum_t pem;
    int r = to_datum(text, &pem, e);

    if (r < 0)
        return err_prefix(e, r, "the certificate");
    r = gnutls_x509_crt_list_import2(ret_list, ret_n, &pem, GNUTLS_X509_FMT_PEM, 0);
    return r < 0 ? failed(e, "the certificate", r) : 0;
}

static void free_list(gnutls_x509_crt_t *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
}

static int read_first(const char *text, gnutls_x509_crt_t *ret_crt, struct err *e)
{
    gnutls_x509_crt_t *list;
    unsigned n;
    int r = read_list(text, &list, &n, e);

    if (r < 0)
        return r;
    *ret_crt = list[0];
    for (unsigned i = 1; i < n; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
    return 0;
}

static bool is_uid(const char *text)
{
    return strlen(text) == CERTIFICATE_UID_MAX - 1 && !text[strspn(text, "0123456789abcdef")];
}

static void read_uid(gnutls_x509_crt_t crt, char ret_uid[CERTIFICATE_UID_MAX])
{
    const size_t head = strlen(CERTIFICATE_UID_URI);
    char uri[128];

    for (unsigned i = 0;; i++) {
        size_t n = sizeof(uri) - 1;
        int r = gnutls_x509_crt_get_subject_alt_name(crt, i, uri, &n, NULL);

        if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return;
        if (r != GNUTLS_SAN_URI)
            continue;
        uri[n] = '\0';
        if (strncmp(uri, CERTIFICATE_UID_URI, head) == 0 && is_uid(uri + head))
            memcpy(ret_uid, uri + head, CERTIFICATE_UID_MAX);
    }
}

int certificate_read(const char *text, struct certificate *ret, struct err *e)
{
    AUTO(crt) gnutls_x509_crt_t crt = NULL;
    struct certificate c = { .authority = false };
    size_t n = sizeof(c.node);
    int r = read_first(text, &crt, e);

    if (r < 0)
        return r;
    if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, c.node, &n) < 0 ||
        strlen(c.node) != n)
        c.node[0] = '\0';
    read_uid(crt, c.uid);
    c.from_ms = (int64_t)gnutls_x509_crt_get_activation_time(crt) * 1000;
    c.until_ms = (int64_t)gnutls_x509_crt_get_expiration_time(crt) * 1000;
    c.authority = gnutls_x509_crt_get_ca_status(crt, NULL) > 0;
    *ret = c;
    return 0;
}

int certificate_match(const char *text, const char *key, struct err *e)
{
    AUTO(crt) gnutls_x509_crt_t crt = NULL;
    AUTO(key) gnutls_x509_privkey_t private = NULL;
    unsigned char a[HASH_BYTES], b[HASH_BYTES];
    size_t n = sizeof(a), m = sizeof(b);
    int r;

    if ((r = read_first(text, &crt, e)) < 0 || (r = read_key(key, &private, e)) < 0)
        return r;
    if (gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, a, &n) < 0 ||
        gnutls_x509_privkey_get_key_id(private, GNUTLS_KEYID_USE_SHA256, b, &m) < 0 || n != m ||
        memcmp(a, b, n) != 0)
        return err_set(e, -EINVAL, "the certificate is of another key");
    return 0;
}

static int digest(gnutls_x509_crt_t crt, char ret_digest[CERTIFICATE_DIGEST_MAX])
{
    unsigned char hash[HASH_BYTES];
    size_t n = sizeof(hash);
    char *at = ret_digest;
    int r = gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, hash, &n);

    if (r < 0)
        return r;
    at += sprintf(at, "sha256:");
    for (size_t i = 0; i < n; i++)
        at += sprintf(at, "%02x", hash[i]);
    return 0;
}

int certificate_digest(const char *text, char ret_digest[CERTIFICATE_DIGEST_MAX], struct err *e)
{
    AUTO(crt) gnutls_x509_crt_t crt = NULL;
    int r = read_first(text, &crt, e);

    if (r < 0)
        return r;
    r = digest(crt, ret_digest);
    return r < 0 ? failed(e, "the certificate's key", r) : 0;
}

int certificate_pick(const char *bundle, const char *wanted, char **ret_text, struct err *e)
{
    char found[CERTIFICATE_DIGEST_MAX];
    gnutls_datum_t pem = { NULL, 0 };
    gnutls_x509_crt_t *list;
    unsigned n;
    int r = read_list(bundle, &list, &n, e);

    if (r < 0)
        return r;
    for (unsigned i = 0; i < n && i < BUNDLE_MAX && !pem.data; i++) {
        if (digest(list[i], found) == 0 && strcmp(found, wanted) == 0 &&
            gnutls_x509_crt_get_ca_status(list[i], NULL) > 0 &&
            gnutls_x509_crt_export2(list[i], GNUTLS_X509_FMT_PEM, &pem) < 0)
            pem.data = NULL;
    }
    free_list(list, n);
    if (!pem.data)
        return err_set(e, -ENOENT, "no authority among them has the public key %s", wanted);
    *ret_text = take_text(&pem);
    return 0;
}

bool certificate_is_digest(const char *text)
{
    return strncmp(text, "sha256:", 7) == 0 && strlen(text) == CERTIFICATE_DIGEST_MAX - 1 &&
           !text[7 + strspn(text + 7, "0123456789abcdef")];
}

bool certificate_is_node(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n < CERTIFICATE_NODE_MAX &&
           !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] &&
           !strchr("-.", name[0]) && !strchr("-.", name[n - 1]);
}
