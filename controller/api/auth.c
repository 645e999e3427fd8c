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
#include "proto/base/clock.h"
#include "proto/base/utf8.h"
#include "proto/base/yaml.h"

#define HASH_BYTES AUTH_HASH_BYTES
#define HEX_LENGTH 64u
#define WORDS_MAX 8 /* of a line; more than it can have */
#define BEARER "Bearer "
#define OWN "hud_" /* as `huddlectl token create` begins them */
#define LINE "expected: NAME ROLE sha256:HEX [node:NODE] [expires:TIME]"
#define NODE_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-."
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-"

struct token {
    struct bearer bearer;
    enum role role;
    bool bound; /* says node: */
    unsigned char hash[HASH_BYTES];
};

struct tokens {
    struct token *tokens;
    size_t n_tokens, cap_tokens;
};

struct auth {
    pthread_mutex_t lock; /* guards what `known` points to; whether it does never changes */
    struct tokens *known; /* NULL: everybody is admin */
};

static const char *const ROLES[] = { "none",   "metrics", "viewer", "operator",
                                     "editor", "admin",   "agent" };

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

/* As Kubernetes names objects, which is how agents name themselves. */
static bool is_node_name(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n < AUTH_NODE_MAX && !name[strspn(name, NODE_CHARS)] &&
           !strchr("-.", name[0]) && !strchr("-.", name[n - 1]);
}

/* `node:NAME` or `node:*`. */
static int parse_node(const char *name, struct token *t, struct err *e)
{
    if (t->role != ROLE_AGENT)
        return err_set(e, -EINVAL, "node: only a token of role agent belongs to a node");
    if (t->bound)
        return err_set(e, -EINVAL, "node: stands there twice");
    t->bound = true;
    if (strcmp(name, "*") == 0)
        return 0;
    if (!is_node_name(name))
        return err_set(e, -EINVAL,
                       "node: expected the name of a node (lower-case letters, digits, \"-\" and "
                       "\".\"), or * for any, not \"%.100s\"",
                       name);
    (void)snprintf(t->bearer.node, sizeof(t->bearer.node), "%s", name);
    return 0;
}

static int parse_expires(const char *time, struct token *t, struct err *e)
{
    if (t->bearer.expires_wall_ms != AUTH_NEVER)
        return err_set(e, -EINVAL, "expires: stands there twice");
    if (clock_parse(time, &t->bearer.expires_wall_ms) < 0)
        return err_set(e, -EINVAL,
                       "expires: expected a time like 2027-03-01T00:00:00Z, not \"%.100s\"", time);
    return 0;
}

static int parse_option(const char *word, struct token *t, struct err *e)
{
    if (strncmp(word, "expires:", 8) == 0)
        return parse_expires(word + 8, t, e);
    if (strncmp(word, "node:", 5) == 0)
        return parse_node(word + 5, t, e);
    return err_set(e, -EINVAL, LINE ", not \"%.100s\"", word);
}

/* The first three words of a line. */
static int parse_head(char *const *words, struct token *t, struct err *e)
{
    int r;

    if (!words[2] || strncmp(words[2], "sha256:", 7) != 0)
        return err_set(e, -EINVAL, LINE);
    if (words[0][strspn(words[0], NAME_CHARS)] || strlen(words[0]) >= AUTH_NAME_MAX)
        return err_set(e, -EINVAL,
                       "a token's name may have letters, digits and . _ @ -, 63 at most");
    (void)snprintf(t->bearer.who, sizeof(t->bearer.who), "%s", words[0]);
    if ((r = parse_role(words[1], &t->role, e)) < 0)
        return r;
    if (parse_hash(words[2] + 7, t->hash) < 0)
        return err_set(e, -EINVAL, "the SHA-256 must be 64 lower-case hex digits");
    return 0;
}

static int parse_line(char *line, struct token *t, struct err *e)
{
    char *words[WORDS_MAX + 1] = { NULL }, *word;
    size_t n = 0;
    int r;

    line[strcspn(line, "#")] = '\0';
    while ((word = strsep(&line, " \t\r"))) {
        if (*word && n == WORDS_MAX)
            return err_set(e, -EINVAL, LINE ", not \"%.100s\"", word);
        if (*word)
            words[n++] = word;
    }
    r = parse_head(words, t, e);
    for (size_t i = 3; r == 0 && i < n; i++)
        r = parse_option(words[i], t, e);
    if (r == 0 && t->role == ROLE_AGENT && !t->bound)
        r = err_set(e, -EINVAL,
                    "a token of role agent says which node reports with it: add node:NAME, or "
                    "node:* if any may");
    return r;
}

static int parse_file(const char *file, char *text, struct tokens *out, struct err *e)
{
    char *rest = text, *line;
    int number = 0;

    while ((line = strsep(&rest, "\n"))) {
        struct token t = { .role = ROLE_NONE, .bearer.expires_wall_ms = AUTH_NEVER };
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

int tokens_read(const char *file, struct tokens **ret_tokens, struct err *e)
{
    AUTO(tokens) struct tokens *t = xcalloc(1, sizeof(*t));
    AUTO(mem) char *text = NULL;
    size_t n;
    int r;

    if ((r = yaml_read_file(file, &text, &n, e)) < 0 || (r = parse_file(file, text, t, e)) < 0)
        return r;
    *ret_tokens = TAKE(t);
    return 0;
}

void tokens_free(struct tokens *t)
{
    if (!t)
        return;
    free(t->tokens);
    free(t);
}

void auth_set(struct auth *a, struct tokens *fresh)
{
    struct tokens *old;

    (void)pthread_mutex_lock(&a->lock);
    old = a->known;
    a->known = fresh;
    (void)pthread_mutex_unlock(&a->lock);
    tokens_free(old);
}

int auth_new(const char *file, struct auth **ret_auth, struct err *e)
{
    AUTO(auth) struct auth *a = xcalloc(1, sizeof(*a));
    int r = file ? tokens_read(file, &a->known, e) : 0;

    (void)pthread_mutex_init(&a->lock, NULL);
    if (r < 0)
        return r;
    *ret_auth = TAKE(a);
    return 0;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    tokens_free(a->known);
    (void)pthread_mutex_destroy(&a->lock);
    free(a);
}

/* All tokens are compared, all bytes of each: the time tells nothing. */
static enum role find_token(struct auth *a, const unsigned char *hash, struct bearer *ret_bearer)
{
    enum role role = ROLE_NONE;

    (void)pthread_mutex_lock(&a->lock);
    ARRAY_FOREACH(t, a->known, tokens) {
        if (gnutls_memcmp(t->hash, hash, HASH_BYTES) == 0) {
            role = t->role;
            *ret_bearer = t->bearer;
        }
    }
    (void)pthread_mutex_unlock(&a->lock);
    return role;
}

static bool hash_token(const char *authorization, unsigned char hash[HASH_BYTES])
{
    const char *token = authorization ? authorization + strlen(BEARER) : NULL;

    return authorization && strncmp(authorization, BEARER, strlen(BEARER)) == 0 &&
           gnutls_hash_fast(GNUTLS_DIG_SHA256, token, strlen(token), hash) >= 0;
}

static bool is_text(const char *s)
{
    const unsigned char *at = (const unsigned char *)s;
    size_t n;

    while (*at && (n = utf8_length(at)) > 0)
        at += n;
    return !*at;
}

bool auth_is_of_others(const char *authorization, unsigned char ret_hash[AUTH_HASH_BYTES])
{
    const char own[] = BEARER OWN;

    return authorization && strlen(authorization) > strlen(BEARER) &&
           strncmp(authorization, own, strlen(own)) != 0 && is_text(authorization) &&
           hash_token(authorization, ret_hash);
}

int auth_check(struct auth *a, const char *authorization, enum right right, int64_t wall_ms,
               struct bearer *ret_bearer)
{
    unsigned char hash[HASH_BYTES];
    enum role role;

    *ret_bearer = (struct bearer){ .expires_wall_ms = AUTH_NEVER };
    if (!a->known) {
        (void)snprintf(ret_bearer->who, sizeof(ret_bearer->who), "local");
        return 0;
    }
    if (!hash_token(authorization, hash))
        return 401;
    role = find_token(a, hash, ret_bearer);
    if (role == ROLE_NONE || wall_ms >= ret_bearer->expires_wall_ms)
        return 401;
    return allowed(role, right) ? 0 : 403;
}

size_t auth_expiring(struct auth *a, int64_t before_wall_ms, struct bearer **ret_bearers)
{
    struct {
        struct bearer *bearers;
        size_t n_bearers, cap_bearers;
    } list = { 0 };

    *ret_bearers = NULL;
    if (!a->known)
        return 0;
    (void)pthread_mutex_lock(&a->lock);
    ARRAY_FOREACH(t, a->known, tokens) {
        if (t->bearer.expires_wall_ms < before_wall_ms)
            *ARRAY_ADD(&list, bearers) = t->bearer;
    }
    (void)pthread_mutex_unlock(&a->lock);
    *ret_bearers = list.bearers;
    return list.n_bearers;
}
