/* PodDisruptionBudgets that never let a pod of a model go: known before a move is planned. Whether
 * one lets a pod go just now is asked of the API server when it is moved (adopt_check.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/kube_cluster_private.h"

#define KEY_SIZE 600

struct kube_budget {
    char *key; /* NAMESPACE/NAME */
    struct view_budget view;
};

static void key_of(const char *namespace, const char *name, char key[KEY_SIZE])
{
    (void)snprintf(key, KEY_SIZE, "%.256s/%.256s", namespace, name);
}

void kube_budget_free(struct kube_budget *b)
{
    view_budget_done(&b->view);
    free(b->key);
    free(b);
}

/* Of policy/v1: an empty selector selects all. */
void kube_budget_put(struct kube_cluster *k, const json_t *object)
{
    struct view_budget view;
    struct kube_budget *b;
    char key[KEY_SIZE];

    if (view_budget_read(object, true, &view) < 0) {
        view_budget_done(&view);
        return;
    }
    key_of(view.meta.namespace, view.meta.name, key);
    b = named_find(&k->budgets, key);
    if (!b) {
        b = xcalloc(1, sizeof(*b));
        b->key = xstrdup(key);
        named_add(&k->budgets, b);
    }
    view_budget_done(&b->view);
    b->view = view;
}

void kube_budget_drop(struct kube_cluster *k, const struct kube_key *which)
{
    struct kube_budget *b;
    char key[KEY_SIZE];

    key_of(which->namespace, which->name, key);
    b = named_find(&k->budgets, key);
    if (!b)
        return;
    named_remove(&k->budgets, key);
    kube_budget_free(b);
}

/* Also when all of the workload's pods are healthy. */
static bool never_allows(const struct view_budget *b, const struct view_workload *w)
{
    return b->observed_generation == b->meta.generation && b->allowed < 1 && w->replicas > 0 &&
           b->desired_healthy >= w->replicas;
}

bool kube_budget_holds(const struct kube_cluster *k, const struct kube_workload *w,
                       char why[KUBE_WHY_MAX])
{
    const struct view_budget *found = NULL;
    char prefix[KEY_SIZE];
    int exact;

    key_of(w->view.meta.namespace, "", prefix);
    for (size_t i = named_position(&k->budgets, prefix, &exact); i < k->budgets.n_items; i++) {
        const struct kube_budget *b = (const struct kube_budget *)(void *)k->budgets.items[i];

        if (strncmp(b->key, prefix, strlen(prefix)) != 0)
            break;
        if (!label_selector_matches(&b->view.selector, &w->pod.meta.labels))
            continue;
        if (found) {
            (void)snprintf(why, KUBE_WHY_MAX,
                           "the PodDisruptionBudgets %.60s and %.60s both select its pods, and "
                           "Kubernetes evicts none of those: keep one",
                           found->meta.name, b->view.meta.name);
            return true;
        }
        found = &b->view;
    }
    if (!found || !never_allows(found, &w->view))
        return false;
    (void)snprintf(why, KUBE_WHY_MAX,
                   "the PodDisruptionBudget %.60s wants %lld of its %lld pods healthy, and never "
                   "lets one go: allow one to be missing, or run one more",
                   found->meta.name, (long long)found->desired_healthy,
                   (long long)w->view.replicas);
    return true;
}
