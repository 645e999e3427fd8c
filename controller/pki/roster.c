/* Nodes with certificates: see roster.h. */
#include "controller/pki/roster.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "controller/pki/authority.h"
#include "controller/pki/folder.h"
#include "controller/pki/join_token.h"
#include "proto/base/array.h"

struct roster {
    char *dir, *nodes, *denied;
    struct authority *authority;
    pthread_mutex_t lock; /* one enrolment at a time: a name is looked up and then taken */
};

int roster_new(const char *dir, struct roster **ret_roster, struct err *e)
{
    AUTO(roster) struct roster *r = xcalloc(1, sizeof(*r));
    AUTO(mem) char *ca = NULL, *key = NULL;
    int code;

    (void)pthread_mutex_init(&r->lock, NULL);
    r->dir = xstrdup(dir);
    r->nodes = pki_path(dir, PKI_NODES);
    r->denied = pki_path(dir, PKI_DENIED);
    if ((code = pki_read(dir, PKI_CA, &ca, e)) < 0 ||
        (code = pki_read(dir, PKI_CA_KEY, &key, e)) < 0)
        return code;
    code = authority_new(ca, key, &r->authority, e);
    explicit_bzero(key, strlen(key));
    if (code < 0 || (code = pki_make_folder(r->nodes, e)) < 0 ||
        (code = pki_make_folder(r->denied, e)) < 0)
        return code;
    *ret_roster = TAKE(r);
    return 0;
}

void roster_free(struct roster *r)
{
    if (!r)
        return;
    authority_free(r->authority);
    (void)pthread_mutex_destroy(&r->lock);
    free(r->dir);
    free(r->nodes);
    free(r->denied);
    free(r);
}

const char *roster_dir(const struct roster *r)
{
    return r->dir;
}

void enrolled_done(struct enrolled *d)
{
    free(d->certificate);
    free(d->authorities);
}

/* --- names and uids ----------------------------------------------------------------------------
 */

/* The uid that a name has; -ENOENT when it is free. */
static int read_uid(const char *nodes, const char *node, char ret_uid[CERTIFICATE_UID_MAX],
                    struct err *e)
{
    AUTO(mem) char *text = NULL;
    int r = pki_read(nodes, node, &text, e);

    if (r == 0 && (strspn(text, "0123456789abcdef") != CERTIFICATE_UID_MAX - 1 ||
                   strcmp(text + CERTIFICATE_UID_MAX - 1, "\n") != 0))
        r = err_set(e, -EINVAL, "%s/%s: no uid in it", nodes, node);
    if (r == 0)
        (void)snprintf(ret_uid, CERTIFICATE_UID_MAX, "%s", text);
    return r;
}

static int deny(const char *denied, const char *uid, const char *node, struct err *e)
{
    char text[CERTIFICATE_NODE_MAX + 1];
    int n = snprintf(text, sizeof(text), "%s\n", node);

    return pki_write(denied, uid, text, (size_t)n, false, e);
}

bool roster_is_denied(const struct roster *r, const char *uid)
{
    AUTO(mem) char *path = pki_path(r->denied, uid);

    return access(path, F_OK) == 0 || errno != ENOENT;
}

int roster_revoke(const char *dir, const char *node, char ret_uid[CERTIFICATE_UID_MAX],
                  struct err *e)
{
    AUTO(mem) char *nodes = pki_path(dir, PKI_NODES), *denied = pki_path(dir, PKI_DENIED);
    AUTO(mem) char *path = pki_path(nodes, node);
    int r;

    if (!certificate_is_node(node) || read_uid(nodes, node, ret_uid, e) == -ENOENT)
        return err_set(e, -ENOENT, "no node %.70s has joined with a certificate", node);
    if ((r = read_uid(nodes, node, ret_uid, e)) < 0 || (r = pki_make_folder(denied, e)) < 0 ||
        (r = deny(denied, ret_uid, node, e)) < 0)
        return r;
    return unlink(path) < 0 ? err_errno(e, -errno, "%s", path) : 0;
}

static int draw_uid(char ret_uid[CERTIFICATE_UID_MAX], struct err *e)
{
    unsigned char bytes[(CERTIFICATE_UID_MAX - 1) / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return err_errno(e, -errno, "no random numbers");
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(ret_uid + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

/* --- enrolment ---------------------------------------------------------------------------------
 */

static int sign(struct roster *r, const char *request, int64_t now_ms, struct enrolled *d,
                struct err *e)
{
    if (pki_read(r->dir, PKI_CA, &d->authorities, e) < 0 ||
        authority_sign_agent(r->authority, request, d->uid, now_ms, &d->certificate, e) < 0)
        return 500;
    return 0;
}

/* The name is free (ret_old is left alone), or may be taken from who has it. */
static int look_up(struct roster *r, const struct join_token *t, const char *node,
                   char ret_old[CERTIFICATE_UID_MAX], struct err *e)
{
    struct err why = ERR_INIT;
    int code = read_uid(r->nodes, node, ret_old, &why);

    if (code == -ENOENT)
        return 0;
    if (code < 0)
        return err_set(e, 500, "%s", why.text);
    if (!t->replace)
        return err_set(e, 409,
                       "a node %s has joined already: take another name, or, where it is the same "
                       "machine, a join token made with --replace",
                       node);
    return 0;
}

/* The token is spent before anything is signed, and the name taken before anybody has the
 * certificate. */
static int enrol(struct roster *r, const char *token, const char *address, const char *request,
                 int64_t now_ms, struct enrolled *d, struct err *e)
{
    struct join_token t;
    char line[CERTIFICATE_UID_MAX + 1], old[CERTIFICATE_UID_MAX] = "";
    int code = join_token_check(r->dir, token, address, now_ms, &t, e);

    if (code || (code = look_up(r, &t, d->node, old, e)) ||
        (code = join_token_spend(r->dir, token, address, now_ms, e)))
        return code;
    if ((old[0] && deny(r->denied, old, d->node, e) < 0) || draw_uid(d->uid, e) < 0)
        return 500;
    (void)snprintf(line, sizeof(line), "%s\n", d->uid);
    if ((code = sign(r, request, now_ms, d, e)))
        return code;
    return pki_write(r->nodes, d->node, line, strlen(line), false, e) < 0 ? 500 : 0;
}

int roster_enrol(struct roster *r, const char *token, const char *address, const char *request,
                 int64_t now_ms, struct enrolled *ret, struct err *e)
{
    struct enrolled d = { .certificate = NULL };
    int code;

    if (certificate_request_read(request, d.node, e) < 0)
        return 400;
    (void)pthread_mutex_lock(&r->lock);
    code = enrol(r, token, address, request, now_ms, &d, e);
    (void)pthread_mutex_unlock(&r->lock);
    if (code)
        enrolled_done(&d);
    else
        *ret = d;
    return code;
}

int roster_renew(struct roster *r, const char *node, const char *uid, const char *request,
                 int64_t now_ms, struct enrolled *ret, struct err *e)
{
    struct enrolled d = { .certificate = NULL };
    int code;

    if (certificate_request_read(request, d.node, e) < 0)
        return 400;
    if (strcmp(d.node, node) != 0)
        return err_set(e, 403, "the certificate is node %s's and cannot be renewed for %s", node,
                       d.node);
    (void)snprintf(d.uid, sizeof(d.uid), "%s", uid);
    code = sign(r, request, now_ms, &d, e);
    if (code)
        enrolled_done(&d);
    else
        *ret = d;
    return code;
}
