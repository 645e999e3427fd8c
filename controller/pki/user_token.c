/* Tokens of people and programs: see user_token.h. */
#include "controller/pki/user_token.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/random.h>

#define SECRET_BYTES 32
#define HASH_BYTES 32

static void add_hex(struct strbuf *out, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        strbuf_printf(out, "%02x", bytes[i]);
}

static int make_secret(const char *name, struct strbuf *token, struct err *e)
{
    unsigned char secret[SECRET_BYTES];

    if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
        return err_errno(e, -errno, "no random numbers");
    strbuf_printf(token, "hud_%s_", name);
    add_hex(token, secret, sizeof(secret));
    explicit_bzero(secret, sizeof(secret));
    return 0;
}

int user_token_make(const struct user_token *t, struct strbuf *ret_token, struct strbuf *ret_line,
                    struct err *e)
{
    unsigned char hash[HASH_BYTES];
    int r = make_secret(t->name, ret_token, e);

    if (r < 0)
        return r;
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, strbuf_text(ret_token), ret_token->length, hash) < 0)
        return err_set(e, -EIO, "SHA-256 is not available");
    strbuf_printf(ret_line, "%s %s sha256:", t->name, t->role);
    add_hex(ret_line, hash, sizeof(hash));
    if (t->node)
        strbuf_printf(ret_line, " node:%s", t->node);
    if (t->expires && t->expires[0])
        strbuf_printf(ret_line, " expires:%s", t->expires);
    return 0;
}

const char *user_token_find(const char *text, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = text; *line; line += *line == '\n') {
        const char *word = line + strspn(line, " \t");

        if (strncmp(word, name, n) == 0 && strchr(" \t", word[n]) && word[n])
            return line;
        line += strcspn(line, "\n");
    }
    return NULL;
}
