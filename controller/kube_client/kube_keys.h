/* The objects that a watch knows of, by key alone: who is there, to tell who has gone. One
 * allocation for each, a hash table over namespace and name; about 150 bytes an object. */
#ifndef HUDDLE_KUBE_KEYS_H
#define HUDDLE_KUBE_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/kube_client/kube_watch.h"

struct kube_held {
    struct kube_held *next; /* of the same bucket */
    uint32_t hash;
    uint32_t pass;    /* the listing that saw it last */
    uint16_t name_at; /* in `text`, where the namespace begins */
    uint16_t uid_at;
    char text[]; /* three strings */
};

struct kube_keys { /* zero is empty */
    struct kube_held **bucket;
    size_t n, n_buckets; /* a power of two, or 0 */
    uint64_t seed;       /* names are chosen by tenants */
};

void kube_keys_done(struct kube_keys *k);

/* The one with the namespace and name of `key`, or NULL. */
struct kube_held *kube_keys_find(const struct kube_keys *k, const struct kube_key *key);

/* Adds one that is not there. NULL when its texts are longer than any key of Kubernetes. */
struct kube_held *kube_keys_add(struct kube_keys *k, const struct kube_key *key);

/* Takes it out; the caller frees it. */
void kube_keys_take(struct kube_keys *k, struct kube_held *held);

/* Takes out one that `pass` did not see, looking from bucket *at on; NULL at the end. The table may
 * be changed between two calls of one pass, but nothing may be added. */
struct kube_held *kube_keys_take_unseen(struct kube_keys *k, uint32_t pass, size_t *at);

static inline struct kube_key kube_held_key(const struct kube_held *h)
{
    return (struct kube_key){ h->text, h->text + h->name_at, h->text + h->uid_at };
}

#endif
