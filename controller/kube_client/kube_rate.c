/* A token bucket: see kube_rate.h. */
#include "controller/kube_client/kube_rate.h"

#define HOLD_MS 1000
#define HOLD_MOST_MS 30000

static double tokens_at(const struct kube_rate *r, int64_t now_ms)
{
    double tokens = r->since_ms == 0 ? KUBE_RATE_BURST : r->tokens;

    if (r->since_ms != 0 && now_ms > r->since_ms)
        tokens += (double)(now_ms - r->since_ms) * KUBE_RATE_PER_S / 1000;
    return tokens > KUBE_RATE_BURST ? KUBE_RATE_BURST : tokens;
}

int64_t kube_rate_take(struct kube_rate *r, const struct kube_rate_need *need, int64_t now_ms)
{
    double needed = 1.0 + need->leave;

    if (now_ms < r->held_ms && !need->prompt)
        return r->held_ms;
    if (need->free)
        return 0;
    r->tokens = tokens_at(r, now_ms);
    if (r->since_ms < now_ms) /* the turn of another thread may have begun later */
        r->since_ms = now_ms;
    if (r->tokens < needed)
        return now_ms + 1 + (int64_t)((needed - r->tokens) * 1000 / KUBE_RATE_PER_S);
    r->tokens -= 1;
    return 0;
}

bool kube_rate_spare(const struct kube_rate *r, int64_t now_ms)
{
    return now_ms >= r->held_ms && tokens_at(r, now_ms) >= KUBE_RATE_BURST / 2.0;
}

void kube_rate_hold(struct kube_rate *r, int64_t now_ms, int64_t retry_after_ms, double jitter)
{
    int64_t ms = retry_after_ms == 0 ? HOLD_MS : retry_after_ms;
    int64_t until_ms;

    if (ms > HOLD_MOST_MS)
        ms = HOLD_MOST_MS;
    until_ms = now_ms + ms + (int64_t)((double)ms / 2 * jitter);
    if (r->held_ms < until_ms)
        r->held_ms = until_ms;
}
