/* The certificate authority: see authority.h. */
#include "controller/pki/authority.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/certificate.h"

#define AUTHORITY_MS (3650 * AUTHORITY_DAY_MS)
#define SERIAL_BYTES 16
#define NAME_BYTES 254

DEFINE_AUTO(crt, gnutls_x509_crt_t, gnutls_x509_crt_deinit);
DEFINE_AUTO(crq, gnutls_x509_crq_t, gnutls_x509_crq_deinit);
DEFINE_AUTO(key, gnutls_x509_privkey_t, gnutls_x509_privkey_deinit);

struct authority {
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t key;
};

static int failed(struct err *e, const char *what, int r)
{
    return err_set(e, -EINVAL, "%s: %s", what, gnutls_strerror(r));
}

static gnutls_datum_t to_datum(const char *text)
{
    return (gnutls_datum_t){ (unsigned char *)(uintptr_t)text, (unsigned)strlen(text) };
}

static int to_text(gnutls_x509_crt_t crt, char **ret_text, struct err *e)
{
    gnutls_datum_t pem;
    int r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);

    if (r < 0)
        return failed(e, "the certificate", r);
    *ret_text = xcalloc(1, pem.size + 1u);
    memcpy(*ret_text, pem.data, pem.size);
    gnutls_free(pem.data);
    return 0;
}

static int read_key(const char *text, gnutls_x509_privkey_t *ret_key, struct err *e)
{
    AUTO(key) gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t pem = to_datum(text);
    int r;

    if ((r = gnutls_x509_privkey_init(&key)) < 0 ||
        (r = gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0)) < 0)
        return failed(e, "the key", r);
    *ret_key = TAKE(key);
    return 0;
}

/* --- what all certificates have ----------------------------------------------------------------
 */

static int set_serial(gnutls_x509_crt_t crt)
{
    unsigned char serial[SERIAL_BYTES];
    int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

    if (r < 0)
        return r;
    serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40); /* positive, and no leading zero */
    return gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
}

static int set_key_id(gnutls_x509_crt_t crt)
{
    unsigned char id[20];
    size_t n = sizeof(id);
    int r = gnutls_x509_crt_get_key_id(crt, 0, id, &n);

    return r < 0 ? r : gnutls_x509_crt_set_subject_key_id(crt, id, n);
}

static int begin(gnutls_x509_crt_t crt, const char *name, int64_t now_ms, int64_t life_ms)
{
    int r;

    if ((r = gnutls_x509_crt_set_version(crt, 3)) < 0 || (r = set_serial(crt)) < 0 ||
        (r = gnutls_x509_crt_set_activation_time(
             crt, (time_t)((now_ms - AUTHORITY_DAY_MS) / 1000))) < 0 ||
        (r = gnutls_x509_crt_set_expiration_time(crt, (time_t)((now_ms + life_ms) / 1000))) < 0 ||
        (r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                           (unsigned)strlen(name))) < 0)
        return r;
    return set_key_id(crt);
}

/* For one purpose alone, and signed. */
static int finish(gnutls_x509_crt_t crt, const struct authority *a, const char *purpose)
{
    unsigned char id[64];
    size_t n = sizeof(id);
    int r;

    if ((r = gnutls_x509_crt_set_basic_constraints(crt, 0, -1)) < 0 ||
        (r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE)) < 0 ||
        (r = gnutls_x509_crt_set_key_purpose_oid(crt, purpose, 1)) < 0 ||
        (r = gnutls_x509_crt_get_subject_key_id(a->certificate, id, &n, NULL)) < 0 ||
        (r = gnutls_x509_crt_set_authority_key_id(crt, id, n)) < 0)
        return r;
    return gnutls_x509_crt_sign2(crt, a->certificate, a->key, GNUTLS_DIG_SHA256, 0);
}

/* --- the authority -----------------------------------------------------------------------------
 */

/* Two authorities of one cluster, in the years of a change from one to the next, are told apart by
 * their names: the name holds a part of the key's id. */
static int name_authority(gnutls_x509_privkey_t key, char *ret_name, size_t size)
{
    unsigned char id[20];
    size_t n = sizeof(id);
    int r = gnutls_x509_privkey_get_key_id(key, 0, id, &n);

    if (r >= 0)
        (void)snprintf(ret_name, size, "huddle %02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
    return r;
}

static int sign_itself(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, int64_t now_ms)
{
    char name[32];
    int r;

    if ((r = name_authority(key, name, sizeof(name))) < 0 ||
        (r = gnutls_x509_crt_set_key(crt, key)) < 0 ||
        (r = begin(crt, name, now_ms, AUTHORITY_MS)) < 0 ||
        (r = gnutls_x509_crt_set_basic_constraints(crt, 1, 0)) < 0 ||
        (r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN)) <
            0)
        return r;
    return gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
}

int authority_make(int64_t now_ms, char **ret_certificate, char **ret_key, struct err *e)
{
    AUTO(crt) gnutls_x509_crt_t crt = NULL;
    AUTO(key) gnutls_x509_privkey_t key = NULL;
    AUTO(mem) char *text = NULL;
    int r;

    if ((r = certificate_key(&text, e)) < 0 || (r = read_key(text, &key, e)) < 0)
        return r;
    if ((r = gnutls_x509_crt_init(&crt)) < 0 || (r = sign_itself(crt, key, now_ms)) < 0)
        return failed(e, "the authority's certificate", r);
    if ((r = to_text(crt, ret_certificate, e)) < 0)
        return r;
    *ret_key = TAKE(text);
    return 0;
}

/* The certificate of the list that belongs to the key. */
static int choose(struct authority *a, gnutls_x509_crt_t *list, unsigned n)
{
    unsigned char wanted[20], id[20];
    size_t size = sizeof(wanted);

    if (gnutls_x509_privkey_get_key_id(a->key, 0, wanted, &size) < 0)
        return -EINVAL;
    for (unsigned i = 0; i < n && !a->certificate; i++) {
        size = sizeof(id);
        if (gnutls_x509_crt_get_key_id(list[i], 0, id, &size) >= 0 &&
            memcmp(id, wanted, sizeof(id)) == 0 && gnutls_x509_crt_get_ca_status(list[i], NULL) > 0)
            a->certificate = TAKE(list[i]);
    }
    return a->certificate ? 0 : -ENOENT;
}

int authority_new(const char *bundle, const char *key, struct authority **ret_authority,
                  struct err *e)
{
    AUTO(authority) struct authority *a = xcalloc(1, sizeof(*a));
    gnutls_datum_t pem = to_datum(bundle);
    gnutls_x509_crt_t *list;
    unsigned n;
    int r = read_key(key, &a->key, e);

    if (r < 0)
        return r;
    if ((r = gnutls_x509_crt_list_import2(&list, &n, &pem, GNUTLS_X509_FMT_PEM, 0)) < 0)
        return failed(e, "the authority's certificate", r);
    r = choose(a, list, n);
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
    if (r < 0)
        return err_set(e, r, "no authority's certificate belongs to the authority's key");
    *ret_authority = TAKE(a);
    return 0;
}

void authority_free(struct authority *a)
{
    if (!a)
        return;
    if (a->certificate)
        gnutls_x509_crt_deinit(a->certificate);
    if (a->key)
        gnutls_x509_privkey_deinit(a->key);
    free(a);
}

/* --- the server's ------------------------------------------------------------------------------
 */

static int add_name(gnutls_x509_crt_t crt, const char *name)
{
    unsigned char address[16];
    unsigned n = 0;

    if (inet_pton(AF_INET, name, address) == 1)
        n = 4;
    else if (inet_pton(AF_INET6, name, address) == 1)
        n = 16;
    if (n)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, n,
                                                    GNUTLS_FSAN_APPEND);
    return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
                                                (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
}

int authority_sign_server(const struct authority *a, const char *key, const char *const *names,
                          size_t n, int64_t now_ms, char **ret_certificate, struct err *e)
{
    AUTO(crt) gnutls_x509_crt_t crt = NULL;
    AUTO(key) gnutls_x509_privkey_t private = NULL;
    int r = read_key(key, &private, e);

    if (r < 0)
        return r;
    if ((r = gnutls_x509_crt_init(&crt)) >= 0 && (r = gnutls_x509_crt_set_key(crt, private)) >= 0)
        r = begin(crt, "huddle-controller", now_ms, AUTHORITY_SERVER_MS);
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = add_name(crt, names[i]);
    if (r >= 0)
        r = finish(crt, a, GNUTLS_KP_TLS_WWW_SERVER);
    return r < 0 ? failed(e, "the server's certificate", r) : to_text(crt, ret_certificate, e);
}

/* NULL: not a name, or too long. */
static char *name_text(int type, const char *bytes, size_t n)
{
    char text[INET6_ADDRSTRLEN];

    if (type == GNUTLS_SAN_DNSNAME) {
        char *name = xcalloc(1, n + 1);

        memcpy(name, bytes, n);
        return name;
    }
    if (type == GNUTLS_SAN_IPADDRESS && (n == 4 || n == 16) &&
        inet_ntop(n == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text)))
        return xstrdup(text);
    return NULL;
}

int authority_server_names(const char *certificate, char ***ret_names, size_t *ret_n, struct err *e)
{
    struct {
        char **names;
        size_t n_names, cap_names;
    } list = { NULL, 0, 0 };
    AUTO(crt) gnutls_x509_crt_t crt = NULL;
    gnutls_datum_t pem = to_datum(certificate);
    int r, type = 0;

    if ((r = gnutls_x509_crt_init(&crt)) < 0 ||
        (r = gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM)) < 0)
        return failed(e, "the server's certificate", r);
    for (unsigned i = 0; type != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE; i++) {
        char bytes[NAME_BYTES];
        size_t n = sizeof(bytes);
        char *name;

        type = gnutls_x509_crt_get_subject_alt_name(crt, i, bytes, &n, NULL);
        if (type >= 0 && (name = name_text(type, bytes, n)))
            *ARRAY_ADD(&list, names) = name;
    }
    *ret_names = list.names;
    *ret_n = list.n_names;
    return 0;
}

void authority_free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

/* --- nodes' ------------------------------------------------------------------------------------
 */

static int copy_key(gnutls_x509_crt_t crt, gnutls_x509_crq_t crq)
{
    gnutls_pubkey_t key;
    int r = gnutls_pubkey_init(&key);

    if (r < 0)
        return r;
    if ((r = gnutls_pubkey_import_x509_crq(key, crq, 0)) >= 0)
        r = gnutls_x509_crt_set_pubkey(crt, key);
    gnutls_pubkey_deinit(key);
    return r;
}

int authority_sign_agent(const struct authority *a, const char *request, const char *uid,
                         int64_t now_ms, char **ret_certificate, struct err *e)
{
    AUTO(crt) gnutls_x509_crt_t crt = NULL;
    AUTO(crq) gnutls_x509_crq_t crq = NULL;
    char node[CERTIFICATE_NODE_MAX], uri[sizeof(CERTIFICATE_UID_URI) + CERTIFICATE_UID_MAX];
    gnutls_datum_t pem = to_datum(request);
    int r = certificate_request_read(request, node, e);

    if (r < 0)
        return r;
    (void)snprintf(uri, sizeof(uri), CERTIFICATE_UID_URI "%s", uid);
    /* Of the request only the key and the checked name are taken: none of its extensions. */
    if ((r = gnutls_x509_crq_init(&crq)) < 0 ||
        (r = gnutls_x509_crq_import(crq, &pem, GNUTLS_X509_FMT_PEM)) < 0 ||
        (r = gnutls_x509_crt_init(&crt)) < 0 || (r = copy_key(crt, crq)) < 0 ||
        (r = begin(crt, node, now_ms, AUTHORITY_AGENT_MS)) < 0 ||
        (r = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_URI, uri, (unsigned)strlen(uri),
                                                  GNUTLS_FSAN_SET)) < 0 ||
        (r = finish(crt, a, GNUTLS_KP_TLS_WWW_CLIENT)) < 0)
        return failed(e, "the node's certificate", r);
    return to_text(crt, ret_certificate, e);
}
