/* Token buckets by key: see limiter.h. */
#include "controller/api/limiter.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "proto/base/array.h"
#include "proto/base/random.h"

#define SETS 1024
#define WAYS 4

struct bucket {
    uint64_t key; /* 0: unused */
    double tokens;
    int64_t at_ms; /* when there were so many */
};

struct limiter {
    double per_ms, burst;
    uint64_t seed;
    pthread_mutex_t lock; /* guards what follows */
    struct bucket buckets[SETS][WAYS];
};

struct limiter *limiter_new(double per_second, double burst, uint64_t seed)
{
    struct limiter *l = xcalloc(1, sizeof(*l));

    l->per_ms = per_second / 1000;
    l->burst = burst;
    l->seed = seed;
    (void)pthread_mutex_init(&l->lock, NULL);
    return l;
}

void limiter_free(struct limiter *l)
{
    if (!l)
        return;
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

static double tokens_now(const struct limiter *l, const struct bucket *b, int64_t now_ms)
{
    return b->key ? fmin(l->burst, b->tokens + (double)(now_ms - b->at_ms) * l->per_ms) : INFINITY;
}

/* The key's bucket, or the fullest of its set made anew. */
static struct bucket *find_bucket(struct limiter *l, uint64_t key, int64_t now_ms)
{
    struct bucket *set = l->buckets[key % SETS], *fullest = set;

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (tokens_now(l, &set[i], now_ms) > tokens_now(l, fullest, now_ms))
            fullest = &set[i];
    }
    *fullest = (struct bucket){ key, l->burst, now_ms };
    return fullest;
}

/* How long until there is one; takes it if there is, and it is wanted. */
static int64_t draw(struct limiter *l, const char *key, double wanted, int64_t now_ms)
{
    uint64_t hash = random_mix(random_hash(key) ^ l->seed) | 1;
    struct bucket *b;
    double tokens;

    (void)pthread_mutex_lock(&l->lock);
    b = find_bucket(l, hash, now_ms);
    tokens = tokens_now(l, b, now_ms);
    b->tokens = tokens >= 1 ? tokens - wanted : tokens;
    b->at_ms = now_ms;
    (void)pthread_mutex_unlock(&l->lock);
    return tokens >= 1 ? 0 : (int64_t)ceil((1 - tokens) / l->per_ms);
}

int64_t limiter_take(struct limiter *l, const char *key, int64_t now_ms)
{
    return draw(l, key, 1, now_ms);
}

int64_t limiter_wait(struct limiter *l, const char *key, int64_t now_ms)
{
    return draw(l, key, 0, now_ms);
}
