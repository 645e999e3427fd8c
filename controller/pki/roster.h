/* Who has a certificate, and whose counts no more: in the folder of the doors a file nodes/NAME
 * with the uid that the node of that name has, and a file denied/UID for each that is revoked. Both
 * are read at every call: what `huddlectl node revoke` writes counts for the next request.
 *
 * A name has one certificate's uid at a time. A second enrolment of a name is refused, unless the
 * join token says `replace`: then the first one's uid is denied. */
#ifndef HUDDLE_PKI_ROSTER_H
#define HUDDLE_PKI_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/certificate.h"

struct roster;

/* Reads the authority. */
int roster_new(const char *dir, struct roster **ret_roster, struct err *e);
void roster_free(struct roster *r);
DEFINE_AUTO(roster, struct roster *, roster_free);

const char *roster_dir(const struct roster *r);

struct enrolled { /* texts are the caller's to free */
    char node[CERTIFICATE_NODE_MAX], uid[CERTIFICATE_UID_MAX];
    char *certificate, *authorities; /* PEM: the node's; all that it is to trust */
};
void enrolled_done(struct enrolled *d);

/* Spends the token and signs the request. 0, or the HTTP status with the reason: 400 for a request
 * that is none, 409 for a name that is taken, and those of join_token.h. Any thread. */
int roster_enrol(struct roster *r, const char *token, const char *address, const char *request,
                 int64_t now_ms, struct enrolled *ret, struct err *e);

/* Signs anew for who has a certificate; the request must be for the same node. Any thread. */
int roster_renew(struct roster *r, const char *node, const char *uid, const char *request,
                 int64_t now_ms, struct enrolled *ret, struct err *e);

/* Any thread. What cannot be looked at is denied. */
bool roster_is_denied(const struct roster *r, const char *uid);

/* Denies the certificate of that name and gives the name free. -ENOENT: there is none. */
int roster_revoke(const char *dir, const char *node, char ret_uid[CERTIFICATE_UID_MAX],
                  struct err *e);

#endif
