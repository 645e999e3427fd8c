#include "controller/cli/session_kube.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kubernetes/access_review.h"
#include "controller/kubernetes/rights.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define NAMESPACE "/api/v1/namespaces/" RIGHTS_OWN_NAMESPACE
#define PROXY NAMESPACE "/services/https:huddle-controller:api/proxy"
#define TOKEN_S 600 /* the shortest there is */

struct session_kube {
    struct loop *loop;
    struct kube_client *client;
    struct kube_login login;
    char *server;
    const char **headers; /* owned: the last of them names who asks */
    char *identity;
};

/* The most that this user may be. */
static const char *const ACCOUNTS[] = { "huddle-admin", "huddle-operator", "huddle-viewer" };

static int connect_to(struct session_kube *k, const struct options *o, struct err *e)
{
    const struct kube_config_choice choice = { .files = options_get(o, OPT_DOOR_KUBECONFIG),
                                               .context = options_get(o, OPT_DOOR_CONTEXT) };
    struct kube_config *config = NULL;
    int r = kube_config_load(&choice, &config, e);

    if (r == 0)
        r = loop_new(&k->loop, e);
    if (r < 0) {
        kube_config_free(config);
        return r;
    }
    if ((r = kube_client_new(k->loop, config, &k->client, e)) < 0)
        return r;
    config = NULL;
    if (strncmp(kube_client_config(k->client)->server, "https://", 8) != 0)
        return err_set(e, -EINVAL, "%s: credentials are not sent in the clear; use https://",
                       kube_client_config(k->client)->server);
    return 0;
}

/* 0 and the token; -EACCES: this user may not have one. */
static int request_token(struct session_kube *k, const char *account, char **ret_token,
                         struct err *e)
{
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    json_t *body = json_pack("{s:s, s:s, s:{s:[s], s:i}}", "apiVersion", "authentication.k8s.io/v1",
                             "kind", "TokenRequest", "spec", "audiences", HUDDLE_AUDIENCE,
                             "expirationSeconds", TOKEN_S);
    struct kube_request request = { .method = "POST", .body = body };
    struct kube_status status = { 0 };
    json_t *answer = NULL;
    const char *token;
    int r;

    strbuf_printf(&path, NAMESPACE "/serviceaccounts/%s/token", account);
    request.path = strbuf_text(&path);
    r = kube_fetch(k->client, &request, &status, &answer, e);
    json_decref(body);
    token = json_string_value(json_object_get(json_object_get(answer, "status"), "token"));
    if (r == 0 && status.reason == KUBE_OK && token)
        *ret_token = xstrdup(token);
    else if (r == 0)
        r = err_set(e, status.reason == KUBE_FORBIDDEN ? -EACCES : -ENOENT,
                    "no token of ServiceAccount " RIGHTS_OWN_NAMESPACE "/%s: %s", account,
                    status.message.text);
    json_decref(answer);
    return r;
}

static int request_any(struct session_kube *k, char **ret_token, struct err *e)
{
    int r = -EACCES;

    for (size_t i = 0; r == -EACCES && i < ARRAY_LEN(ACCOUNTS); i++) {
        struct err why = ERR_INIT;

        r = request_token(k, ACCOUNTS[i], ret_token, &why);
        if (r < 0)
            *e = why;
    }
    if (r == -EACCES)
        return err_set(e, r,
                       "your credentials end at the API server (a client certificate, or "
                       "impersonation), and you may not speak for huddle-viewer, huddle-operator "
                       "or huddle-admin: ask for create of serviceaccounts/token of one of them "
                       "in " RIGHTS_OWN_NAMESPACE ", or use a kubeconfig with a token");
    return r;
}

/* Any request has plugins asked and files read. */
static int log_in(struct session_kube *k, struct err *e)
{
    int r = kube_fetch(k->client, &(struct kube_request){ .path = "/version" }, NULL, NULL, e);

    return r < 0 ? r : kube_login(k->client, &k->login, e);
}

static int identify(struct session_kube *k, const char *account, const char *token, struct err *e)
{
    const struct kube_config *config = kube_client_config(k->client);
    AUTO(mem) char *fresh = NULL;
    AUTO(strbuf) struct strbuf line = STRBUF_INIT;
    size_t n = 0;
    int r = log_in(k, e);

    if (r < 0)
        return r;
    if (!token && account)
        r = request_token(k, account, &fresh, e);
    else if (!token && (!k->login.bearer || config->impersonate.user[0]))
        r = request_any(k, &fresh, e);
    if (r < 0)
        return r;
    strbuf_printf(&line, "Huddle-Authorization: Bearer %s",
                  token   ? token
                  : fresh ? fresh
                          : k->login.bearer);
    k->identity = strbuf_take(&line);
    while (k->login.headers[n])
        n++;
    k->headers = xcalloc(n + 2, sizeof(*k->headers));
    memcpy(k->headers, k->login.headers, n * sizeof(*k->headers));
    k->headers[n] = k->identity;
    return 0;
}

int session_kube_new(const struct options *o, const char *token, struct session_kube **ret_kube,
                     struct err *e)
{
    struct session_kube *k = xcalloc(1, sizeof(*k));
    AUTO(strbuf) struct strbuf server = STRBUF_INIT;
    int r = connect_to(k, o, e);

    if (r == 0)
        r = identify(k, options_get(o, OPT_ACCOUNT), token, e);
    if (r < 0) {
        session_kube_free(k);
        return r;
    }
    strbuf_printf(&server, "%s" PROXY, kube_client_config(k->client)->server);
    k->server = strbuf_take(&server);
    *ret_kube = k;
    return 0;
}

void session_kube_free(struct session_kube *k)
{
    if (!k)
        return;
    kube_client_free(k->client);
    loop_free(k->loop);
    free(k->server);
    free(k->headers);
    free(k->identity);
    free(k);
}

const char *session_kube_server(const struct session_kube *k)
{
    return k->server;
}

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

void session_kube_fill(const struct session_kube *k, struct http_request *rq)
{
    const struct kube_config *config = kube_client_config(k->client);

    rq->ca_file = or_null(config->ca_file);
    rq->cert_file = k->login.cert_file;
    rq->key_file = k->login.key_file;
    rq->bearer = k->login.bearer;
    rq->headers = k->headers;
    rq->proxy = or_null(config->proxy_url);
    rq->tls_server_name = or_null(config->tls_server_name);
    rq->unverified = config->insecure;
    rq->http1 = true;
}
