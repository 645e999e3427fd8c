/* Two parts are shared, each found by a digest and then compared whole: labels, for those of a
 * StatefulSet's pods differ, and the rest. What has the digest of something else is not shared. */
#include "controller/substrate/kube_pod_share.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/random.h"

#define NAME_SIZE 17 /* a digest in hexadecimal */

struct kube_labels {
    char *name; /* the digest */
    size_t users;
    struct string_map map;
};

struct kube_pod_like {
    char *name;
    size_t users;
    struct view_pod view; /* only what lend() names */
};

/* --- alike? -------------------------------------------------------------------------------------
 */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool same_map(const struct string_map *a, const struct string_map *b)
{
    bool same = a->n == b->n;

    for (size_t i = 0; same && i < a->n; i++)
        same = same_text(a->pair[i].key, b->pair[i].key) &&
               same_text(a->pair[i].value, b->pair[i].value);
    return same;
}

static bool same_amounts(const struct amounts *a, const struct amounts *b)
{
    bool same = a->n_item == b->n_item;

    for (size_t i = 0; same && i < a->n_item; i++)
        same = a->item[i].milli == b->item[i].milli && same_text(a->item[i].name, b->item[i].name);
    return same;
}

static bool same_tolerations(const struct view_pod *a, const struct view_pod *b)
{
    bool same = a->n_toleration == b->n_toleration;

    for (size_t i = 0; same && i < a->n_toleration; i++) {
        const struct view_toleration *x = &a->toleration[i], *y = &b->toleration[i];

        same = same_text(x->key, y->key) && same_text(x->value, y->value) &&
               x->operator== y->operator&& x->effect == y->effect;
    }
    return same;
}

static bool same_requirement(const struct label_requirement *a, const struct label_requirement *b)
{
    bool same = same_text(a->key, b->key) && a->operator== b->operator&& a->values.n == b->values.n;

    for (size_t i = 0; same && i < a->values.n; i++)
        same = same_text(a->values.item[i], b->values.item[i]);
    return same;
}

static bool same_selector(const struct label_selector *a, const struct label_selector *b)
{
    bool same = a->none == b->none && a->n_item == b->n_item;

    for (size_t i = 0; same && i < a->n_item; i++)
        same = same_requirement(&a->item[i], &b->item[i]);
    return same;
}

static bool same_spread(const struct view_pod *a, const struct view_pod *b)
{
    bool same = a->n_spread == b->n_spread;

    for (size_t i = 0; same && i < a->n_spread; i++) {
        const struct view_spread *x = &a->spread[i], *y = &b->spread[i];

        same = same_text(x->topology_key, y->topology_key) && x->max_skew == y->max_skew &&
               x->min_domains == y->min_domains && x->required == y->required &&
               x->honors_taints == y->honors_taints && x->ignores_affinity == y->ignores_affinity &&
               x->by_revision == y->by_revision && same_selector(&x->selector, &y->selector);
    }
    return same;
}

static bool same_affinity(const struct view_pod *a, const struct view_pod *b)
{
    return a->affinity == b->affinity ||
           (a->affinity && b->affinity && json_equal(a->affinity, b->affinity));
}

/* Of all that lend() names. */
static bool same(const struct view_pod *a, const struct view_pod *b)
{
    return same_text(a->meta.namespace, b->meta.namespace) &&
           same_map(&a->meta.annotations, &b->meta.annotations) &&
           same_text(a->meta.owner.api_version, b->meta.owner.api_version) &&
           same_text(a->meta.owner.kind, b->meta.owner.kind) &&
           same_text(a->meta.owner.name, b->meta.owner.name) &&
           same_text(a->meta.owner.uid, b->meta.owner.uid) && same_text(a->phase, b->phase) &&
           same_text(a->nominated_node, b->nominated_node) &&
           same_text(a->scheduler, b->scheduler) && same_text(a->reason, b->reason) &&
           same_amounts(&a->requests, &b->requests) &&
           same_map(&a->node_selector, &b->node_selector) && same_affinity(a, b) &&
           same_tolerations(a, b) && same_spread(a, b);
}

/* --- digests ------------------------------------------------------------------------------------
 */

static uint64_t mix(uint64_t digest, const char *text)
{
    return random_mix(digest ^ random_hash(text)) + 0x9e3779b97f4a7c15u;
}

static uint64_t mix_map(uint64_t digest, const struct string_map *m)
{
    for (size_t i = 0; i < m->n; i++)
        digest = mix(mix(digest, m->pair[i].key), m->pair[i].value);
    return digest;
}

/* Pods of one owner are told from others by its uid; what a part of them has more is in here. */
static uint64_t digest_of(const struct view_pod *p)
{
    uint64_t d = mix(mix(mix(1, p->meta.namespace), p->meta.owner.kind), p->meta.owner.uid);

    d = mix(mix(mix_map(d, &p->meta.annotations), p->phase), p->nominated_node);
    return mix_map(mix(mix(d, p->scheduler), p->reason), &p->node_selector);
}

static void name_of(uint64_t digest, char name[NAME_SIZE])
{
    (void)snprintf(name, NAME_SIZE, "%016" PRIx64, digest);
}

/* --- sharing ------------------------------------------------------------------------------------
 */

static void lend(struct view_pod *to, const struct view_pod *from)
{
    to->meta.namespace = from->meta.namespace;
    to->meta.annotations = from->meta.annotations;
    to->meta.owner = from->meta.owner;
    to->phase = from->phase;
    to->nominated_node = from->nominated_node;
    to->scheduler = from->scheduler;
    to->reason = from->reason;
    to->requests = from->requests;
    to->node_selector = from->node_selector;
    to->affinity = from->affinity;
    to->toleration = from->toleration;
    to->n_toleration = from->n_toleration;
    to->cap_toleration = from->cap_toleration;
    to->spread = from->spread;
    to->n_spread = from->n_spread;
    to->cap_spread = from->cap_spread;
}

static struct kube_labels *share_labels(struct kube_pod_share *s, struct string_map *map)
{
    char name[NAME_SIZE];
    struct kube_labels *l;

    name_of(mix_map(1, map), name);
    l = named_find(&s->labels, name);
    if (l && !same_map(&l->map, map))
        return NULL;
    if (l) {
        string_map_done(map);
    } else {
        l = xcalloc(1, sizeof(*l));
        l->name = xstrdup(name);
        l->map = *map;
        named_add(&s->labels, l);
    }
    l->users++;
    *map = l->map;
    return l;
}

static struct kube_pod_like *share_rest(struct kube_pod_share *s, struct view_pod *p)
{
    struct view_pod part = { 0 };
    struct kube_pod_like *like;
    char name[NAME_SIZE];

    name_of(digest_of(p), name);
    like = named_find(&s->likes, name);
    if (like && !same(&like->view, p))
        return NULL;
    lend(&part, p);
    if (like) {
        view_pod_done(&part);
    } else {
        like = xcalloc(1, sizeof(*like));
        like->name = xstrdup(name);
        like->view = part;
        named_add(&s->likes, like);
    }
    like->users++;
    lend(p, &like->view);
    return like;
}

void kube_pod_share_take(struct kube_pod_share *s, struct view_pod *p,
                         struct kube_pod_shared *ret_shared)
{
    ret_shared->labels = share_labels(s, &p->meta.labels);
    ret_shared->like = share_rest(s, p);
}

static void labels_unref(struct kube_pod_share *s, struct kube_labels *l)
{
    if (--l->users > 0)
        return;
    named_remove(&s->labels, l->name);
    string_map_done(&l->map);
    free(l->name);
    free(l);
}

static void like_unref(struct kube_pod_share *s, struct kube_pod_like *like)
{
    if (--like->users > 0)
        return;
    named_remove(&s->likes, like->name);
    view_pod_done(&like->view);
    free(like->name);
    free(like);
}

void kube_pod_share_give(struct kube_pod_share *s, struct view_pod *p,
                         struct kube_pod_shared *shared)
{
    const struct view_pod nothing = { 0 };

    if (shared->labels)
        p->meta.labels = nothing.meta.labels;
    if (shared->like)
        lend(p, &nothing);
    view_pod_done(p);
    if (shared->labels)
        labels_unref(s, shared->labels);
    if (shared->like)
        like_unref(s, shared->like);
    *shared = (struct kube_pod_shared){ 0 };
}

void kube_pod_share_done(struct kube_pod_share *s)
{
    named_done(&s->labels);
    named_done(&s->likes);
}
