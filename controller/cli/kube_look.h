/* The way of a verb to a Kubernetes cluster: --kubeconfig, --context, -n, -A, and a whole cluster
 * listed into a survey with a line of progress. The edge of doctor, discover, auth check and move.
 */
#ifndef HUDDLE_CLI_KUBE_LOOK_H
#define HUDDLE_CLI_KUBE_LOOK_H

#include "controller/cli/verb.h"
#include "controller/kube_client/kube_discovery.h"
#include "controller/kubernetes/survey.h"

struct kube_look {
    struct loop *loop;
    struct kube_client *client;
    struct kube_capabilities can;
    const char *namespace; /* borrowed; NULL: all */
};

/* 0, or EXIT_FAILED or EXIT_USAGE after saying why. Drop it in both cases. */
int kube_look_open(struct cli *c, struct kube_look *ret);
void kube_look_done(struct kube_look *k);

/* Lists everything. What may not be listed is noted in the survey (`why`); only when the server
 * does not answer at all it is an error. */
int kube_look_survey(struct kube_look *k, struct survey *s, struct err *e);

/* POSTs a review: 0 with the answer, a new reference. */
int kube_look_review(struct kube_look *k, const json_t *question, json_t **ret_answer,
                     struct err *e);

#endif
