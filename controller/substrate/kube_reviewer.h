/* Asks the API server of Kubernetes about callers of huddle's API whose tokens are none of
 * huddle's: whose is it (TokenReview), and may he (SubjectAccessReview). On the loop, with a client
 * of its own: nothing waits, and what it asks takes nothing from the rate of the leader's writes.
 *
 * An answer counts for 10 s where it is yes and 5 s where it is no: a right that is taken away is
 * gone after 10 s. What cannot be found out (no answer within 5 s, no right to ask, 64 questions
 * wait, or 4 of the same address) is refused, and not remembered. A token is kept while it is asked
 * about, its hash afterwards. */
#ifndef HUDDLE_SUBSTRATE_KUBE_REVIEWER_H
#define HUDDLE_SUBSTRATE_KUBE_REVIEWER_H

#include <stdint.h>

#include "controller/kube_client/kube_config.h"
#include "controller/kubernetes/access_review.h"
#include "proto/base/loop.h"

#define KUBE_HASH_BYTES 32
#define KUBE_REVIEWS_MOST 64    /* at once */
#define KUBE_REVIEWS_OF_ONE 4   /* of one address */
#define KUBE_VERDICTS_MOST 1024 /* remembered */
#define KUBE_YES_MS 10000
#define KUBE_NO_MS 5000

struct kube_reviewer;

struct kube_question { /* borrowed for the call */
    const char *token;
    const unsigned char *hash; /* SHA-256 of it */
    const char *address;       /* who shows it: one leaves others their share */
    struct access_asked asked;
};

/* Status 200 and the user, or 401, 403, 503 and the reason. */
typedef void kube_verdict_fn(void *data, uint64_t ticket, int status, const char *user,
                             const char *why);

/* Takes `config` over, also on error. */
int kube_reviewer_new(struct loop *l, struct kube_config *config, kube_verdict_fn *fn, void *data,
                      struct kube_reviewer **ret_reviewer, struct err *e);

/* What is under way is not answered any more. Accepts NULL. */
void kube_reviewer_free(struct kube_reviewer *r);

/* On the loop; `fn` is called once with this ticket, perhaps before it returns. */
void kube_reviewer_ask(struct kube_reviewer *r, uint64_t ticket, const struct kube_question *q);

#endif
