/* What a node has room for, and what pods ask: as far as anybody but the scheduler can see. */
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "controller/substrate/kube_cluster_private.h"
#include "controller/substrate/kube_stage.h"
#include "proto/base/random.h"

#define HOST_KEY "kubernetes.io/hostname"

static uint64_t mix(uint64_t digest, const char *text)
{
    return random_mix(digest ^ random_hash(text)) + 0x9e3779b97f4a7c15u;
}

static uint64_t mix_number(uint64_t digest, int64_t n)
{
    return random_mix(digest ^ (uint64_t)n) + 0x9e3779b97f4a7c15u;
}

static uint64_t mix_json(uint64_t digest, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    digest = mix(digest, text ? text : "");
    free(text);
    return digest;
}

/* Of all that says on which nodes it may stand. */
uint64_t kube_fit_of(const struct view_pod *p)
{
    uint64_t d = p->claims.n ? mix(1, p->meta.namespace) : 1;

    for (size_t i = 0; i < p->node_selector.n; i++)
        d = mix(mix(d, p->node_selector.pair[i].key), p->node_selector.pair[i].value);
    d = mix_json(d, p->affinity);
    ARRAY_FOREACH(t, p, toleration)
        d = mix_number(mix(mix(d, t->key), t->value), (int64_t)t->operator* 8 + t->effect);
    for (size_t i = 0; i < p->claims.n; i++)
        d = mix(d, p->claims.item[i]);
    return d;
}

/* And of what it asks of them, and who made it. */
uint64_t kube_shape_of(const struct view_pod *p)
{
    uint64_t d = mix(mix(mix(kube_fit_of(p), p->meta.namespace), p->meta.owner.uid), p->scheduler);

    ARRAY_FOREACH(a, &p->requests, item)
        d = mix_number(mix(d, a->name), a->milli);
    return d | 1;
}

/* How soon, and how cheaply, pods could be on it. One that cannot be woken is not waited for. */
enum kube_rank kube_room_rank(const struct kube_cluster *k, const struct kube_seen_node *n)
{
    const struct kube_seen_power *p = named_find(&k->powers, n->name);
    enum kube_stage stage = kube_stage_of(&n->view);
    const char *phase = p ? p->phase : "";

    if ((stage != KUBE_STAGE_DRAINING && stage != KUBE_STAGE_CLOSED) || n->view.cordoned)
        return KUBE_RANK_NONE;
    if (strcmp(phase, "quarantined") == 0 || strcmp(phase, "held") == 0 ||
        strcmp(phase, "unreachable") == 0)
        return KUBE_RANK_NONE;
    if (strcmp(phase, "asleep") == 0 || strcmp(phase, "sleeping") == 0)
        return KUBE_RANK_ASLEEP;
    if (strcmp(phase, "empty") == 0 || strcmp(phase, "preparing") == 0)
        return KUBE_RANK_EMPTY;
    if (strcmp(phase, "draining") == 0)
        return KUBE_RANK_LEAVING;
    return stage == KUBE_STAGE_CLOSED ? KUBE_RANK_COMING
                                      : KUBE_RANK_NONE; /* a person wants it drained */
}

/* Of a closed one what it had before it slept, if that is more: devices come late. */
int64_t kube_room_free(const struct kube_cluster *k, const struct kube_seen_node *n,
                       const char *name)
{
    const struct kube_seen_power *p = named_find(&k->powers, n->name);
    int64_t all = amounts_get(&n->view.allocatable, name), before;

    before =
        p && kube_stage_of(&n->view) == KUBE_STAGE_CLOSED ? amounts_get(&p->allocatable, name) : 0;
    return (before > all ? before : all) - amounts_get(&n->held, name) -
           amounts_get(&n->replicas, name);
}

int64_t kube_room_places(const struct kube_cluster *k, const struct kube_seen_node *n)
{
    if (amounts_get(&n->view.allocatable, "pods") == 0) /* not told */
        return INT64_MAX;
    return kube_room_free(k, n, "pods") / 1000 - n->n_pods;
}

static bool volumes_fit(const struct kube_cluster *k, const struct view_pod *p,
                        const struct view_node *n)
{
    for (size_t i = 0; i < p->claims.n; i++) {
        const struct survey_claim *c =
            survey_claim_of(&k->look, p->meta.namespace, p->claims.item[i]);
        const struct kube_volume *v = c && *c->volume ? named_find(&k->volumes, c->volume) : NULL;

        if (c && *c->volume && (!v || !view_selects_node(&v->user, n)))
            return false;
    }
    return true;
}

bool kube_room_fits(const struct kube_cluster *k, const struct view_pod *p,
                    const struct kube_seen_node *n)
{
    return kube_fits(p, &n->view) && volumes_fit(k, p, &n->view);
}

static bool avoids_itself(const struct view_pod *p)
{
    const json_t *term;
    size_t i;

    json_array_foreach(
        view_at(p->affinity, "podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution"), i,
        term) {
        struct label_selector selector = { 0 };
        bool self = label_selector_read(view_at(term, "labelSelector"), &selector) == 0 &&
                    label_selector_matches(&selector, &p->meta.labels);

        label_selector_done(&selector);
        if (self && strcmp(view_word(term, "topologyKey"), HOST_KEY) == 0)
            return true;
    }
    return false;
}

size_t kube_room_most(const struct view_pod *p)
{
    int64_t most = avoids_itself(p) ? 1 : INT32_MAX;

    ARRAY_FOREACH(s, p, spread)
        if (s->required && strcmp(s->topology_key, HOST_KEY) == 0 && s->max_skew < most)
            most = s->max_skew > 0 ? s->max_skew : 1;
    return (size_t)most;
}
