/* The way of a session to the controller through the API server of Kubernetes, with a kubeconfig
 * alone: the service proxy of huddle-system/huddle-controller. No port is forwarded and no program
 * started, and what is needed is the right to `services/proxy` of that one Service.
 *
 * The API server keeps Authorization for itself, so who asks goes in Huddle-Authorization: the
 * token of the kubeconfig (written there, in a file, or a credential plugin's), which the
 * controller shows to the API server. A client certificate goes no further than the API server, nor
 * does an impersonated user: then, and with --account, it is a token of ten minutes of a
 * ServiceAccount of huddle's, for huddle alone (TokenRequest, audience "huddle"). */
#ifndef HUDDLE_CLI_SESSION_KUBE_H
#define HUDDLE_CLI_SESSION_KUBE_H

#include "controller/cli/options.h"
#include "proto/base/err.h"
#include "proto/base/http.h"

struct session_kube;

/* `token`: who asks, in place of the kubeconfig's; NULL: that. */
int session_kube_new(const struct options *o, const char *token, struct session_kube **ret_kube,
                     struct err *e);
void session_kube_free(struct session_kube *k); /* accepts NULL */

/* Where the controller's paths begin; borrowed. */
const char *session_kube_server(const struct session_kube *k);

/* Credentials and verification of a request that goes there; borrowed. */
void session_kube_fill(const struct session_kube *k, struct http_request *rq);

#endif
