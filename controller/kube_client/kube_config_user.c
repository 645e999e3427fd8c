/* The user's part of a kubeconfig: certificates, tokens, impersonation, exec plugins. See
 * kube_config.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kube_client/kube_config_private.h"
#include "controller/kube_client/kube_escape.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define EXEC_API "client.authentication.k8s.io/"

static bool has(const struct kube_entry *in, const char *key)
{
    const json_t *v = json_object_get(in->value, key);

    return v && !json_is_null(v) && !(json_is_string(v) && json_string_length(v) == 0);
}

/* --- what is refused ------------------------------------------------------------------------ */

static const char *plugin_for(const char *provider)
{
    if (strcmp(provider, "gcp") == 0)
        return "gke-gcloud-auth-plugin";
    if (strcmp(provider, "azure") == 0)
        return "kubelogin";
    if (strcmp(provider, "oidc") == 0)
        return "kubectl-oidc_login";
    return "the plugin of your provider";
}

static int refuse_old_ways(const struct kube_entry *user, struct err *e)
{
    const char *provider;

    if (has(user, "auth-provider")) {
        provider = json_string_value(
            json_object_get(json_object_get(user->value, "auth-provider"), "name"));
        err_text(
            e,
            "auth-provider %s is gone from Kubernetes' clients since 1.26: have `exec:` run %s "
            "in its place",
            provider ? provider : "", plugin_for(provider ? provider : ""));
        return kube_entry_prefix(user, "auth-provider", -ENOTSUP, e);
    }
    if (has(user, "username") || has(user, "password")) {
        err_text(e, "API servers since 1.19 take no passwords: use a certificate, a token or exec");
        return kube_entry_prefix(user, has(user, "username") ? "username" : "password", -ENOTSUP,
                                 e);
    }
    return 0;
}

/* --- certificates --------------------------------------------------------------------------- */

static int read_pair(struct kube_config *c, const struct kube_entry *user, struct err *e)
{
    bool cert, key;
    int r = kube_entry_pem(user, "client-certificate", &c->cert_file, &c->memfd[1], e);

    if (r == 0)
        r = kube_entry_pem(user, "client-key", &c->key_file, &c->memfd[2], e);
    if (r < 0)
        return r;
    cert = c->cert_file[0] != '\0';
    key = c->key_file[0] != '\0';
    if (cert == key)
        return 0;
    err_text(e, "a client certificate needs its key, and a key its certificate: %s is missing",
             cert ? "client-key" : "client-certificate");
    return kube_entry_prefix(user, cert ? "client-certificate" : "client-key", -EINVAL, e);
}

/* --- impersonation -------------------------------------------------------------------------- */

/* A key of any characters as part of a header's name. */
static void add_extra(struct string_list *out, const char *key, const char *value)
{
    struct strbuf line = STRBUF_INIT;

    strbuf_puts(&line, "Impersonate-Extra-");
    kube_escape(&line, key);
    strbuf_printf(&line, ": %s", value);
    out->item = xrealloc(out->item, (out->n + 1) * sizeof(*out->item));
    out->item[out->n++] = strbuf_take(&line);
}

static int read_extra(struct kube_config *c, const struct kube_entry *user, struct err *e)
{
    struct kube_entry extra;
    const char *key;
    json_t *values;
    int r = kube_entry_inside(user, "as-user-extra", &extra, e);

    if (r < 0)
        return r;
    json_object_foreach((json_t *)extra.value, key, values) {
        struct string_list list = { 0 };

        r = kube_entry_list(&extra, key, &list, e);
        for (size_t i = 0; r == 0 && i < list.n; i++)
            add_extra(&c->impersonate.extra, key, list.item[i]);
        string_list_done(&list);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_impersonation(struct kube_config *c, const struct kube_entry *user, struct err *e)
{
    int r = kube_entry_text(user, "as", &c->impersonate.user, e);

    if (r == 0)
        r = kube_entry_text(user, "as-uid", &c->impersonate.uid, e);
    if (r == 0)
        r = kube_entry_list(user, "as-groups", &c->impersonate.groups, e);
    if (r == 0)
        r = read_extra(c, user, e);
    if (r < 0 || c->impersonate.user[0] ||
        (!c->impersonate.uid[0] && !c->impersonate.groups.n && !c->impersonate.extra.n))
        return r;
    err_text(e, "expected whom to impersonate: as-uid, as-groups and as-user-extra belong to it");
    return kube_entry_prefix(user, "as", -EINVAL, e);
}

/* --- exec ----------------------------------------------------------------------------------- */

static int compare_pairs(const void *a, const void *b)
{
    return strcmp(((const struct string_pair *)a)->key, ((const struct string_pair *)b)->key);
}

static int read_env(struct kube_exec *x, const struct kube_entry *in, struct err *e)
{
    const json_t *list = json_object_get(in->value, "env"), *item;
    size_t i;

    if (!list || json_is_null(list))
        return 0;
    x->env.pair = xcalloc(json_array_size(list) + 1, sizeof(*x->env.pair));
    json_array_foreach(list, i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        const char *value = json_string_value(json_object_get(item, "value"));

        if (!name || !name[0] || strchr(name, '=') || !value) {
            err_text(e, "[%zu]: expected a name without \"=\" and a value, both strings", i);
            return kube_entry_prefix(in, "env", -EINVAL, e);
        }
        x->env.pair[x->env.n++] = (struct string_pair){ xstrdup(name), xstrdup(value) };
    }
    qsort(x->env.pair, x->env.n, sizeof(*x->env.pair), compare_pairs);
    return 0;
}

static int read_interactive(struct kube_exec *x, const struct kube_entry *in, struct err *e)
{
    static const char *const words[] = { [KUBE_INTERACTIVE_IF_AVAILABLE] = "IfAvailable",
                                         [KUBE_INTERACTIVE_NEVER] = "Never",
                                         [KUBE_INTERACTIVE_ALWAYS] = "Always" };
    AUTO(mem) char *word = NULL;
    int r = kube_entry_text(in, "interactiveMode", &word, e);

    if (r < 0)
        return r;
    if (!word[0] && strcmp(x->api_version, EXEC_API "v1") != 0)
        return 0; /* v1beta1: IfAvailable */
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(word, words[i]) == 0) {
            x->interactive = (enum kube_interactive)i;
            return 0;
        }
    err_text(e, "expected Never, IfAvailable or Always");
    return kube_entry_prefix(in, "interactiveMode", -EINVAL, e);
}

/* A command without a slash is looked for in PATH. */
static int read_command(struct kube_exec *x, const struct kube_entry *in, struct err *e)
{
    int r = kube_entry_text(in, "command", &x->command, e);

    if (r == 0 && !x->command[0]) {
        err_text(e, "expected the plugin to run");
        return kube_entry_prefix(in, "command", -EINVAL, e);
    }
    return r == 0 && strchr(x->command, '/') ? kube_entry_path(in, "command", &x->command, e) : r;
}

static int read_exec_fields(struct kube_exec *x, const struct kube_entry *in, struct err *e)
{
    int r = kube_entry_text(in, "apiVersion", &x->api_version, e);

    if (r < 0)
        return r;
    if (strcmp(x->api_version, EXEC_API "v1") != 0 &&
        strcmp(x->api_version, EXEC_API "v1beta1") != 0) {
        err_text(e, "expected %sv1 or %sv1beta1, not \"%s\": a newer plugin speaks it", EXEC_API,
                 EXEC_API, x->api_version);
        return kube_entry_prefix(in, "apiVersion", -ENOTSUP, e);
    }
    if ((r = read_command(x, in, e)) < 0 || (r = kube_entry_list(in, "args", &x->args, e)) < 0 ||
        (r = read_env(x, in, e)) < 0 ||
        (r = kube_entry_bool(in, "provideClusterInfo", &x->provide_cluster_info, e)) < 0)
        return r;
    return read_interactive(x, in, e);
}

static int read_exec(struct kube_config *c, const struct kube_entry *user, struct err *e)
{
    struct kube_entry in;
    const char *hint;
    int r = kube_entry_inside(user, "exec", &in, e);

    if (r < 0 || !in.value)
        return r;
    c->exec = xcalloc(1, sizeof(*c->exec));
    c->exec->cluster_config = xstrdup("");
    hint =
        json_string_value(json_object_get(in.value, "installHint")); /* of several lines, often */
    c->exec->install_hint = xstrdup(hint ? hint : "");
    return read_exec_fields(c->exec, &in, e);
}

int kube_config_user(struct kube_config *c, const struct kube_entry *user, struct err *e)
{
    int r = refuse_old_ways(user, e);

    if (r < 0 || (r = read_pair(c, user, e)) < 0 || (r = read_impersonation(c, user, e)) < 0 ||
        (r = kube_entry_text(user, "token", &c->token, e)) < 0 ||
        (r = kube_entry_path(user, "tokenFile", &c->token_file, e)) < 0)
        return r;
    /* A token that is given is shown, and no plugin asked: client-go does the same. */
    return c->token[0] || c->token_file[0] ? 0 : read_exec(c, user, e);
}
