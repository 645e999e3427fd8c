/* Pods that wait for a node: put on nodes that huddle has closed, as few as will do. Pods of one
 * shape are looked at together, so that ten thousand of a Job cost as one. The largest come first,
 * each shape onto the sleeper that takes most of it; with equal nodes and one resource that is
 * first fit decreasing (Johnson, "Near-optimal bin packing algorithms", 1973: within 11/9 of the
 * fewest). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/kube_cluster_private.h"

struct room { /* on a node that could be opened */
    struct kube_seen_node *node;
    enum kube_rank rank;
    int64_t *free; /* by resource */
    int64_t places;
    bool taken; /* somebody is put there in this round */
};

struct shape {
    struct kube_seen_pod **pod; /* into deal.pod */
    size_t n, most;             /* most: that may be on one node */
    int64_t *asks;              /* by resource */
    double size;                /* of the largest room, its largest part */
    struct kube_wake_try *try;
    bool settling; /* a node for it has just been opened: none is woken meanwhile */
};

struct deal {
    struct kube_cluster *k;
    struct kube_seen_pod **pod; /* that wait for a node; by shape */
    size_t n_pod, cap_pod;
    struct shape *shape;
    size_t n_shape, cap_shape;
    const char **resource; /* that are asked for */
    size_t n_resource, cap_resource;
    struct room *room;
    size_t n_room, cap_room;
    int64_t *amounts; /* of all rooms and shapes */
    char *fit;        /* by room, for pods of `fit_of`: 'y', 'n', or not asked yet */
    uint64_t fit_of;
};

static struct kube_seen_node *node_at(const struct kube_cluster *k, size_t i)
{
    return (struct kube_seen_node *)(void *)k->nodes.items[i];
}

static struct kube_seen_pod *pod_at(const struct kube_cluster *k, size_t i)
{
    return (struct kube_seen_pod *)(void *)k->pods.items[i];
}

/* --- shapes -------------------------------------------------------------------------------------
 */

static int by_shape(const void *a, const void *b)
{
    const struct kube_seen_pod *x = *(struct kube_seen_pod *const *)a,
                               *y = *(struct kube_seen_pod *const *)b;

    if (x->shape != y->shape)
        return x->shape < y->shape ? -1 : 1;
    return strcmp(x->uid, y->uid);
}

static void find_pods(struct deal *d)
{
    for (size_t i = 0; i < d->k->pods.n_items; i++) {
        struct kube_seen_pod *p = pod_at(d->k, i);

        if (p->unknown || !p->shape || wait_of(&d->k->look, &p->view) != WAIT_ROOM) {
            p->waits_ms = 0;
            continue;
        }
        if (p->waits_ms == 0)
            p->waits_ms = d->k->now_ms;
        *ARRAY_ADD(d, pod) = p;
    }
    if (d->n_pod)
        qsort(d->pod, d->n_pod, sizeof(struct kube_seen_pod *), by_shape);
    for (size_t i = 0, end; i < d->n_pod; i = end) {
        struct shape *s = ARRAY_ADD(d, shape);

        for (end = i + 1; end < d->n_pod && d->pod[end]->shape == d->pod[i]->shape;)
            end++;
        s->pod = &d->pod[i];
        s->n = end - i;
        s->most = kube_room_most(&s->pod[0]->view);
    }
}

static const struct view_pod *pod_of(const struct shape *s)
{
    return &s->pod[0]->view;
}

/* --- rooms --------------------------------------------------------------------------------------
 */

static void find_resources(struct deal *d)
{
    ARRAY_FOREACH(s, d, shape)
        ARRAY_FOREACH(a, &pod_of(s)->requests, item) {
            size_t i = 0;

            while (i < d->n_resource && strcmp(d->resource[i], a->name) != 0)
                i++;
            if (i == d->n_resource && a->milli > 0)
                *ARRAY_ADD(d, resource) = a->name;
        }
}

static void find_rooms(struct deal *d)
{
    for (size_t i = 0; d->n_shape && i < d->k->nodes.n_items; i++) {
        struct kube_seen_node *n = node_at(d->k, i);
        enum kube_rank rank = kube_room_rank(d->k, n);

        if (rank != KUBE_RANK_NONE)
            *ARRAY_ADD(d, room) =
                (struct room){ .node = n, .rank = rank, .places = kube_room_places(d->k, n) };
    }
}

/* Rooms and shapes as vectors over the resources that are asked for. */
static void measure(struct deal *d)
{
    size_t r = d->n_resource, at = 0;
    int64_t *most = xcalloc(r + 1, sizeof(*most));

    d->fit = xcalloc(d->n_room + 1, 1);
    d->amounts = xcalloc((d->n_room + d->n_shape) * r + 1, sizeof(*d->amounts));
    ARRAY_FOREACH(room, d, room) {
        room->free = &d->amounts[at];
        at += r;
        for (size_t i = 0; i < r; i++) {
            room->free[i] = kube_room_free(d->k, room->node, d->resource[i]);
            most[i] = room->free[i] > most[i] ? room->free[i] : most[i];
        }
    }
    ARRAY_FOREACH(s, d, shape) {
        s->asks = &d->amounts[at];
        at += r;
        for (size_t i = 0; i < r; i++) {
            double part;

            s->asks[i] = amounts_get(&pod_of(s)->requests, d->resource[i]);
            part = most[i] > 0 ? (double)s->asks[i] / (double)most[i] : 0;
            s->size = part > s->size ? part : s->size;
        }
    }
    free(most);
}

/* --- dealing ------------------------------------------------------------------------------------
 */

static bool fits_room(const struct deal *d, const struct shape *s, const struct room *room)
{
    char *fit = &d->fit[room - d->room];

    if (!*fit)
        *fit = kube_room_fits(d->k, pod_of(s), room->node) ? 'y' : 'n';
    return *fit == 'y';
}

/* How many of n the room takes. */
static size_t takes(const struct deal *d, const struct shape *s, const struct room *room, size_t n)
{
    n = s->most < n ? s->most : n;
    for (size_t i = 0; i < d->n_resource && n > 0; i++) {
        int64_t times;

        if (s->asks[i] <= 0)
            continue;
        times = room->free[i] > 0 ? room->free[i] / s->asks[i] : 0;
        n = (uint64_t)times < n ? (size_t)times : n;
    }
    n = room->places <= 0 ? 0 : (uint64_t)room->places < n ? (size_t)room->places : n;
    return n > 0 && fits_room(d, s, room) ? n : 0;
}

static size_t put(const struct deal *d, const struct shape *s, struct room *room, size_t n)
{
    const struct view_meta *meta = &pod_of(s)->meta;

    if (n == 0)
        return 0;
    for (size_t i = 0; i < d->n_resource; i++)
        room->free[i] -= s->asks[i] * (int64_t)n;
    if (room->places != INT64_MAX)
        room->places -= (int64_t)n;
    room->taken = true;
    kube_wake_dealt(s->try, room->node->name);
    if (!room->node->pending[0])
        (void)snprintf(room->node->pending, sizeof(room->node->pending),
                       "%.60s/%.60s cannot be scheduled elsewhere, and fits here", meta->namespace,
                       meta->name);
    return n;
}

/* One more sleeper: the one that takes most of them, of these the smallest. */
static struct room *best_sleeper(const struct deal *d, const struct shape *s, size_t n)
{
    struct room *best = NULL;
    size_t most = 0;

    ARRAY_FOREACH(room, d, room) {
        size_t can = room->rank == KUBE_RANK_ASLEEP && !room->taken ? takes(d, s, room, n) : 0;

        if (can > most ||
            (can > 0 && can == most && d->n_resource > 0 && room->free[0] < best->free[0])) {
            best = room;
            most = can;
        }
    }
    return best;
}

/* Those that were not placed. */
static size_t deal_shape(struct deal *d, const struct shape *s)
{
    size_t left = s->n;

    if (d->fit_of != s->pod[0]->fit)
        memset(d->fit, 0, d->n_room);
    d->fit_of = s->pod[0]->fit;
    for (int rank = 0; rank < KUBE_RANK_COUNT && left > 0; rank++)
        ARRAY_FOREACH(room, d, room)
            if ((int)room->rank == rank && (rank < KUBE_RANK_ASLEEP || room->taken) && left > 0)
                left -= put(d, s, room, takes(d, s, room, left));
    while (left > 0 && !s->settling) {
        struct room *room = best_sleeper(d, s, left);

        if (!room)
            break;
        left -= put(d, s, room, takes(d, s, room, left));
    }
    return left;
}

static int by_size(const void *a, const void *b)
{
    const struct shape *x = a, *y = b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    if (x->pod[0]->fit != y->pod[0]->fit)
        return x->pod[0]->fit < y->pod[0]->fit ? -1 : 1;
    return strcmp(x->try->name, y->try->name);
}

static void find_tries(struct deal *d)
{
    ARRAY_FOREACH(s, d, shape) {
        s->try = kube_wake_try(d->k, s->pod[0]->shape);
        kube_wake_judge(d->k, s->try, (const struct kube_seen_pod *const *)s->pod, s->n,
                        &s->settling);
    }
}

/* --- all ----------------------------------------------------------------------------------------
 */

void kube_deal_pending(struct kube_cluster *k)
{
    struct deal d = { .k = k };

    kube_wake_look(k);
    find_pods(&d);
    find_resources(&d);
    find_rooms(&d);
    measure(&d);
    find_tries(&d);
    kube_wake_forget(k);
    if (d.n_shape)
        qsort(d.shape, d.n_shape, sizeof(*d.shape), by_size);
    ARRAY_FOREACH(s, &d, shape) {
        if (!kube_wake_waits(k, s->try))
            (void)deal_shape(&d, s);
    }
    ARRAY_FOREACH(s, &d, shape)
        kube_wake_narrow(k, s->try);
    free(d.pod);
    free(d.shape);
    free(d.resource);
    free(d.room);
    free(d.amounts);
    free(d.fit);
    kube_wake_say(k);
}
