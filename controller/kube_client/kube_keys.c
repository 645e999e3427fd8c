/* Keys of the objects that are there: see kube_keys.h. */
#include "controller/kube_client/kube_keys.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/random.h"

#define FIRST_BUCKETS 16

static uint32_t hash_of(const struct kube_keys *k, const struct kube_key *key)
{
    return (uint32_t)random_mix(k->seed ^ random_mix(random_hash(key->namespace)) ^
                                random_hash(key->name));
}

static struct kube_held **bucket_of(const struct kube_keys *k, uint32_t hash)
{
    return &k->bucket[hash & (k->n_buckets - 1)];
}

void kube_keys_done(struct kube_keys *k)
{
    for (size_t i = 0; i < k->n_buckets; i++)
        for (struct kube_held *h = k->bucket[i], *next; h; h = next) {
            next = h->next;
            free(h);
        }
    free(k->bucket);
    *k = (struct kube_keys){ 0 };
}

struct kube_held *kube_keys_find(const struct kube_keys *k, const struct kube_key *key)
{
    uint32_t hash = hash_of(k, key);

    if (k->n_buckets == 0)
        return NULL;
    for (struct kube_held *h = *bucket_of(k, hash); h; h = h->next)
        if (h->hash == hash && strcmp(h->text, key->namespace) == 0 &&
            strcmp(h->text + h->name_at, key->name) == 0)
            return h;
    return NULL;
}

static void grow(struct kube_keys *k)
{
    struct kube_held **old = k->bucket;
    size_t n_old = k->n_buckets;

    k->n_buckets = n_old ? n_old * 2 : FIRST_BUCKETS;
    k->bucket = xcalloc(k->n_buckets, sizeof(struct kube_held *));
    for (size_t i = 0; i < n_old; i++)
        for (struct kube_held *h = old[i], *next; h; h = next) {
            struct kube_held **b = bucket_of(k, h->hash);

            next = h->next;
            h->next = *b;
            *b = h;
        }
    free(old);
}

struct kube_held *kube_keys_add(struct kube_keys *k, const struct kube_key *key)
{
    size_t namespace = strlen(key->namespace) + 1, name = strlen(key->name) + 1,
           uid = strlen(key->uid) + 1;
    struct kube_held *h, **b;

    if (namespace + name + uid > UINT16_MAX)
        return NULL;
    if (k->n == k->n_buckets)
        grow(k);
    h = xcalloc(1, sizeof(*h) + namespace + name + uid);
    h->hash = hash_of(k, key);
    h->name_at = (uint16_t) namespace;
    h->uid_at = (uint16_t)(namespace + name);
    memcpy(h->text, key->namespace, namespace);
    memcpy(h->text + h->name_at, key->name, name);
    memcpy(h->text + h->uid_at, key->uid, uid);
    b = bucket_of(k, h->hash);
    h->next = *b;
    *b = h;
    k->n++;
    return h;
}

void kube_keys_take(struct kube_keys *k, struct kube_held *held)
{
    struct kube_held **at = bucket_of(k, held->hash);

    while (*at != held)
        at = &(*at)->next;
    *at = held->next;
    k->n--;
}

struct kube_held *kube_keys_take_unseen(struct kube_keys *k, uint32_t pass, size_t *at)
{
    for (; *at < k->n_buckets; ++*at)
        for (struct kube_held *h = k->bucket[*at]; h; h = h->next)
            if (h->pass != pass) {
                kube_keys_take(k, h);
                return h;
            }
    return NULL;
}
