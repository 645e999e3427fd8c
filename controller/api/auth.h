/* Who may do what: bearer tokens and their roles. A token file has one line a token,
 *
 *     NAME ROLE sha256:HEX [node:NODE] [expires:TIME]    # SHA-256 of the whole token text
 *
 * An agent's token names the one node that it reports for; `node:*` says that any will do, and only
 * that: an agent's token without either is refused, so that nobody is unbound by omission. From the
 * TIME on (RFC 3339) a token is as good as none. Lines are made by `huddlectl token create`
 * (one by hand: `T=hud_$(openssl rand -hex 32); printf %s $T | sha256sum`) and is read again by
 * a reload (SIGHUP). Only hashes are kept; they are compared in constant
 * time. */
#ifndef HUDDLE_API_AUTH_H
#define HUDDLE_API_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"

enum role { /* of SAFETY 4; each may do what stands at it */
            ROLE_NONE,
            ROLE_METRICS,  /* /metrics */
            ROLE_VIEWER,   /* and read everything */
            ROLE_OPERATOR, /* and the safe direction: pause, wake, hold, drain, cordon */
            ROLE_EDITOR,   /* and objects */
            ROLE_ADMIN,    /* and sleep, resume */
            ROLE_AGENT,    /* reports of its node, nothing else */
};

enum right {
    RIGHT_METRICS,
    RIGHT_READ,
    RIGHT_OPERATE,
    RIGHT_EDIT,
    RIGHT_ADMIN,
    RIGHT_REPORT,
};

struct auth;

/* Reads the file whole, or changes nothing. file NULL: no tokens, everybody is admin (the server
 * then listens on loopback only; its caller sees to that). */
int auth_new(const char *file, struct auth **ret_auth, struct err *e);

/* The two halves of a reload: reading, which may fail, and putting it in force, which does not.
 * auth_set() takes the tokens. */
struct tokens;
int tokens_read(const char *file, struct tokens **ret_tokens, struct err *e);
void tokens_free(struct tokens *t); /* accepts NULL */
DEFINE_AUTO(tokens, struct tokens *, tokens_free);
void auth_set(struct auth *a, struct tokens *fresh);

void auth_free(struct auth *a);
DEFINE_AUTO(auth, struct auth *, auth_free);

#define AUTH_NAME_MAX 64 /* of a token of ours */
#define AUTH_WHO_MAX 256
#define AUTH_NODE_MAX 254
#define AUTH_HASH_BYTES 32
struct bearer {
    char who[AUTH_WHO_MAX];   /* the token's name (without a colon); of others', kubernetes:USER */
    char node[AUTH_NODE_MAX]; /* of an agent's token: who it may report for; "": any node */
    int64_t expires_wall_ms;  /* AUTH_NEVER: it does not */
};
#define AUTH_NEVER INT64_MAX

/* May the bearer of this Authorization header (or NULL) do it? 0 and *ret_bearer, or the HTTP
 * status: 401 for no or an unknown token (its `who` is "") and for one that expired (its `who` is
 * known), 403 for a role that may not. */
int auth_check(struct auth *a, const char *authorization, enum right right, int64_t wall_ms,
               struct bearer *ret_bearer);

/* SHA-256 of the token in the header: by it a token is known without being kept. False: there is
 * none, it has the form of ours, or it is no text (UTF-8). */
bool auth_is_of_others(const char *authorization, unsigned char ret_hash[AUTH_HASH_BYTES]);

/* Tokens that expire before that time, or have: a list for the caller to free; returns their
 * number. */
size_t auth_expiring(struct auth *a, int64_t before_wall_ms, struct bearer **ret_bearers);

#endif
