/* A node that sleeps stays a topology domain without pods for every constraint whose
 * nodeTaintsPolicy is Ignore: how many may sleep is what the constraints of all workloads leave. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/spread.h"
#include "controller/substrate/kube_cluster_private.h"
#include "controller/substrate/kube_stage.h"
#include "proto/base/random.h"

#define DEPLOYMENTS                                                               \
    (KUBE_KIND_DEPLOYMENTS - KUBE_KIND_REPLICA_SETS) /* in kube_cluster.workloads \
                                                      */

struct domain_node { /* a node that a constraint counts */
    const char *domain;
    struct kube_seen_node *node;
    bool open;
};

static int by_domain(const void *a, const void *b)
{
    const struct domain_node *x = a, *y = b;
    int r = strcmp(x->domain, y->domain);

    return r ? r : strcmp(x->node->name, y->node->name);
}

static bool counts(const struct view_spread *c, const struct view_pod *p, const struct view_node *n)
{
    if (!c->ignores_affinity && !view_selects_node(p, n))
        return false;
    ARRAY_FOREACH(t, n, taint)
        if (c->honors_taints && kube_taint_counts(n, t) && !view_tolerates(p, t))
            return false;
    return true;
}

static size_t find_places(const struct kube_cluster *k, const struct view_spread *c,
                          const struct view_pod *p, struct domain_node *place)
{
    size_t n = 0;

    for (size_t i = 0; i < k->nodes.n_items; i++) {
        struct kube_seen_node *node = (struct kube_seen_node *)(void *)k->nodes.items[i];
        const char *domain = string_map_get(&node->view.meta.labels, c->topology_key);

        if (domain && counts(c, p, &node->view))
            place[n++] =
                (struct domain_node){ domain, node,
                                      !node->view.cordoned && kube_fits(p, &node->view) &&
                                          kube_stage_of(&node->view) < KUBE_STAGE_DRAINING };
    }
    if (n)
        qsort(place, n, sizeof(*place), by_domain);
    return n;
}

static size_t end_of_domain(const struct domain_node *place, size_t n, size_t i, size_t *ret_open)
{
    size_t end = i;

    for (*ret_open = 0; end < n && strcmp(place[end].domain, place[i].domain) == 0; end++)
        *ret_open += place[end].open;
    return end;
}

/* On its way to sleep: it can still be turned back. */
static bool is_closing(const struct kube_cluster *k, const struct kube_seen_node *n)
{
    enum kube_rank rank = kube_room_rank(k, n);

    return rank == KUBE_RANK_LEAVING || rank == KUBE_RANK_EMPTY;
}

/* The only open nodes of their domains stay where no domain can be spared; where one too few is
 * left, so many that are being closed are to be turned back, the first by name. */
static void hold_places(const struct kube_cluster *k, const struct domain_node *place, size_t n,
                        int64_t spare, const char *why)
{
    int64_t back = -spare;
    size_t open;

    for (size_t i = 0, end; i < n; i = end) {
        bool turned = false;

        end = end_of_domain(place, n, i, &open);
        for (size_t j = i; j < end; j++) {
            bool closing = open == 0 && back > 0 && is_closing(k, place[j].node);

            if ((place[j].open && open == 1 && spare <= 0) || closing)
                kube_stays_for_spread(place[j].node, why);
            turned |= closing;
        }
        back -= turned;
    }
}

/* --- all ----------------------------------------------------------------------------------------
 */

/* Domains of a key are the same for all pods that fit alike: thousands of workloads are a few. */
struct domains {
    uint64_t alike;
    int64_t all, open;
};

struct round {
    const struct kube_cluster *k;
    struct domain_node *node; /* scratch */
    struct domains *domains;
    size_t n_domains, cap_domains;
};

static uint64_t alike(const struct kube_workload *w, const struct view_spread *c)
{
    uint64_t rules = (uint64_t)c->honors_taints << 1 | c->ignores_affinity;

    return random_mix(random_mix(w->fit ^ random_hash(c->topology_key)) + rules);
}

static const struct domains *domains_of(struct round *r, const struct kube_workload *w,
                                        const struct view_spread *c)
{
    uint64_t key = alike(w, c);
    struct domains *d;
    size_t n, open;

    ARRAY_FOREACH(known, r, domains)
        if (known->alike == key)
            return known;
    d = ARRAY_ADD(r, domains);
    d->alike = key;
    n = find_places(r->k, c, &w->pod, r->node);
    for (size_t i = 0; i < n; d->all++) {
        i = end_of_domain(r->node, n, i, &open);
        d->open += open > 0;
    }
    return d;
}

static void weigh(struct round *r, const struct kube_workload *w, const struct view_spread *c,
                  int64_t pods)
{
    const struct domains *d = domains_of(r, w, c);
    int64_t least = spread_least(c, pods, d->all);
    char why[KUBE_WHY_MAX];

    if (d->open > least)
        return;
    (void)snprintf(why, sizeof(why),
                   "%.40s/%.40s demands to be spread (%.40s, maxSkew %d, DoNotSchedule): with %d "
                   "pods %d domains have to be awake%s",
                   w->view.meta.namespace, w->view.meta.name, c->topology_key, (int)c->max_skew,
                   (int)pods, (int)least,
                   c->honors_taints ? "" : "; nodeTaintsPolicy: Honor would end that");
    hold_places(r->k, r->node, find_places(r->k, c, &w->pod, r->node), d->open - least, why);
}

/* A Deployment's ReplicaSets: it says all for them. What another controller's object owns (an Argo
 * Rollout, a KServe predictor, a LeaderWorkerSet) says for itself. */
static bool is_of_a_deployment(const struct kube_cluster *k, const struct view_workload *w)
{
    return strcmp(w->meta.owner.kind, "Deployment") == 0 &&
           strncmp(w->meta.owner.api_version, "apps/", strlen("apps/")) == 0 &&
           named_find(&k->workloads[DEPLOYMENTS], w->meta.owner.uid);
}

static void weigh_workload(struct round *r, const struct kube_workload *w, bool surges)
{
    if (!w->has_pod || is_of_a_deployment(r->k, &w->view))
        return;
    ARRAY_FOREACH(c, &w->pod, spread)
        if (c->required && label_selector_matches(&c->selector, &w->pod.meta.labels))
            weigh(r, w, c, spread_pods(c, &w->view, surges));
}

void kube_weigh_spread(struct kube_cluster *k)
{
    struct round r = { .k = k, .node = xcalloc(k->nodes.n_items + 1, sizeof(*r.node)) };

    for (size_t i = 0; i < ARRAY_LEN(k->workloads); i++)
        for (size_t j = 0; j < k->workloads[i].n_items; j++)
            weigh_workload(&r, (struct kube_workload *)(void *)k->workloads[i].items[j],
                           i == DEPLOYMENTS);
    free(r.domains);
    free(r.node);
}
