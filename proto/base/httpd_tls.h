/* What the HTTP server shows to clients over TLS: a certificate with its key, which may be replaced
 * while connections go on. A connection keeps the one that it began with. */
#ifndef HUDDLE_BASE_HTTPD_TLS_H
#define HUDDLE_BASE_HTTPD_TLS_H

#include <gnutls/gnutls.h>

#include "proto/base/err.h"
#include "proto/base/httpd.h"

struct identity; /* counts who uses it; any thread */

/* PEM texts; the names are for messages. `trust`: the authorities of clients, which must show a
 * certificate then; NULL: they show none. -EINVAL with what GnuTLS says of them, for one that they
 * do not belong together. */
int identity_new(const char *cert_file, const char *cert, const char *key_file, const char *key,
                 const char *trust, struct identity **ret_identity, struct err *e);
struct identity *identity_ref(struct identity *i); /* accepts NULL */
void identity_free(struct identity *i);            /* of one user. Accepts NULL */

/* Before the handshake, which is where a client's certificate is verified. */
void identity_show(struct identity *i, gnutls_session_t session);

/* Of the client behind a session: see httpd.h. */
bool identity_client(gnutls_session_t session, struct httpd_client *ret_client);

#endif
