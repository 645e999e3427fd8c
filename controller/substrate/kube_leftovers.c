#include "controller/substrate/kube_leftovers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"

/* In which the core takes up what it knows, asks again for what it could not carry on, and watches
 * follow. */
#define GRACE_MS (KUBE_MOVE_AGAIN_MS + 5000)
#define PAUSE_MS 5000 /* behind the first order that has not helped; then twice as long again */
#define PAUSE_MOST_MS 600000

struct kube_try { /* to take one back */
    char *uid;
    int64_t due_ms;
    unsigned n;  /* orders that have not helped */
    bool given;  /* an order of ours is in hand */
    bool stands; /* of one look: it is left over still */
};

struct look { /* what is left over, now */
    struct kube_leftovers *l;
    const struct kube_leftovers_hand *hand;
    int64_t now_ms;
    struct kube_leftover *items;
    size_t n_items, cap_items;
};

/* --- what ServedModels tell ---------------------------------------------------------------------
 */

static void item_done(struct kube_leftover *x)
{
    free(x->model);
    free(x->pod);
    free(x->uid);
    free(x->node);
    free(x->kind);
    free(x->workload);
}

static struct kube_try *try_at(const struct kube_leftovers *l, size_t i)
{
    return (struct kube_try *)(void *)l->tries.items[i];
}

static void try_free(struct kube_try *t)
{
    free(t->uid);
    free(t);
}

void kube_leftovers_begin(struct kube_leftovers *l)
{
    for (size_t i = 0; i < l->tries.n_items; i++)
        try_free(try_at(l, i));
    named_done(&l->tries);
    l->tries = (struct named_set){ 0 };
}

void kube_leftovers_done(struct kube_leftovers *l)
{
    kube_leftovers_begin(l);
    ARRAY_FOREACH(x, l, items)
        item_done(x);
    free(l->items);
    *l = (struct kube_leftovers){ 0 };
}

static void add(struct kube_leftovers *l, const char *model, const json_t *object,
                const json_t *entry)
{
    char pod[600];

    if (!*view_word(entry, "victim") || !*view_word(entry, "victimUID"))
        return; /* not huddle's */
    (void)snprintf(pod, sizeof(pod), "%.253s/%.253s", view_word(object, "metadata.namespace"),
                   view_word(entry, "victim"));
    *ARRAY_ADD(l, items) =
        (struct kube_leftover){ .model = xstrdup(model),
                                .pod = xstrdup(pod),
                                .uid = view_copy(entry, "victimUID"),
                                .node = view_copy(entry, "node"),
                                .kind = view_copy(object, "spec.targetRef.kind"),
                                .workload = view_copy(object, "spec.targetRef.name"),
                                .base = view_integer(entry, "base", 0),
                                .base_generation = view_integer(entry, "generation", 0) };
}

void kube_leftovers_model(struct kube_leftovers *l, const char *model, const json_t *object)
{
    const json_t *entry;
    size_t i;

    for (i = l->n_items; i-- > 0;)
        if (strcmp(l->items[i].model, model) == 0) {
            item_done(&l->items[i]);
            ARRAY_REMOVE_SWAP(l, items, i);
        }
    json_array_foreach(view_at(object, "status.moves"), i, entry)
        add(l, model, object, entry);
}

/* --- when each is due ---------------------------------------------------------------------------
 */

static int64_t pause_ms(unsigned n)
{
    int64_t ms = PAUSE_MS;

    while (n-- > 1 && ms < PAUSE_MOST_MS)
        ms *= 2;
    return ms < PAUSE_MOST_MS ? ms : PAUSE_MOST_MS;
}

/* `wait_ms`: for so long after it was seen for the first time. */
static void see(struct look *x, const struct kube_leftover *o, int64_t wait_ms)
{
    struct kube_try *t = named_find(&x->l->tries, o->uid);

    if (!t) {
        t = xcalloc(1, sizeof(*t));
        t->uid = xstrdup(o->uid);
        t->due_ms = x->now_ms + wait_ms;
        named_add(&x->l->tries, t);
    }
    t->stands = true;
    *ARRAY_ADD(x, items) = (struct kube_leftover){ .model = xstrdup(o->model),
                                                   .pod = xstrdup(o->pod),
                                                   .uid = xstrdup(o->uid),
                                                   .node = xstrdup(o->node),
                                                   .kind = xstrdup(o->kind),
                                                   .workload = xstrdup(o->workload),
                                                   .base = o->base,
                                                   .base_generation = o->base_generation };
}

static void see_orphan(void *data, const char *pod, const char *uid, const char *node)
{
    const struct kube_leftover o = { .model = (char *)"",
                                     .pod = (char *)pod,
                                     .uid = (char *)uid,
                                     .node = (char *)node,
                                     .kind = (char *)"",
                                     .workload = (char *)"" };

    see(data, &o, 0);
}

/* How many orders of ours are in hand. */
static size_t follow_tries(struct look *x)
{
    size_t n = 0;

    for (size_t i = x->l->tries.n_items; i-- > 0;) {
        struct kube_try *t = try_at(x->l, i);
        bool has = x->hand->has(x->hand->data, t->uid);

        if (t->given && !has) {
            t->due_ms = x->now_ms + pause_ms(++t->n);
        } else if (has && !t->given) { /* the core's: it knows of it */
            t->due_ms = x->now_ms + GRACE_MS;
        }
        t->given &= has;
        n += t->given;
        if (!t->stands && !t->given) {
            named_remove(&x->l->tries, t->uid);
            try_free(t);
            continue;
        }
        t->stands = false;
    }
    return n;
}

/* The one that is due for longest; NULL: none is. */
static const struct kube_leftover *next_of(const struct look *x, struct kube_try **ret_try)
{
    const struct kube_leftover *next = NULL;

    ARRAY_FOREACH(o, x, items) {
        struct kube_try *t = named_find(&x->l->tries, o->uid);

        if (!t || t->given || t->due_ms > x->now_ms || (next && t->due_ms >= (*ret_try)->due_ms))
            continue;
        next = o;
        *ret_try = t;
    }
    return next;
}

void kube_leftovers_look(struct kube_leftovers *l, const struct kube_cluster *cluster,
                         const struct kube_leftovers_hand *hand, int64_t now_ms, int64_t wall_ms)
{
    struct look x = { .l = l, .hand = hand, .now_ms = now_ms };
    const struct kube_leftover *o;
    struct kube_try *t = NULL;
    size_t n;

    ARRAY_FOREACH(item, l, items)
        see(&x, item, GRACE_MS);
    kube_cluster_orphans(cluster, wall_ms, see_orphan, &x);
    n = follow_tries(&x);
    while (n < KUBE_LEFTOVERS_MOST && (o = next_of(&x, &t))) {
        hand->give(hand->data, &(struct kube_mover_order){ .model = o->model,
                                                           .pod = o->pod,
                                                           .uid = o->uid,
                                                           .node = o->node,
                                                           .abort = true,
                                                           .listed = *o->model != '\0',
                                                           .unrecorded = *o->model == '\0',
                                                           .base = o->base,
                                                           .base_generation = o->base_generation,
                                                           .kind = o->kind,
                                                           .workload = o->workload });
        t->given = true;
        n++;
    }
    ARRAY_FOREACH(item, &x, items)
        item_done(item);
    free(x.items);
}
