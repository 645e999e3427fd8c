/* Certificates of the HTTP server: see httpd_tls.h. libmicrohttpd has no way to change its own, so
 * each session is given its credentials before its handshake. */
#include "proto/base/httpd_tls.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

struct identity {
    atomic_uint users;
    gnutls_certificate_credentials_t credentials;
};

int identity_new(const char *cert_file, const char *cert, const char *key_file, const char *key,
                 struct identity **ret_identity, struct err *e)
{
    const gnutls_datum_t cert_pem = { (unsigned char *)(uintptr_t)cert, (unsigned)strlen(cert) };
    const gnutls_datum_t key_pem = { (unsigned char *)(uintptr_t)key, (unsigned)strlen(key) };
    struct identity *i = xcalloc(1, sizeof(*i));
    int r = gnutls_certificate_allocate_credentials(&i->credentials);

    atomic_init(&i->users, 1);
    if (r == 0)
        r = gnutls_certificate_set_x509_key_mem2(i->credentials, &cert_pem, &key_pem,
                                                 GNUTLS_X509_FMT_PEM, NULL, 0);
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

void identity_show(struct identity *i, gnutls_session_t session)
{
    (void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, i->credentials);
}
