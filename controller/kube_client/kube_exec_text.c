/* What an exec plugin is told and what it says: see kube_exec_text.h. */
#include "controller/kube_client/kube_exec_text.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_base64.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"

static void wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void kube_exec_said_done(struct kube_exec_said *s)
{
    wipe(s->token);
    wipe(s->certificate);
    wipe(s->key);
    *s = (struct kube_exec_said){ 0 };
}

static void set_text(json_t *o, const char *key, const char *text)
{
    if (text[0])
        json_object_set_new(o, key, json_string(text));
}

static json_t *cluster_info(const struct kube_config *c, const char *ca, size_t n)
{
    AUTO(strbuf) struct strbuf data = STRBUF_INIT;
    json_t *o = json_pack("{s:s}", "server", c->server);

    kube_base64(&data, ca, ca ? n : 0);
    set_text(o, "tls-server-name", c->tls_server_name);
    set_text(o, "certificate-authority-data", strbuf_text(&data));
    set_text(o, "proxy-url", c->proxy_url);
    if (c->insecure)
        json_object_set_new(o, "insecure-skip-tls-verify", json_true());
    if (c->exec->cluster_config[0])
        json_object_set_new(o, "config",
                            json_loads(c->exec->cluster_config, JSON_DECODE_ANY, NULL));
    return o;
}

/* Not interactive: it has neither our terminal nor our stdin. */
char *kube_exec_info(const struct kube_config *config, const char *ca, size_t n)
{
    json_t *o = json_pack("{s:s, s:s, s:{s:b}}", "kind", "ExecCredential", "apiVersion",
                          config->exec->api_version, "spec", "interactive", 0);
    char *text;

    if (config->exec->provide_cluster_info)
        json_object_set_new(json_object_get(o, "spec"), "cluster", cluster_info(config, ca, n));
    text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

static char *copy_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return xstrdup(text ? text : "");
}

static int check(const struct kube_exec_said *s, struct err *e)
{
    if ((s->certificate[0] == '\0') != (s->key[0] == '\0'))
        return err_set(e, -EINVAL, "gave a certificate without its key, or a key alone");
    if (!s->token[0] && !s->certificate[0])
        return err_set(e, -EINVAL, "gave neither token nor certificate");
    for (const char *c = s->token; *c; c++)
        if (*c <= ' ' || *c == 0x7f)
            return err_set(e, -EINVAL, "gave a token with blanks or control characters");
    return 0;
}

static int read_status(const json_t *status, struct kube_exec_said *s, struct err *e)
{
    const json_t *until = json_object_get(status, "expirationTimestamp");

    if (!json_is_object(status))
        return err_set(e, -EINVAL, "gave no status");
    *s = (struct kube_exec_said){ .token = copy_text(status, "token"),
                                  .certificate = copy_text(status, "clientCertificateData"),
                                  .key = copy_text(status, "clientKeyData") };
    if (until && !json_is_null(until) &&
        (!json_is_string(until) || clock_parse(json_string_value(until), &s->until_wall_ms) < 0))
        return err_set(e, -EINVAL, "gave an expirationTimestamp that is none (RFC 3339)");
    return check(s, e);
}

int kube_exec_read(const char *api_version, const char *text, size_t n,
                   struct kube_exec_said *ret_said, struct err *e)
{
    json_t *o = json_loadb(text, n, 0, NULL);
    const char *kind = json_string_value(json_object_get(o, "kind"));
    const char *version = json_string_value(json_object_get(o, "apiVersion"));
    struct kube_exec_said s = { 0 };
    int r;

    if (!o || !kind || strcmp(kind, "ExecCredential") != 0)
        r = err_set(e, -EINVAL, "gave no ExecCredential on its stdout (%zu bytes)", n);
    else if (!version || strcmp(version, api_version) != 0)
        r = err_set(e, -EINVAL, "gave an ExecCredential of another apiVersion than %s",
                    api_version);
    else
        r = read_status(json_object_get(o, "status"), &s, e);
    json_decref(o);
    if (r < 0)
        kube_exec_said_done(&s);
    else
        *ret_said = s;
    return r;
}
