/* What waking nodes for pods of one shape has helped: an open node with room that their scheduler
 * does not use says that room is not what they lack. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/kube_cluster_private.h"
#include "controller/substrate/kube_stage.h"
#include "proto/base/random.h"

#define SCHEDULER_MS 30000 /* so long it may take to use a node that has been opened */
#define AGAIN_MS 600000
#define AGAIN_MOST_MS 86400000

static struct kube_seen_node *node_at(const struct kube_cluster *k, size_t i)
{
    return (struct kube_seen_node *)(void *)k->nodes.items[i];
}

static struct kube_seen_pod *pod_at(const struct kube_cluster *k, size_t i)
{
    return (struct kube_seen_pod *)(void *)k->pods.items[i];
}

void kube_wake_try_free(struct kube_wake_try *t)
{
    string_list_done(&t->nodes);
    free(t->in_vain);
    free(t->name);
    free(t);
}

#define SHAPE_NAME 20

static void shape_name(uint64_t shape, char name[SHAPE_NAME])
{
    (void)snprintf(name, SHAPE_NAME, "%016llx", (unsigned long long)shape);
}

static struct kube_wake_try *try_of(const struct kube_cluster *k, uint64_t shape)
{
    char name[SHAPE_NAME];

    shape_name(shape, name);
    return named_find(&k->tries, name);
}

struct kube_wake_try *kube_wake_try(struct kube_cluster *k, uint64_t shape)
{
    struct kube_wake_try *t = try_of(k, shape);
    char name[SHAPE_NAME];

    if (!t) {
        shape_name(shape, name);
        t = xcalloc(1, sizeof(*t));
        t->name = xstrdup(name);
        named_add(&k->tries, t);
    }
    t->seen_ms = k->now_ms;
    return t;
}

/* A shape that comes back soon, by other pods, is not tried anew. */
void kube_wake_forget(struct kube_cluster *k)
{
    for (size_t i = k->tries.n_items; i-- > 0;) {
        struct kube_wake_try *t = (struct kube_wake_try *)(void *)k->tries.items[i];

        if (t->seen_ms == k->now_ms || (t->failed > 0 && k->now_ms < t->until_ms + t->pause_ms))
            continue;
        named_remove(&k->tries, t->name);
        kube_wake_try_free(t);
    }
}

/* --- what it helped -----------------------------------------------------------------------------
 */

static bool has_sibling(const struct kube_cluster *k, const struct view_pod *p, const char *node)
{
    for (size_t i = 0; i < k->pods.n_items; i++) {
        const struct view_pod *q = &pod_at(k, i)->view;

        if (!pod_at(k, i)->unknown && strcmp(q->node, node) == 0 &&
            strcmp(q->meta.namespace, p->meta.namespace) == 0 &&
            strcmp(q->meta.owner.uid, p->meta.owner.uid) == 0)
            return true;
    }
    return false;
}

/* An open node that would take the pod, as far as anybody but its scheduler can see. */
static bool would_take(const struct kube_cluster *k, const struct view_pod *p,
                       const struct kube_seen_node *n)
{
    ARRAY_FOREACH(a, &p->requests, item)
        if (kube_room_free(k, n, a->name) < a->milli)
            return false;
    if (kube_has_to_be_spread(p) && has_sibling(k, p, n->name))
        return false; /* its rules may keep it from there, not from others */
    return kube_room_places(k, n) > 0 && kube_room_fits(k, p, n);
}

static void due(struct kube_cluster *k, int64_t at_ms)
{
    if (at_ms < k->due_ms)
        k->due_ms = at_ms;
}

void kube_wake_look(struct kube_cluster *k)
{
    for (size_t i = 0; i < k->nodes.n_items; i++) {
        struct kube_seen_node *n = node_at(k, i);
        bool open =
            n->view.ready && !n->view.cordoned && kube_stage_of(&n->view) < KUBE_STAGE_DRAINING;

        n->pending[0] = '\0';
        n->opened_ms = !open ? 0 : n->opened_ms ? n->opened_ms : k->now_ms;
    }
}

static void fail(struct kube_cluster *k, struct kube_wake_try *t, const char *node)
{
    int64_t pause_ms = AGAIN_MS;

    for (unsigned i = 0; i < t->failed && pause_ms < AGAIN_MOST_MS; i++)
        pause_ms *= 2;
    t->failed++;
    t->pause_ms = pause_ms < AGAIN_MOST_MS ? pause_ms : AGAIN_MOST_MS;
    t->until_ms = k->now_ms + t->pause_ms;
    if (node != t->in_vain) {
        free(t->in_vain);
        t->in_vain = xstrdup(node);
    }
    string_list_done(&t->nodes);
    t->nodes = (struct string_list){ 0 };
}

static void forget_node(struct string_list *l, size_t i)
{
    free(l->item[i]);
    l->item[i] = l->item[--l->n];
}

/* What came of the nodes to which such pods were dealt. */
void kube_wake_judge(struct kube_cluster *k, struct kube_wake_try *t,
                     const struct kube_seen_pod *const *pod, size_t n, bool *ret_settling)
{
    const struct kube_seen_node *vain = t->in_vain ? named_find(&k->nodes, t->in_vain) : NULL;
    int64_t since_ms = pod[0]->waits_ms;

    for (size_t i = 1; i < n; i++)
        since_ms = pod[i]->waits_ms < since_ms ? pod[i]->waits_ms : since_ms;
    for (size_t i = t->nodes.n; i-- > 0 && t->nodes.n > 0;) {
        const struct kube_seen_node *on = named_find(&k->nodes, t->nodes.item[i]);
        bool open = on && on->opened_ms > 0;
        int64_t begun_ms = open && on->opened_ms > since_ms ? on->opened_ms : since_ms;

        if (on && !open && kube_room_rank(k, on) != KUBE_RANK_NONE)
            continue;
        if (open && k->now_ms - begun_ms < SCHEDULER_MS) {
            *ret_settling = true;
            due(k, begun_ms + SCHEDULER_MS);
        } else if (open && would_take(k, &pod[0]->view, on)) {
            fail(k, t, on->name);
        } else {
            forget_node(&t->nodes, i); /* it is gone, or others took its room */
        }
    }
    if (t->failed > 0 && t->until_ms <= k->now_ms && vain && vain->opened_ms > 0 &&
        k->now_ms - vain->opened_ms >= SCHEDULER_MS && would_take(k, &pod[0]->view, vain))
        fail(k, t, vain->name); /* it is not used yet */
}

bool kube_wake_waits(struct kube_cluster *k, const struct kube_wake_try *t)
{
    if (t->until_ms <= k->now_ms)
        return false;
    due(k, t->until_ms);
    return true;
}

void kube_wake_dealt(struct kube_wake_try *t, const char *name)
{
    struct string_list *l = &t->nodes;

    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->item[i], name) == 0)
            return;
    kube_list_add(l, name);
}

void kube_wake_narrow(const struct kube_cluster *k, struct kube_wake_try *t)
{
    for (size_t i = t->nodes.n; i-- > 0;) {
        const struct kube_seen_node *n = named_find(&k->nodes, t->nodes.item[i]);

        if (n && !n->opened_ms && !n->pending[0])
            forget_node(&t->nodes, i);
    }
}

/* --- saying so ----------------------------------------------------------------------------------
 */

/* Why no node is woken for it; "": one would be, or nobody asks. */
static void say_why(const struct kube_cluster *k, const struct kube_seen_pod *p,
                    char why[KUBE_WHY_MAX])
{
    enum wait w = p->unknown ? WAIT_NOT : wait_of(&k->look, &p->view);
    const struct kube_wake_try *t = w == WAIT_ROOM ? try_of(k, p->shape) : NULL;

    why[0] = '\0';
    if (w > WAIT_ROOM)
        (void)snprintf(why, KUBE_WHY_MAX, "no node is woken for it: it waits for %s; %s",
                       wait_words(w), wait_way_out(w));
    else if (t && t->until_ms > k->now_ms)
        (void)snprintf(why, KUBE_WHY_MAX,
                       "node %.80s was woken for such pods, and is not used: what they lack is not "
                       "room (kubectl describe pod); no other is woken for it in %lld min",
                       t->in_vain, (long long)(t->pause_ms / 60000));
}

void kube_wake_say(const struct kube_cluster *k)
{
    for (size_t i = 0; i < k->pods.n_items; i++) {
        const struct kube_seen_pod *p = pod_at(k, i);
        char why[KUBE_WHY_MAX], text[KUBE_WHY_MAX];

        if (p->unknown || *p->view.node || !p->model)
            continue;
        say_why(k, p, why);
        (void)snprintf(text, sizeof(text), "%.60s: %.230s", p->view.meta.name, why);
        if (why[0] && (!p->model->pending_why[0] || strcmp(text, p->model->pending_why) < 0))
            memcpy(p->model->pending_why, text, sizeof(text));
    }
}

static bool anybody_is_closed(const struct kube_cluster *k)
{
    for (size_t i = 0; i < k->nodes.n_items; i++)
        if (kube_room_rank(k, node_at(k, i)) != KUBE_RANK_NONE)
            return true;
    return false;
}

/* --- ... once for all that are alike ------------------------------------------------------------
 */

/* Pods of one shape that wait for one reason. */
struct kube_told_wait {
    char *name;                        /* both, as a number */
    size_t n, told;                    /* of this round; when it was told last; 0: it was not */
    const struct kube_seen_pod *first; /* of this round */
    int64_t seen_ms;
};

void kube_told_wait_free(struct kube_told_wait *w)
{
    free(w->name);
    free(w);
}

static struct kube_told_wait *told_at(const struct kube_cluster *k, size_t i)
{
    return (struct kube_told_wait *)(void *)k->waits.items[i];
}

static void count_wait(struct kube_cluster *k, const struct kube_seen_pod *p, uint64_t reason)
{
    uint64_t shape = p->shape ? p->shape : kube_shape_of(&p->view);
    struct kube_told_wait *w;
    char name[SHAPE_NAME];

    shape_name(random_mix(shape ^ reason), name);
    w = named_find(&k->waits, name);
    if (!w) {
        w = xcalloc(1, sizeof(*w));
        w->name = xstrdup(name);
        named_add(&k->waits, w);
    }
    w->first = w->n++ ? w->first : p;
    w->seen_ms = k->now_ms;
}

/* A gate is somebody's intent, and its pod hears nothing. */
static void count_waits(struct kube_cluster *k)
{
    bool closed = anybody_is_closed(k);
    char why[KUBE_WHY_MAX];

    for (size_t i = 0; i < k->waits.n_items; i++)
        told_at(k, i)->n = 0;
    for (size_t i = 0; i < k->pods.n_items; i++) {
        const struct kube_seen_pod *p = pod_at(k, i);
        const struct kube_wake_try *t = p->shape ? try_of(k, p->shape) : NULL;

        if (p->unknown || *p->view.node || p->view.gated || !(closed || t))
            continue;
        say_why(k, p, why);
        if (why[0])
            count_wait(k, p,
                       random_mix(random_hash(wait_of(&k->look, &p->view) > WAIT_ROOM ? why : "") ^
                                  (t ? t->failed : 0)));
    }
}

static void tell_wait(const struct kube_cluster *k, struct kube_told_wait *w,
                      const struct kube_sink *sink)
{
    const struct view_meta *meta = &w->first->view.meta;
    char why[KUBE_WHY_MAX], pod[600];

    say_why(k, w->first, why);
    (void)snprintf(pod, sizeof(pod), "%.256s/%.256s", meta->namespace, meta->name);
    w->told = w->n;
    sink->wait(sink->data, &(struct kube_wait_facts){ pod, w->first->uid, why, w->n });
}

/* Ten thousand pods of a Job are one word; ten times as many as were told are worth another. Those
 * that are gone are remembered for a while, for a pod like them may come again each minute. */
void kube_tell_waits(struct kube_cluster *k, const struct kube_sink *sink)
{
    if (!sink->wait)
        return;
    count_waits(k);
    for (size_t i = k->waits.n_items; i-- > 0;) {
        struct kube_told_wait *w = told_at(k, i);

        if (w->n > 0 && (w->told == 0 || w->n / 10 >= w->told))
            tell_wait(k, w, sink);
        if (k->now_ms - w->seen_ms < AGAIN_MS)
            continue;
        named_remove(&k->waits, w->name);
        kube_told_wait_free(w);
    }
}
