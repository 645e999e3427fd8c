/* Who we are, kept fresh: see kube_credentials.h. */
#include "controller/kube_client/kube_credentials.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/kube_client/kube_exec.h"
#include "proto/base/array.h"
#include "proto/base/file.h"

#define TOKEN_MS 60000 /* client-go reads it as often */
#define LOOK_MS 1000   /* between looks at the certificate files */
#define TOKEN_MAX (64u << 10)

struct print { /* of a file: another one means other contents */
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec modified, changed;
};

struct kube_credentials {
    const struct kube_config *config;
    char *token;
    int64_t read_at_ms, looked_ms;
    bool stale; /* the token in hand was refused */
    struct print prints[3];
    struct kube_plugin *plugin; /* or NULL */
    unsigned shown;             /* its run whose certificate was shown last */
};

struct kube_credentials *kube_credentials_new(struct loop *l, const struct kube_config *config,
                                              void (*ready)(void *data), void *data)
{
    struct kube_credentials *k = xcalloc(1, sizeof(*k));

    k->config = config;
    if (config->exec)
        k->plugin = kube_plugin_new(l, config, ready, data);
    return k;
}

static void forget(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void kube_credentials_free(struct kube_credentials *k)
{
    if (!k)
        return;
    forget(k->token);
    kube_plugin_free(k->plugin);
    free(k);
}

/* --- token ---------------------------------------------------------------------------------- */

/* A line break in a token would begin a header of its own. */
static int check_token(const char *file, const char *token, struct err *e)
{
    if (!token[0])
        return err_set(e, -EINVAL, "%s: holds no token", file);
    for (const char *c = token; *c; c++)
        if (*c <= ' ' || *c == 0x7f)
            return err_set(e, -EINVAL, "%s: is no token: it has blanks or control characters",
                           file);
    return 0;
}

static int read_token(struct kube_credentials *k, struct err *e)
{
    const char *file = k->config->token_file;
    char *text = NULL, *token;
    size_t n;
    int r = file_read(file, TOKEN_MAX, &text, &n, e);

    if (r < 0)
        return r;
    text[strcspn(text, "\r\n")] = '\0';
    token = text + strspn(text, " \t");
    for (n = strlen(token); n && (token[n - 1] == ' ' || token[n - 1] == '\t'); n--)
        token[n - 1] = '\0';
    r = check_token(file, token, e);
    if (r == 0) {
        forget(k->token);
        k->token = xstrdup(token);
    }
    forget(text);
    return r;
}

/* A file that cannot be read at present leaves the token in hand: it may be good for long. */
static int renew_token(struct kube_credentials *k, int64_t now_ms, struct err *e)
{
    int r;

    if (k->token && !k->stale && now_ms - k->read_at_ms < TOKEN_MS)
        return 0;
    r = read_token(k, e);
    if (r < 0 && !k->token)
        return r;
    k->read_at_ms = now_ms;
    k->stale = false;
    return 0;
}

/* --- certificates --------------------------------------------------------------------------- */

static bool print_changed(struct print *p, const char *file)
{
    struct stat s;
    struct print now;
    bool known = p->ino != 0, same;

    if (!file[0] || stat(file, &s) < 0)
        return false; /* in the middle of a replacement: the next look tells */
    now = (struct print){ s.st_dev, s.st_ino, s.st_size, s.st_mtim, s.st_ctim };
    same = now.dev == p->dev && now.ino == p->ino && now.size == p->size &&
           now.modified.tv_sec == p->modified.tv_sec &&
           now.modified.tv_nsec == p->modified.tv_nsec && now.changed.tv_sec == p->changed.tv_sec &&
           now.changed.tv_nsec == p->changed.tv_nsec;
    *p = now;
    return known && !same;
}

static bool files_changed(struct kube_credentials *k, int64_t now_ms)
{
    const char *files[] = { k->config->ca_file, k->config->cert_file, k->config->key_file };
    bool changed = false;

    if (k->looked_ms && now_ms - k->looked_ms < LOOK_MS)
        return false;
    k->looked_ms = now_ms;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        changed |= print_changed(&k->prints[i], files[i]);
    return changed;
}

/* --- plugins -------------------------------------------------------------------------------- */

static int ask_plugin(struct kube_credentials *k, int64_t now_ms, struct kube_proof *proof,
                      struct err *e)
{
    struct kube_plugin_said said;
    int r = kube_plugin_get(k->plugin, now_ms, &said, e);

    if (r)
        return r;
    proof->bearer = said.token;
    proof->generation = said.generation;
    if (said.cert_file) {
        proof->cert_file = said.cert_file;
        proof->key_file = said.key_file;
        proof->changed |= said.generation != k->shown;
        k->shown = said.generation;
    }
    return 0;
}

/* --- all of it ---------------------------------------------------------------------------------
 */

int kube_credentials_get(struct kube_credentials *k, int64_t now_ms, struct kube_proof *ret_proof,
                         struct err *e)
{
    const struct kube_config *c = k->config;
    struct kube_proof proof = { 0 };
    int r;

    proof.changed = files_changed(k, now_ms);
    proof.cert_file = c->cert_file[0] ? c->cert_file : NULL;
    proof.key_file = c->key_file[0] ? c->key_file : NULL;
    if (c->token_file[0]) {
        r = renew_token(k, now_ms, e);
        if (r < 0)
            return r;
        proof.bearer = k->token;
    } else if (c->token[0]) {
        proof.bearer = c->token;
    } else if (k->plugin && (r = ask_plugin(k, now_ms, &proof, e)) != 0) {
        return r;
    }
    *ret_proof = proof;
    return 0;
}

bool kube_credentials_refused(struct kube_credentials *k, unsigned generation, int64_t now_ms)
{
    if (k->plugin)
        return kube_plugin_refused(k->plugin, generation, now_ms);
    k->stale = k->config->token_file[0] != '\0';
    return k->stale;
}
