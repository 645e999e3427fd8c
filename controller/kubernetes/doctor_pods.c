/* Pods: those that hold their node, those that wait, and the budgets that protect them. */
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/doctor.h"
#include "controller/kubernetes/hold.h"
#include "controller/kubernetes/wait.h"
#include "proto/base/array.h"

/* --- what cannot be moved ----------------------------------------------------------------------
 */

struct held { /* one for each owner and reason */
    struct survey_owner owner;
    const struct view_pod *first;
    enum hold hold;
    size_t n;
};

static int by_owner(const void *a, const void *b)
{
    const struct held *x = a, *y = b;
    int r = strcmp(x->owner.uid, y->owner.uid);

    if (!r && !*x->owner.uid) /* of nobody: each for itself */
        r = strcmp(x->first->meta.uid, y->first->meta.uid);
    return r ? r : (int)x->hold - (int)y->hold;
}

static const char *known_kind(const char *kind) /* findings keep static words */
{
    static const char *const KIND[] = { "Deployment", "ReplicaSet", "StatefulSet", "Job" };

    for (size_t i = 0; i < ARRAY_LEN(KIND); i++)
        if (!strcmp(KIND[i], kind))
            return KIND[i];
    return "Pod";
}

static void tell_held(const struct survey *s, const struct held *h, size_t n, struct findings *f)
{
    const struct view_pod *p = h->first;
    const char *kind = known_kind(h->owner.kind), *words = hold_words_of(s, p, h->hold);
    bool is_pod = !strcmp(kind, "Pod");

    findings_add(
        f, FINDING_STOPS, hold_code(h->hold), kind, p->meta.namespace,
        is_pod ? p->meta.name : h->owner.name,
        n == 1 ? finding_text("node %s cannot sleep: %s", p->node, words)
               : finding_text("%zu pods hold their nodes (%s and others): %s", n, p->node, words),
        finding_text("pod %s, owner %s", p->meta.name, *h->owner.kind ? h->owner.kind : "nobody"),
        hold_way_out(h->hold));
}

static void held_pods(const struct survey *s, struct findings *f)
{
    struct held *list = xcalloc(s->n_pod + 1, sizeof(*list));
    size_t n = 0;

    ARRAY_FOREACH(p, s, pod) {
        enum hold h = *p->node ? hold_of(s, p) : HOLD_NONE;

        if (h != HOLD_NONE)
            list[n++] = (struct held){ survey_owner_of(s, p), p, h, 1 };
    }
    if (n)
        qsort(list, n, sizeof(*list), by_owner);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && by_owner(&list[i], &list[end]) == 0;)
            end++;
        tell_held(s, &list[i], end - i, f);
    }
    free(list);
}

/* A static pod that only some of the pool's nodes have is no daemon of the pool. */
static void static_pods(const struct survey *s, struct findings *f)
{
    ARRAY_FOREACH(p, s, pod) {
        size_t length = strlen(p->meta.name), tail = strlen(p->node), same = 0, workers = 0;

        if (!p->mirror || length <= tail + 1)
            continue;
        ARRAY_FOREACH(n, s, node) {
            if (!strcmp(n->meta.name, p->node) && sleepers_is_control_plane(n))
                same = SIZE_MAX / 2; /* of the control plane: told with its node */
            workers += !sleepers_is_control_plane(n);
        }
        ARRAY_FOREACH(q, s, pod)
            same += q->mirror && strlen(q->meta.name) > strlen(q->node) + 1 &&
                    strlen(q->meta.name) - strlen(q->node) == length - tail &&
                    !strncmp(p->meta.name, q->meta.name, length - tail);
        if (same < workers)
            findings_add(f, FINDING_STOPS, "StaticPod", "Pod", p->meta.namespace, p->meta.name,
                         finding_text("node %s runs a static pod that other nodes do not have: it "
                                      "would end with the node",
                                      p->node),
                         finding_text("a mirror pod; %zu of %zu nodes have it", same, workers),
                         "let a Deployment run it, or keep this node out of the PowerPool");
    }
}

static void waiting_pods(const struct survey *s, struct findings *f)
{
    ARRAY_FOREACH(p, s, pod) {
        enum wait w = wait_of(s, p);

        if (w >= WAIT_ROOM)
            findings_add(
                f, FINDING_NOTE, wait_code(w), "Pod", p->meta.namespace, p->meta.name,
                w == WAIT_ROOM
                    ? xstrdup("it finds no node: huddle would wake one that it fits")
                    : finding_text("it waits for %s: huddle wakes no node for it", wait_words(w)),
                xstrdup(p->reason), wait_way_out(w));
    }
}

void doctor_pods(const struct survey *s, struct findings *f)
{
    held_pods(s, f);
    static_pods(s, f);
    waiting_pods(s, f);
}

/* --- budgets -----------------------------------------------------------------------------------
 */

static bool protects(const struct view_budget *b, const struct view_pod *p)
{
    return !strcmp(b->meta.namespace, p->meta.namespace) &&
           label_selector_matches(&b->selector, &p->meta.labels);
}

static bool protects_both(const struct survey *s, const struct view_budget *a,
                          const struct view_budget *b, const struct view_pod **ret_pod)
{
    ARRAY_FOREACH(p, s, pod)
        if (!view_is_daemon(p) && !view_is_finished(p) && protects(a, p) && protects(b, p)) {
            *ret_pod = p;
            return true;
        }
    return false;
}

void doctor_budgets(const struct survey *s, struct findings *f)
{
    for (size_t i = 0; i < s->n_budget; i++) {
        const struct view_budget *b = &s->budget[i];
        const struct view_pod *p = NULL;

        if (b->allowed == 0 && protects_both(s, b, b, &p))
            findings_add(f, FINDING_STOPS, "BudgetAllowsNone", "PodDisruptionBudget",
                         b->meta.namespace, b->meta.name,
                         xstrdup("it allows no disruption: none of its pods can be moved"),
                         finding_text("disruptionsAllowed 0: %lld healthy, %lld wanted",
                                      (long long)b->current_healthy, (long long)b->desired_healthy),
                         "run one replica more than it wants, or lower minAvailable (raise "
                         "maxUnavailable)");
        for (size_t k = i + 1; k < s->n_budget; k++)
            if (!strcmp(b->meta.namespace, s->budget[k].meta.namespace) &&
                protects_both(s, b, &s->budget[k], &p))
                findings_add(f, FINDING_STOPS, "BudgetsOverlap", "PodDisruptionBudget",
                             b->meta.namespace, b->meta.name,
                             finding_text("it and %s protect the same pod: evictions fail with 500",
                                          s->budget[k].meta.name),
                             finding_text("both select pod %s", p->meta.name),
                             "make their selectors exclude each other");
    }
}
