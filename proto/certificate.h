/* Keys, requests and certificates as huddle uses them: what the agent asks for, what the controller
 * signs, and what either reads of the other. All texts are PEM; all keys are ECDSA on P-256 (a
 * handshake costs a tenth of RSA's). RFC 5280, RFC 2986.
 *
 * A node's certificate names the node (common name) and carries its uid as the URI
 * huddle:node:UID: the uid is given at enrolment and never used again, the name may be. */
#ifndef HUDDLE_CERTIFICATE_H
#define HUDDLE_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"

#define CERTIFICATE_TEXT_MAX 65536u /* of any PEM file that is read here */
#define CERTIFICATE_UID_URI "huddle:node:"

enum {
    CERTIFICATE_NODE_MAX = 64,   /* X.520's bound of a common name, with the NUL one less */
    CERTIFICATE_UID_MAX = 33,    /* 32 hexadecimal digits */
    CERTIFICATE_DIGEST_MAX = 72, /* "sha256:" and 64 hexadecimal digits */
};

struct certificate {
    char node[CERTIFICATE_NODE_MAX]; /* common name; "": none that fits */
    char uid[CERTIFICATE_UID_MAX];   /* "": it is no node's */
    int64_t from_ms, until_ms;       /* wall clock */
    bool authority;
};

/* A new key. The caller's to free, after wiping it. */
int certificate_key(char **ret_key, struct err *e);

/* A request for a certificate of that node, signed by the key. The caller's to free. */
int certificate_request(const char *key, const char *node, char **ret_request, struct err *e);

/* Is it a request that its own key has signed, of P-256, for a node with a valid name? The name. */
int certificate_request_read(const char *request, char ret_node[CERTIFICATE_NODE_MAX],
                             struct err *e);

/* What the first certificate of the text says. Nothing is verified. */
int certificate_read(const char *text, struct certificate *ret, struct err *e);

/* Does the certificate belong to the key? -EINVAL when it does not. */
int certificate_match(const char *text, const char *key, struct err *e);

/* SHA-256 of the public key (SubjectPublicKeyInfo) of the first certificate, as "sha256:HEX":
 * openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | sha256sum */
int certificate_digest(const char *text, char ret_digest[CERTIFICATE_DIGEST_MAX], struct err *e);

/* Keeps of a bundle only the authority whose public key has that digest: the one that a person
 * vouched for. -ENOENT when there is none. The caller's to free. */
int certificate_pick(const char *bundle, const char *digest, char **ret_text, struct err *e);

/* Is it "sha256:" and 64 lower-case hexadecimal digits? */
bool certificate_is_digest(const char *text);

/* As agents name themselves: lower-case letters, digits, "-" and ".", 63 at most. */
bool certificate_is_node(const char *name);

#endif
