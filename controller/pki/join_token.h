/* Join tokens: with one a node that nobody knows yet asks for its certificate. ID.SECRET, six and
 * 26 characters of a-z2-7; of the secret (130 bits) only the SHA-256 is kept, as a file join/ID of
 * one line in the folder of the doors:
 *
 *     sha256:HEX uses:N expires:TIME [from:ADDRESS/BITS] [replace]
 *
 * It is good until the time, so many times, from that network alone, and with `replace` also for
 * the name of a node that joined before. Every call reads the folder anew, and who spends or
 * deletes holds its lock: what `huddlectl` makes or takes away counts at once. */
#ifndef HUDDLE_PKI_JOIN_TOKEN_H
#define HUDDLE_PKI_JOIN_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/base/strbuf.h"

#define JOIN_TOKEN_LIFE_MS INT64_C(3600000)
#define JOIN_TOKEN_FROM_MAX 64 /* text of a network */

enum {
    JOIN_TOKEN_ID_MAX = 7,
    JOIN_TOKEN_MAX = 34, /* of the whole text */
    JOIN_TOKEN_USES_MOST = 10000,
    JOIN_TOKEN_HASH = 32,
};

struct join_token {
    unsigned char hash[JOIN_TOKEN_HASH];
    int64_t uses, expires_ms;       /* wall clock */
    char from[JOIN_TOKEN_FROM_MAX]; /* "": anywhere */
    bool replace;
};

/* One line, without its end. Pure. -EINVAL with what is wrong. */
int join_token_parse(const char *line, struct join_token *ret, struct err *e);

/* Does the address (of IPv4, IPv6, or ::ffff:IPv4) lie in the network ADDRESS/BITS? Pure. */
bool join_token_from(const char *network, const char *address);
bool join_token_is_network(const char *text);

/* Is it an id? Then it is safe as the name of a file. */
bool join_token_is_id(const char *text);

/* Makes one in the folder of the doors; hash is ignored. */
int join_token_make(const char *dir, const struct join_token *t, char ret_text[JOIN_TOKEN_MAX],
                    struct err *e);

/* May whoever has this text join from there, now? 0, 401, 403, or 500 with the reason. Nothing is
 * spent. All 401 say the same: who guesses learns nothing. */
int join_token_check(const char *dir, const char *text, const char *address, int64_t now_ms,
                     struct join_token *ret, struct err *e);

/* The same, and one use is spent, synced: it is spent even if the answer is lost. */
int join_token_spend(const char *dir, const char *text, const char *address, int64_t now_ms,
                     struct err *e);

/* Calls fn for each; what cannot be read is left out. */
void join_token_each(const char *dir,
                     void (*fn)(void *data, const char *id, const struct join_token *t),
                     void *data);

/* -ENOENT when there is none. */
int join_token_delete(const char *dir, const char *id, struct err *e);

#endif
