/* How often a client may ask: a token bucket, and a hold for when the server itself has had enough.
 * Pure. */
#ifndef HUDDLE_KUBE_RATE_H
#define HUDDLE_KUBE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct kube_rate {
    double tokens;
    int64_t since_ms; /* when `tokens` was counted; 0: not yet, the bucket is full */
    int64_t held_ms;  /* nothing goes before this time */
};

#define KUBE_RATE_PER_S 20
#define KUBE_RATE_BURST 40

struct kube_rate_need {
    bool free;   /* it takes no token: only a hold keeps it back */
    bool prompt; /* no hold keeps it back */
    int leave;   /* so many tokens are left to others */
};

/* 0: go, and it is counted; else when to ask again. */
int64_t kube_rate_take(struct kube_rate *r, const struct kube_rate_need *need, int64_t now_ms);

/* Is half of the bucket there for those that can do without? */
bool kube_rate_spare(const struct kube_rate *r, int64_t now_ms);

/* The server has had enough: nothing goes for `retry_after_ms` (0: it did not say, 1 s; at most 30
 * s) and up to half as long again by `jitter`, 0..1, for not all to come back at once. */
void kube_rate_hold(struct kube_rate *r, int64_t now_ms, int64_t retry_after_ms, double jitter);

#endif
