/* Where the API server is and who we are there: see kube_config.h. */
#include "controller/kube_client/kube_config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/kube_client/kube_config_private.h"
#include "proto/base/array.h"
#include "proto/base/file.h"
#include "proto/base/strbuf.h"

#define NAMESPACE_MAX 1024

#define TEXTS(c)                                                                             \
    {                                                                                        \
        &(c)->source, &(c)->server, &(c)->tls_server_name, &(c)->proxy_url, &(c)->namespace, \
            &(c)->ca_file, &(c)->cert_file, &(c)->key_file, &(c)->token, &(c)->token_file,   \
            &(c)->impersonate.user, &(c)->impersonate.uid                                    \
    }

struct kube_config *kube_config_new(void)
{
    struct kube_config *c = xcalloc(1, sizeof(*c));
    char **texts[] = TEXTS(c);

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = xstrdup("");
    for (size_t i = 0; i < ARRAY_LEN(c->memfd); i++)
        c->memfd[i] = -1;
    return c;
}

static void exec_free(struct kube_exec *x)
{
    if (!x)
        return;
    free(x->api_version);
    free(x->command);
    free(x->install_hint);
    free(x->cluster_config);
    string_list_done(&x->args);
    string_map_done(&x->env);
    free(x);
}

void kube_config_free(struct kube_config *c)
{
    char **texts[] = TEXTS(c);

    if (!c)
        return;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(*texts[i]);
    for (size_t i = 0; i < ARRAY_LEN(c->memfd); i++)
        if (c->memfd[i] >= 0)
            (void)close(c->memfd[i]);
    string_list_done(&c->impersonate.groups);
    string_list_done(&c->impersonate.extra);
    exec_free(c->exec);
    free(c);
}

static char *format(const char *template, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *template, ...)
{
    struct strbuf out = STRBUF_INIT;
    va_list ap;

    va_start(ap, template);
    strbuf_vprintf(&out, template, ap);
    va_end(ap);
    return strbuf_take(&out);
}

static void put(char **text, char *value)
{
    free(*text);
    *text = value;
}

/* --- in a pod ------------------------------------------------------------------------------- */

/* Without a token in it, it is no such directory. */
static int load_in_cluster(const char *dir, struct kube_config *c, struct err *e)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    AUTO(mem) char *file = NULL;
    AUTO(mem) char *namespace = NULL;
    size_t n;

    put(&c->token_file, format("%s/token", dir));
    put(&c->ca_file, format("%s/ca.crt", dir));
    if (access(c->token_file, R_OK) < 0)
        return err_errno(e, -errno, "%s", c->token_file);
    if (access(c->ca_file, R_OK) < 0)
        return err_errno(e, -errno, "%s", c->ca_file);
    if (!host || !host[0] || !port || !port[0])
        return err_set(e, -EINVAL,
                       "%s is there, but not KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT: "
                       "set them to the API server's, or name a kubeconfig",
                       dir);
    put(&c->server, format(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port));
    put(&c->source, format("%s of this pod", dir));
    file = format("%s/namespace", dir);
    if (file_read(file, NAMESPACE_MAX, &namespace, &n, NULL) == 0) {
        namespace[strcspn(namespace, " \r\n")] = '\0';
        if (namespace[0])
            put(&c->namespace, xstrdup(namespace));
    }
    return 0;
}

/* --- from kubeconfig files ------------------------------------------------------------------ */

static int check_server(const struct kube_entry *cluster, struct kube_config *c, struct err *e)
{
    char *s = c->server;
    size_t n = strlen(s);
    const char *rest = strstr(s, "://");

    while (n && s[n - 1] == '/')
        s[--n] = '\0';
    if ((strncmp(s, "https://", 8) == 0 || strncmp(s, "http://", 7) == 0) && rest && rest[3] &&
        !strpbrk(s, " @?#"))
        return 0;
    err_text(e, "expected https://HOST:PORT, not \"%s\"", s);
    return kube_entry_prefix(cluster, "server", -EINVAL, e);
}

/* Names behind a SOCKS proxy are the proxy's to resolve, as with kubectl. */
static int check_proxy(const struct kube_entry *cluster, struct kube_config *c, struct err *e)
{
    const char *p = c->proxy_url;

    if (strncmp(p, "socks5://", 9) == 0)
        put(&c->proxy_url, format("socks5h://%s", p + 9));
    else if (p[0] && strncmp(p, "http://", 7) != 0 && strncmp(p, "https://", 8) != 0 &&
             strncmp(p, "socks5h://", 10) != 0) {
        err_text(e, "expected http://, https:// or socks5:// and a host with port");
        return kube_entry_prefix(cluster, "proxy-url", -EINVAL, e);
    }
    return 0;
}

static int read_cluster(struct kube_config *c, const struct kube_entry *cluster, struct err *e)
{
    int r;

    if ((r = kube_entry_text(cluster, "server", &c->server, e)) < 0 ||
        (r = check_server(cluster, c, e)) < 0 ||
        (r = kube_entry_text(cluster, "tls-server-name", &c->tls_server_name, e)) < 0 ||
        (r = kube_entry_text(cluster, "proxy-url", &c->proxy_url, e)) < 0 ||
        (r = check_proxy(cluster, c, e)) < 0 ||
        (r = kube_entry_bool(cluster, "insecure-skip-tls-verify", &c->insecure, e)) < 0 ||
        (r = kube_entry_pem(cluster, "certificate-authority", &c->ca_file, &c->memfd[0], e)) < 0)
        return r;
    if (c->insecure && c->ca_file[0]) {
        err_text(e, "a CA is given as well: take one of the two away");
        return kube_entry_prefix(cluster, "insecure-skip-tls-verify", -EINVAL, e);
    }
    return 0;
}

/* What a cluster's entry has to say to exec plugins. */
static void read_extension(struct kube_exec *x, const struct kube_entry *cluster)
{
    const json_t *list = json_object_get(cluster->value, "extensions"), *item;
    size_t i;

    json_array_foreach(list, i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        json_t *value = json_object_get(item, "extension");

        if (name && value && strcmp(name, "client.authentication.k8s.io/exec") == 0)
            put(&x->cluster_config, json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY));
    }
}

static int read_context(const struct kube_files *f, const char *name, struct kube_config *c,
                        struct err *e)
{
    AUTO(mem) char *cluster_name = NULL;
    AUTO(mem) char *user_name = NULL;
    struct kube_entry context, cluster, user;
    int r;

    if ((r = kube_files_find(f, "contexts", "context", name, &context, e)) < 0 ||
        (r = kube_entry_text(&context, "cluster", &cluster_name, e)) < 0 ||
        (r = kube_entry_text(&context, "user", &user_name, e)) < 0 ||
        (r = kube_entry_text(&context, "namespace", &c->namespace, e)) < 0)
        return r;
    if (!c->namespace[0])
        put(&c->namespace, xstrdup("default"));
    put(&c->source, format("%s, context %s", context.file->path, name));
    r = kube_files_find(f, "clusters", "cluster", cluster_name, &cluster, e);
    if (r < 0)
        return kube_entry_prefix(&context, "cluster", r, e);
    r = read_cluster(c, &cluster, e);
    if (r < 0 || !user_name[0])
        return r;
    r = kube_files_find(f, "users", "user", user_name, &user, e);
    if (r < 0)
        return kube_entry_prefix(&context, "user", r, e);
    r = kube_config_user(c, &user, e);
    if (r == 0 && c->exec)
        read_extension(c->exec, &cluster);
    return r;
}

static int load_files(const char *names, const char *context, struct kube_config *c, struct err *e)
{
    struct kube_files f = { 0 };
    int r = kube_files_read(&f, names, e);

    if (r == 0 && !context)
        context = kube_files_text(&f, "current-context");
    if (r == 0 && !context)
        r = err_set(e, -EINVAL, "%s: current-context is not set: name a context", names);
    if (r == 0) {
        r = read_context(&f, context, c, e);
        if (r == -ENOENT)
            r = -EINVAL; /* the files are there */
    }
    kube_files_done(&f);
    return r;
}

/* --- which ---------------------------------------------------------------------------------- */

static int load(const struct kube_config_choice *choice, struct kube_config *c, struct err *e)
{
    const char *names = choice->files ? choice->files : getenv("KUBECONFIG");
    const char *home = getenv("HOME");
    const char *dir = choice->in_cluster ? choice->in_cluster : KUBE_IN_CLUSTER_DIR;
    AUTO(mem) char *standard = NULL;
    int r;

    if (choice->in_cluster && !choice->files)
        return load_in_cluster(dir, c, e);
    if (names && names[0]) {
        r = load_files(names, choice->context, c, e);
        return r == -ENOENT ? err_set(e, r, "%s: no such kubeconfig", names) : r;
    }
    standard = format("%s/.kube/config", home ? home : "");
    r = load_files(standard, choice->context, c, e);
    if (r != -ENOENT)
        return r;
    r = load_in_cluster(dir, c, e);
    if (r != -ENOENT)
        return r;
    return err_set(e, r,
                   "no kubeconfig: neither KUBECONFIG nor %s nor %s leads to one; name a file, or "
                   "fetch one from the cluster's administrator",
                   standard, dir);
}

int kube_config_load(const struct kube_config_choice *choice, struct kube_config **ret_config,
                     struct err *e)
{
    AUTO(kube_config) struct kube_config *c = kube_config_new();
    int r;

    put(&c->namespace, xstrdup("default"));
    r = load(choice, c, e);
    if (r == 0)
        *ret_config = TAKE(c);
    return r;
}
