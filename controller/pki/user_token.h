/* Tokens of people and programs as they are made and kept: hud_NAME_ and 256 random bits, of which
 * the token file has the SHA-256 (a secret of full entropy needs no slow hash). What a line means
 * is controller/api/auth.h's. */
#ifndef HUDDLE_PKI_USER_TOKEN_H
#define HUDDLE_PKI_USER_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"
#include "proto/base/strbuf.h"

#define USER_TOKEN_LIFE_MS (INT64_C(90) * 86400000) /* of those of init */

struct user_token { /* borrowed */
    const char *name, *role;
    const char *node;    /* NULL: no agent's */
    const char *expires; /* RFC 3339; "" or NULL: never */
};

/* The token, and the line for the file, without its end. */
int user_token_make(const struct user_token *t, struct strbuf *ret_token, struct strbuf *ret_line,
                    struct err *e);

/* Does a line of the text begin with that name? The line, up to its end, or NULL. */
const char *user_token_find(const char *text, const char *name);

#endif
