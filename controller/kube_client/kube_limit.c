/* A rate under a lock: see kube_limit.h. */
#include "controller/kube_client/kube_limit.h"

#include <pthread.h>
#include <stdlib.h>

#include "proto/base/array.h"

struct kube_limit {
    pthread_mutex_t lock;
    struct kube_rate rate;
};

struct kube_limit *kube_limit_new(void)
{
    struct kube_limit *l = xcalloc(1, sizeof(*l));

    (void)pthread_mutex_init(&l->lock, NULL);
    return l;
}

void kube_limit_free(struct kube_limit *l)
{
    if (!l)
        return;
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

int64_t kube_limit_take(struct kube_limit *l, const struct kube_rate_need *need, int64_t now_ms)
{
    int64_t at_ms;

    (void)pthread_mutex_lock(&l->lock);
    at_ms = kube_rate_take(&l->rate, need, now_ms);
    (void)pthread_mutex_unlock(&l->lock);
    return at_ms;
}

bool kube_limit_spare(struct kube_limit *l, int64_t now_ms)
{
    bool spare;

    (void)pthread_mutex_lock(&l->lock);
    spare = kube_rate_spare(&l->rate, now_ms);
    (void)pthread_mutex_unlock(&l->lock);
    return spare;
}

void kube_limit_hold(struct kube_limit *l, int64_t now_ms, int64_t retry_after_ms, double jitter)
{
    (void)pthread_mutex_lock(&l->lock);
    kube_rate_hold(&l->rate, now_ms, retry_after_ms, jitter);
    (void)pthread_mutex_unlock(&l->lock);
}
