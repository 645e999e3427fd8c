/* A rate (kube_rate.h) that several clients of one server keep to together, each on a thread of its
 * own. Its functions may be called from any thread. */
#ifndef HUDDLE_KUBE_LIMIT_H
#define HUDDLE_KUBE_LIMIT_H

#include "controller/kube_client/kube_rate.h"
#include "proto/base/cleanup.h"

struct kube_limit;

struct kube_limit *kube_limit_new(void);
void kube_limit_free(struct kube_limit *l); /* after its clients; accepts NULL */
DEFINE_AUTO(kube_limit, struct kube_limit *, kube_limit_free);

/* As of kube_rate.h. */
int64_t kube_limit_take(struct kube_limit *l, const struct kube_rate_need *need, int64_t now_ms);
bool kube_limit_spare(struct kube_limit *l, int64_t now_ms);
void kube_limit_hold(struct kube_limit *l, int64_t now_ms, int64_t retry_after_ms, double jitter);

#endif
