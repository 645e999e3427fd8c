/* The cluster's own certificate authority: a key on P-256 and a certificate for ten years, which
 * signs the controller's certificate and those of the nodes. Certificates begin a day before they
 * are made: the clock of a machine that was off for weeks may be late. Pure but for the chance in
 * keys, serial numbers and signatures; PEM in and out. */
#ifndef HUDDLE_PKI_AUTHORITY_H
#define HUDDLE_PKI_AUTHORITY_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"

#define AUTHORITY_DAY_MS INT64_C(86400000)
#define AUTHORITY_SERVER_MS (365 * AUTHORITY_DAY_MS)
#define AUTHORITY_AGENT_MS (90 * AUTHORITY_DAY_MS)

struct authority;

/* A new one. Both texts are the caller's to free; the key to be wiped first. */
int authority_make(int64_t now_ms, char **ret_certificate, char **ret_key, struct err *e);

/* Of a bundle the certificate that belongs to the key signs. */
int authority_new(const char *bundle, const char *key, struct authority **ret_authority,
                  struct err *e);
void authority_free(struct authority *a);
DEFINE_AUTO(authority, struct authority *, authority_free);

/* For a server with that key (not its public half), reached by these names: host names and IP
 * addresses, at least one. The caller's to free. */
int authority_sign_server(const struct authority *a, const char *key, const char *const *names,
                          size_t n, int64_t now_ms, char **ret_certificate, struct err *e);

/* What a certificate says that server's names are, for one to follow it. Lists with their texts
 * are the caller's to free: authority_free_names(). */
int authority_server_names(const char *certificate, char ***ret_names, size_t *ret_n,
                           struct err *e);
void authority_free_names(char **names, size_t n);

/* For a node's request (certificate_request_read()), with the uid that the node has: a client's
 * only. The caller's to free. */
int authority_sign_agent(const struct authority *a, const char *request, const char *uid,
                         int64_t now_ms, char **ret_certificate, struct err *e);

#endif
