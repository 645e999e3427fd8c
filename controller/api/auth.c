/* Bearer tokens and their roles: see auth.h. */
#include "controller/api/auth.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/yaml.h"

#define HASH_BYTES 32u
#define HEX_LENGTH 64u
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-"

struct token {
    char who[AUTH_WHO_MAX];
    enum role role;
    unsigned char hash[HASH_BYTES];
};

struct tokens {
    struct token *tokens;
    size_t n_tokens, cap_tokens;
};

struct auth {
    char *file;
    pthread_mutex_t lock; /* guards `known` */
    struct tokens known;
};

static const char *const ROLES[] = { "none",   "metrics", "viewer", "operator",
                                     "editor", "admin",   "agent" };

const char *role_name(enum role role)
{
    return ROLES[role];
}

static bool allowed(enum role role, enum right right)
{
    if (role == ROLE_AGENT || right == RIGHT_REPORT)
        return role == ROLE_AGENT && right == RIGHT_REPORT;
    return (int)role >= (int)right + 1; /* both ascend: metrics, read, operate, edit, admin */
}

static int parse_hash(const char *hex, unsigned char *hash)
{
    if (strlen(hex) != HEX_LENGTH || hex[strspn(hex, "0123456789abcdef")])
        return -EINVAL;
    for (size_t i = 0; i < HASH_BYTES; i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };

        hash[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return 0;
}

static int parse_role(const char *name, enum role *ret_role, struct err *e)
{
    for (int r = ROLE_METRICS; r <= ROLE_AGENT; r++) {
        if (strcmp(ROLES[r], name) == 0) {
            *ret_role = (enum role)r;
            return 0;
        }
    }
    return err_set(e, -EINVAL,
                   "\"%s\" is no role; there are metrics, viewer, operator, editor, admin, agent",
                   name);
}

static int parse_line(const char *line, struct token *t, struct err *e)
{
    char role[16] = "", hex[HEX_LENGTH + 2] = ""; /* one more than fits: it is noticed */
    int n = 0, r;

    if (sscanf(line, "%63s %15s sha256:%65s %n", t->who, role, hex, &n) != 3 ||
        (line[n] && line[n] != '#'))
        return err_set(e, -EINVAL, "expected: NAME ROLE sha256:HEX");
    if (t->who[strspn(t->who, NAME_CHARS)])
        return err_set(e, -EINVAL, "a token's name may have letters, digits and . _ @ -");
    if ((r = parse_role(role, &t->role, e)) < 0)
        return r;
    if (parse_hash(hex, t->hash) < 0)
        return err_set(e, -EINVAL, "the SHA-256 must be 64 lower-case hex digits");
    return 0;
}

static int parse_file(const char *file, char *text, struct tokens *out, struct err *e)
{
    char *rest = text, *line;
    int number = 0;

    while ((line = strsep(&rest, "\n"))) {
        struct token t = { .role = ROLE_NONE };
        int r;

        number++;
        line += strspn(line, " \t\r");
        if (!*line || *line == '#')
            continue;
        if ((r = parse_line(line, &t, e)) < 0)
            return err_prefix(e, r, "%s:%d", file, number);
        *ARRAY_ADD(out, tokens) = t;
    }
    return out->n_tokens ? 0 : err_set(e, -EINVAL, "%s: no token in it", file);
}

int auth_load(struct auth *a, struct err *e)
{
    AUTO(mem) char *text = NULL;
    struct tokens fresh = { 0 };
    size_t n;
    int r;

    if (!a->file)
        return 0;
    if ((r = yaml_read_file(a->file, &text, &n, e)) < 0)
        return r;
    if ((r = parse_file(a->file, text, &fresh, e)) < 0) {
        free(fresh.tokens);
        return r;
    }
    (void)pthread_mutex_lock(&a->lock);
    free(a->known.tokens);
    a->known = fresh;
    (void)pthread_mutex_unlock(&a->lock);
    return 0;
}

int auth_new(const char *file, struct auth **ret_auth, struct err *e)
{
    AUTO(auth) struct auth *a = xcalloc(1, sizeof(*a));
    int r;

    a->file = xstrdup(file);
    (void)pthread_mutex_init(&a->lock, NULL);
    r = auth_load(a, e);
    if (r < 0)
        return r;
    *ret_auth = TAKE(a);
    return 0;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    free(a->known.tokens);
    free(a->file);
    (void)pthread_mutex_destroy(&a->lock);
    free(a);
}

/* All tokens are compared, all bytes of each: the time tells nothing. */
static enum role find_token(struct auth *a, const unsigned char *hash, char who[AUTH_WHO_MAX])
{
    enum role role = ROLE_NONE;

    (void)pthread_mutex_lock(&a->lock);
    ARRAY_FOREACH(t, &a->known, tokens) {
        if (gnutls_memcmp(t->hash, hash, HASH_BYTES) == 0) {
            role = t->role;
            memcpy(who, t->who, AUTH_WHO_MAX);
        }
    }
    (void)pthread_mutex_unlock(&a->lock);
    return role;
}

int auth_check(struct auth *a, const char *authorization, enum right right, char who[AUTH_WHO_MAX])
{
    unsigned char hash[HASH_BYTES];
    enum role role;

    if (!a->file) {
        (void)snprintf(who, AUTH_WHO_MAX, "local");
        return 0;
    }
    if (!authorization || strncmp(authorization, "Bearer ", 7) != 0)
        return 401;
    authorization += 7;
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, authorization, strlen(authorization), hash) < 0)
        return 401;
    role = find_token(a, hash, who);
    if (role == ROLE_NONE)
        return 401;
    return allowed(role, right) ? 0 : 403;
}
