/* Certificates of the HTTP server: see httpd_tls.h. libmicrohttpd has no way to change its own, so
 * each session is given its credentials before its handshake.
 *
 * libmicrohttpd's own way to ask for certificates (MHD_OPTION_HTTPS_MEM_TRUST) only asks: it takes
 * clients without one, and verifies none. So they are required and verified here, by GnuTLS. */
#include "proto/base/httpd_tls.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

struct identity {
    atomic_uint users;
    gnutls_certificate_credentials_t credentials;
    bool asks; /* clients for certificates */
};

static int set_trust(struct identity *i, const char *trust)
{
    const gnutls_datum_t pem = { (unsigned char *)(uintptr_t)trust, (unsigned)strlen(trust) };
    int n = gnutls_certificate_set_x509_trust_mem(i->credentials, &pem, GNUTLS_X509_FMT_PEM);

    i->asks = true;
    return n == 0 ? GNUTLS_E_NO_CERTIFICATE_FOUND : n < 0 ? n : 0;
}

int identity_new(const char *cert_file, const char *cert, const char *key_file, const char *key,
                 const char *trust, struct identity **ret_identity, struct err *e)
{
    const gnutls_datum_t cert_pem = { (unsigned char *)(uintptr_t)cert, (unsigned)strlen(cert) };
    const gnutls_datum_t key_pem = { (unsigned char *)(uintptr_t)key, (unsigned)strlen(key) };
    struct identity *i = xcalloc(1, sizeof(*i));
    int r = gnutls_certificate_allocate_credentials(&i->credentials);

    atomic_init(&i->users, 1);
    if (r == 0)
        r = gnutls_certificate_set_x509_key_mem2(i->credentials, &cert_pem, &key_pem,
                                                 GNUTLS_X509_FMT_PEM, NULL, 0);
    if (r == 0 && trust)
        r = set_trust(i, trust);
    if (r < 0) {
        identity_free(i);
        return err_set(e, -EINVAL, "certificate %s with key %s: %s", cert_file, key_file,
                       gnutls_strerror(r));
    }
    *ret_identity = i;
    return 0;
}

struct identity *identity_ref(struct identity *i)
{
    if (i)
        atomic_fetch_add(&i->users, 1);
    return i;
}

void identity_free(struct identity *i)
{
    if (!i || atomic_fetch_sub(&i->users, 1) > 1)
        return;
    if (i->credentials)
        gnutls_certificate_free_credentials(i->credentials);
    free(i);
}

/* In the handshake; not 0 ends it. A certificate that has only expired passes: its owner may have
 * slept too long, and is told so in words (httpd_client()). */
static int verify(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID,
                                      (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT, 0 };
    unsigned status = 0;

    if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0)
        return GNUTLS_E_CERTIFICATE_ERROR;
    if (status & GNUTLS_CERT_EXPIRED)
        status &= ~(unsigned)(GNUTLS_CERT_EXPIRED | GNUTLS_CERT_INVALID);
    return status ? GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR : 0;
}

void identity_show(struct identity *i, gnutls_session_t session)
{
    if (i->asks) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_function(session, verify);
    }
    (void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, i->credentials);
}

static bool read_client(gnutls_x509_crt_t crt, struct httpd_client *ret)
{
    struct httpd_client c = { .until_ms = 0 };
    size_t n = sizeof(c.common_name);
    int type = 0;

    if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, c.common_name, &n) <
            0 ||
        strlen(c.common_name) != n)
        return false;
    for (unsigned i = 0; type != GNUTLS_SAN_URI; i++) {
        n = sizeof(c.uri) - 1;
        type = gnutls_x509_crt_get_subject_alt_name(crt, i, c.uri, &n, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return false;
    }
    c.uri[n] = '\0';
    c.until_ms = (int64_t)gnutls_x509_crt_get_expiration_time(crt) * 1000;
    *ret = c;
    return strlen(c.uri) == n;
}

bool identity_client(gnutls_session_t session, struct httpd_client *ret_client)
{
    unsigned n = 0;
    const gnutls_datum_t *list = gnutls_certificate_get_peers(session, &n);
    gnutls_x509_crt_t crt;
    bool is;

    if (!list || n == 0 || gnutls_x509_crt_init(&crt) < 0)
        return false;
    is = gnutls_x509_crt_import(crt, &list[0], GNUTLS_X509_FMT_DER) >= 0 &&
         read_client(crt, ret_client);
    gnutls_x509_crt_deinit(crt);
    return is;
}
