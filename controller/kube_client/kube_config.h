/* How a Kubernetes API server is reached and who we are there: a kubeconfig (a list of files merged
 * as kubectl merges them) or the directory that the kubelet mounts into every pod.
 *
 * Sources: kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig, client-go
 * tools/clientcmd. Certificates and keys given as `*-data` are put into memfds, for libcurl's
 * GnuTLS build does not take them from memory; their paths are /proc/self/fd/N. */
#ifndef HUDDLE_KUBE_CONFIG_H
#define HUDDLE_KUBE_CONFIG_H

#include <stdbool.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/field.h"

#define KUBE_IN_CLUSTER_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

enum kube_interactive {
    KUBE_INTERACTIVE_IF_AVAILABLE,
    KUBE_INTERACTIVE_NEVER,
    KUBE_INTERACTIVE_ALWAYS
};

/* An exec credential plugin (client.authentication.k8s.io v1 or v1beta1). */
struct kube_exec {
    char *api_version, *command, *install_hint;
    struct string_list args;
    struct string_map env;
    enum kube_interactive interactive;
    bool provide_cluster_info;
    char *cluster_config; /* JSON that the cluster's entry holds for plugins; "" : none */
};

struct kube_config { /* texts are never NULL; "" is: not given */
    char *source;    /* for messages: "/home/a/.kube/config, context b" */
    char *server;    /* "https://host:port[/prefix]", no slash at its end */
    char *tls_server_name;
    char *proxy_url; /* that of the file: proxies of the environment are not used */
    char *namespace; /* "default" where none is named */
    char *ca_file;   /* PEM; "" : the system's */
    bool insecure;   /* insecure-skip-tls-verify; refused together with a CA */
    char *cert_file, *key_file;
    char *token;      /* not logged, not in errors */
    char *token_file; /* beats token; read again at least every minute */
    struct {
        char *user, *uid;
        struct string_list groups;
        struct string_list extra; /* "Impersonate-Extra-Scopes: view", ready to be sent */
    } impersonate;
    struct kube_exec *exec; /* or NULL */
    int memfd[3];           /* of CA, certificate and key; -1: none */
};

struct kube_config_choice { /* zero: as kubectl would choose */
    const char *files;      /* as KUBECONFIG, names joined by ':'; NULL: $KUBECONFIG, then
                               $HOME/.kube/config, then the in-cluster directory if it is there */
    const char *context;    /* NULL: current-context */
    const char *in_cluster; /* directory with token, ca.crt, namespace; NULL: KUBE_IN_CLUSTER_DIR.
                               The server is $KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT */
};

/* 0, or -errno with file, place and way out in e: -ENOENT (nothing to read), -EINVAL, -ENOTSUP
 * (auth-provider: name the exec plugin that replaced it). Relative paths are relative to the file
 * that has them. */
int kube_config_load(const struct kube_config_choice *choice, struct kube_config **ret_config,
                     struct err *e);

/* An empty one, to be filled by hand. */
struct kube_config *kube_config_new(void);
void kube_config_free(struct kube_config *c);
DEFINE_AUTO(kube_config, struct kube_config *, kube_config_free);

#endif
