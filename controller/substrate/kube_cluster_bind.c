/* Pods that ask for huddle as their scheduler, dealt to nodes: the fullest that has room takes a
 * pod, so that the others stay empty (best fit by the dominant share). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/bind.h"
#include "controller/substrate/kube_cluster_private.h"
#include "controller/substrate/kube_stage.h"

#define A_ROUND 100 /* pods; the others have their turn in the next ones */
#define ONE 1000    /* of "pods", in thousandths as all amounts */

struct room {
    struct kube_seen_node *node;
    struct amounts free;
    bool open, ports; /* ports: a pod there has one of the host's */
};

struct dealing {
    struct kube_cluster *k;
    const struct kube_bind_hand *hand;
    struct room *rooms; /* ascending by name */
    size_t n_rooms;
    const struct view_pod **pods;
    size_t n_pods, cap_pods;
};

/* --- room ---------------------------------------------------------------------------------------
 */

static void find_rooms(struct dealing *d)
{
    d->rooms = xcalloc(d->k->nodes.n_items + 1, sizeof(*d->rooms));
    for (size_t i = 0; i < d->k->nodes.n_items; i++) {
        struct kube_seen_node *n = (struct kube_seen_node *)(void *)d->k->nodes.items[i];
        enum kube_bind bind = d->hand->may(d->hand->data, n->name);
        struct room *r = &d->rooms[d->n_rooms];

        if (bind == KUBE_BIND_NEVER || !bind_is_dedicated(&n->view))
            continue;
        d->n_rooms++;
        r->node = n;
        r->open = bind == KUBE_BIND_OPEN && n->view.ready && !n->view.cordoned &&
                  !n->view.meta.deleting && !n->unknown &&
                  kube_stage_of(&n->view) < KUBE_STAGE_DRAINING;
        amounts_add(&r->free, &n->view.allocatable);
    }
}

static struct room *room_of(const struct dealing *d, const char *node)
{
    size_t from = 0, to = d->n_rooms;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = strcmp(d->rooms[middle].node->name, node);

        if (order == 0)
            return &d->rooms[middle];
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static void take(struct room *r, const struct view_pod *p)
{
    if (!r)
        return;
    ARRAY_FOREACH(a, &p->requests, item)
        amounts_set(&r->free, a->name, amounts_get(&r->free, a->name) - a->milli);
    amounts_set(&r->free, "pods", amounts_get(&r->free, "pods") - ONE);
    r->ports |= p->host_ports;
}

/* --- who waits ----------------------------------------------------------------------------------
 */

static int by_turn(const void *a, const void *b)
{
    const struct view_pod *p = *(const struct view_pod *const *)a,
                          *q = *(const struct view_pod *const *)b;

    if (p->priority != q->priority)
        return p->priority > q->priority ? -1 : 1;
    if (p->meta.created_wall_ms != q->meta.created_wall_ms)
        return p->meta.created_wall_ms < q->meta.created_wall_ms ? -1 : 1;
    return strcmp(p->meta.uid, q->meta.uid);
}

static bool is_waiting(const struct kube_seen_pod *p)
{
    return !p->unknown && bind_is_asked(&p->view);
}

/* Takes what is there off the rooms, and lists the pods whose turn may be. */
static void look_at_pods(struct dealing *d)
{
    for (size_t i = 0; i < d->k->pods.n_items; i++) {
        const struct kube_seen_pod *p = (struct kube_seen_pod *)(void *)d->k->pods.items[i];
        const char *node;

        if (p->unknown && !p->view.node)
            continue; /* nobody knows where it is */
        if (!p->unknown && view_is_finished(&p->view))
            continue;
        if (is_waiting(p)) {
            node = d->hand->bound(d->hand->data, p->uid);
            if (!node) {
                *ARRAY_ADD(d, pods) = &p->view;
                continue;
            }
        } else {
            node = *kube_place_of(p) ? kube_place_of(p) : p->view.nominated_node;
        }
        take(room_of(d, node), &p->view);
    }
    if (d->n_pods > 0)
        qsort(d->pods, d->n_pods, sizeof(*d->pods), by_turn);
}

/* --- dealing ------------------------------------------------------------------------------------
 */

/* The resource of which the room has too little; NULL: it has all. */
static const char *lacks(const struct room *r, const struct view_pod *p)
{
    ARRAY_FOREACH(a, &p->requests, item)
        if (a->milli > 0 && amounts_get(&r->free, a->name) < a->milli)
            return a->name;
    if (amounts_get(&r->free, "pods") < ONE)
        return "pods";
    return p->host_ports && r->ports ? "host ports" : NULL;
}

/* Of what the node has, the share that is taken with this pod, of the resource where it is the
 * largest. */
static double fullness(const struct room *r, const struct view_pod *p)
{
    double most = 0;

    ARRAY_FOREACH(a, &r->node->view.allocatable, item) {
        int64_t asked = amounts_get(&p->requests, a->name);
        double share = a->milli > 0
                           ? 1 - (double)(amounts_get(&r->free, a->name) - asked) / (double)a->milli
                           : 0;

        if (asked > 0 && share > most)
            most = share;
    }
    return most;
}

static bool is_candidate(const struct room *r) /* rather not: it is to be emptied soon */
{
    return kube_stage_of(&r->node->view) == KUBE_STAGE_CANDIDATE;
}

static bool is_better(const struct room *a, const struct room *b, const struct view_pod *p)
{
    return !b ||
           (is_candidate(a) != is_candidate(b) ? is_candidate(b) : fullness(a, p) > fullness(b, p));
}

static void deal(struct dealing *d, const struct view_pod *p)
{
    size_t n_full = 0, n_away = 0, n_closed = 0;
    const char *lacking = NULL;
    struct room *best = NULL;
    char why[KUBE_WHY_MAX];
    struct kube_binding b = { .pod = p, .why = why };

    for (size_t i = 0; i < d->n_rooms; i++) {
        struct room *r = &d->rooms[i];
        const char *lack = lacks(r, p);

        if (!kube_fits(p, &r->node->view)) {
            n_away++;
        } else if (!r->open) {
            n_closed++;
        } else if (lack) {
            n_full++;
            lacking = lacking ? lacking : lack;
        } else if (is_better(r, best, p)) {
            best = r;
        }
    }
    (void)snprintf(
        why, sizeof(why),
        "0/%zu nodes to which huddle binds are free for it: %zu have too little (%.100s), "
        "%zu are not what it selects or tolerates, %zu are asleep, not ready or to be "
        "emptied",
        d->n_rooms, n_full, lacking ? lacking : "of nothing", n_away, n_closed);
    if (best) {
        b.node = best->node->name;
        b.why = "";
        take(best, p);
    }
    d->hand->binding(d->hand->data, &b);
}

static void refuse(const struct dealing *d, const struct view_pod *p, const char *why)
{
    d->hand->binding(d->hand->data,
                     &(struct kube_binding){ .pod = p, .unsupported = true, .why = why });
}

/* What was rejected closes its node, before rooms are looked for. False: nobody waits. */
static bool look_for_work(const struct kube_cluster *k, const struct kube_bind_hand *hand)
{
    bool waits = false;

    for (size_t i = 0; i < k->pods.n_items; i++) {
        const struct kube_seen_pod *p = (struct kube_seen_pod *)(void *)k->pods.items[i];

        waits |= is_waiting(p);
        if (!p->unknown && bind_is_rejected(&p->view))
            hand->rejected(hand->data, &p->view);
    }
    return waits;
}

void kube_cluster_bind(struct kube_cluster *k, const struct kube_bind_hand *hand)
{
    struct dealing d = { .k = k, .hand = hand };
    size_t dealt = 0;

    if (!look_for_work(k, hand))
        return;
    find_rooms(&d);
    look_at_pods(&d);
    for (size_t i = 0; i < d.n_pods && d.n_rooms > 0 && dealt < A_ROUND; i++) {
        const char *why = bind_unsupported(d.pods[i]);

        if (!hand->due(hand->data, d.pods[i]->meta.uid))
            continue;
        dealt++;
        if (why)
            refuse(&d, d.pods[i], why);
        else
            deal(&d, d.pods[i]);
    }
    for (size_t i = 0; i < d.n_rooms; i++)
        amounts_done(&d.rooms[i].free);
    free(d.rooms);
    free(d.pods);
}
