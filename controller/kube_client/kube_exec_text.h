/* What an exec credential plugin is told and what it says: ExecCredential of
 * client.authentication.k8s.io/v1 and v1beta1, which are alike in what is used here. Pure. Private
 * to kube_client.
 *
 * Source: kubernetes.io/docs/reference/access-authn-authz/authentication, "client-go credential
 * plugins"; k8s.io/client-go/pkg/apis/clientauthentication. */
#ifndef HUDDLE_KUBE_EXEC_TEXT_H
#define HUDDLE_KUBE_EXEC_TEXT_H

#include <stddef.h>

#include "controller/kube_client/kube_config.h"

struct kube_exec_said { /* secrets; kube_exec_said_done() wipes them. "" : not said */
    char *token, *certificate, *key;
    int64_t until_wall_ms; /* expirationTimestamp; 0: it stays good */
};

void kube_exec_said_done(struct kube_exec_said *s);

/* The value of KUBERNETES_EXEC_INFO; `ca` is the PEM of the cluster's CA, n bytes, or NULL. */
char *kube_exec_info(const struct kube_config *config, const char *ca, size_t n);

/* Of a plugin's stdout. -EINVAL with what is wrong, never with what it said. */
int kube_exec_read(const char *api_version, const char *text, size_t n,
                   struct kube_exec_said *ret_said, struct err *e);

#endif
