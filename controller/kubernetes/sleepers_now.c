#include "controller/kubernetes/sleepers_now.h"

#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/hold.h"
#include "proto/base/array.h"

static bool begins(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

const struct view_taint *sleepers_foreign_taint(const struct view_node *n)
{
    ARRAY_FOREACH(t, n, taint)
        if (t->effect != TAINT_PREFER_NO_SCHEDULE && !begins(t->key, "huddle.energy/") &&
            !begins(t->key, "node.kubernetes.io/") && !begins(t->key, "node-role.kubernetes.io/"))
            return t;
    return NULL;
}

bool sleepers_is_control_plane(const struct view_node *n)
{
    return string_map_get(&n->meta.labels, "node-role.kubernetes.io/control-plane") ||
           string_map_get(&n->meta.labels, "node-role.kubernetes.io/master");
}

bool sleepers_is_karpenters(const struct view_node *n)
{
    return string_map_get(&n->meta.labels, "karpenter.sh/nodepool") ||
           string_map_get(&n->meta.labels, "karpenter.sh/provisioner-name");
}

const char *verdict_name(enum verdict v)
{
    static const char *const NAME[] = { "sleeps",   "controlPlane", "notReady",
                                        "cordoned", "tainted",      "poweredByOthers",
                                        "held",     "noRoom",       "stays" };

    return NAME[v];
}

const char *verdict_words(enum verdict v)
{
    static const char *const WORDS[] = {
        "could sleep",
        "of the control plane",
        "not ready",
        "cordoned",
        "tainted by others",
        "powered by others",
        "held by a pod that cannot be moved",
        "whose pods fit nowhere else",
        "that have to stay awake",
    };

    return WORDS[v];
}

static enum verdict at_first(const struct view_node *n)
{
    if (sleepers_is_control_plane(n))
        return NODE_CONTROL_PLANE;
    if (!n->ready)
        return NODE_NOT_READY;
    if (n->cordoned)
        return NODE_CORDONED;
    if (sleepers_foreign_taint(n))
        return NODE_TAINTED;
    return sleepers_is_karpenters(n) ? NODE_POWERED_BY_OTHERS : NODE_SLEEPS;
}

/* --- room --------------------------------------------------------------------------------------
 */

struct named {
    const char *name;
    size_t index;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static struct named *name_index(const struct survey *s)
{
    struct named *list = xcalloc(s->n_node + 1, sizeof(*list));

    for (size_t i = 0; i < s->n_node; i++)
        list[i] = (struct named){ s->node[i].meta.name, i };
    if (s->n_node)
        qsort(list, s->n_node, sizeof(*list), by_name);
    return list;
}

static size_t index_of(const struct survey *s, const struct named *list, const char *name)
{
    const struct named key = { name, 0 };
    const struct named *at =
        s->n_node ? bsearch(&key, list, s->n_node, sizeof(*list), by_name) : NULL;

    return at ? at->index : SIZE_MAX;
}

/* By pod, its node's index; SIZE_MAX: on none that is known. */
static size_t *nodes_of_pods(const struct survey *s)
{
    struct named *list = name_index(s);
    size_t *at = xcalloc(s->n_pod + 1, sizeof(*at));

    for (size_t i = 0; i < s->n_pod; i++)
        at[i] = view_is_finished(&s->pod[i]) ? SIZE_MAX : index_of(s, list, s->pod[i].node);
    free(list);
    return at;
}

static void take(struct sleepers_room *r, const struct view_pod *p, int64_t sign)
{
    ARRAY_FOREACH(a, &p->requests, item) {
        int64_t is = amounts_get(&r->free, a->name);

        if (a->milli < INT64_MAX / 4 && is > INT64_MIN / 2)
            amounts_set(&r->free, a->name, is - sign * a->milli);
    }
    amounts_set(&r->free, "pods", amounts_get(&r->free, "pods") - sign * 1000);
}

static struct sleepers_room *rooms_of(const struct survey *s, const size_t *at)
{
    struct sleepers_room *r = xcalloc(s->n_node + 1, sizeof(*r));

    for (size_t i = 0; i < s->n_node; i++)
        amounts_add(&r[i].free, &s->node[i].allocatable);
    for (size_t i = 0; i < s->n_pod; i++)
        if (at[i] != SIZE_MAX)
            take(&r[at[i]], &s->pod[i], 1);
    return r;
}

struct sleepers_room *sleepers_rooms(const struct survey *s)
{
    size_t *at = nodes_of_pods(s);
    struct sleepers_room *r = rooms_of(s, at);

    free(at);
    return r;
}

void sleepers_rooms_free(struct sleepers_room *r, size_t n)
{
    for (size_t i = 0; r && i < n; i++)
        amounts_done(&r[i].free);
    free(r);
}

bool sleepers_fits(const struct survey *s, const struct sleepers_room *r, size_t node,
                   const struct view_pod *p)
{
    const struct view_node *n = &s->node[node];

    if (amounts_get(&r[node].free, "pods") < 1000)
        return false;
    ARRAY_FOREACH(a, &p->requests, item)
        if (a->milli > 0 && a->milli > amounts_get(&r[node].free, a->name))
            return false;
    ARRAY_FOREACH(t, n, taint)
        if (t->effect != TAINT_PREFER_NO_SCHEDULE && !view_tolerates(p, t))
            return false;
    return view_selects_node(p, n);
}

/* --- packing -----------------------------------------------------------------------------------
 */

struct packing {
    const struct survey *s;
    struct sleepers_now *out;
    struct sleepers_room *room;
    size_t *first, *next; /* pods of a node, as chains; SIZE_MAX ends */
    bool *took;           /* pods of others */
    size_t awake;
};

static bool is_target(const struct packing *k, size_t node, size_t from)
{
    enum verdict v = k->out->verdict[node];

    return node != from && (v == NODE_HELD || v == NODE_NO_ROOM || v == NODE_STAYS);
}

static size_t first_fit(const struct packing *k, size_t from, const struct view_pod *p)
{
    for (size_t i = 0; i < k->s->n_node; i++)
        if (is_target(k, i, from) && sleepers_fits(k->s, k->room, i, p))
            return i;
    return SIZE_MAX;
}

/* Puts every pod of the node elsewhere, or none. */
static bool empties(struct packing *k, size_t node)
{
    struct placed {
        size_t pod, to;
    } * done;
    size_t n = 0, cap = 0;
    bool whole = true;

    for (size_t i = k->first[node]; i != SIZE_MAX; i = k->next[i])
        cap++;
    done = xcalloc(cap + 1, sizeof(*done));
    for (size_t i = k->first[node]; whole && i != SIZE_MAX; i = k->next[i]) {
        const struct view_pod *p = &k->s->pod[i];
        size_t to;

        if (view_is_daemon(p))
            continue;
        to = first_fit(k, node, p);
        whole = to != SIZE_MAX;
        if (!whole)
            break;
        take(&k->room[to], p, 1);
        done[n++] = (struct placed){ i, to };
    }
    for (size_t i = 0; i < n; i++) {
        if (whole)
            k->took[done[i].to] = true;
        else
            take(&k->room[done[i].to], &k->s->pod[done[i].pod], -1);
    }
    free(done);
    return whole;
}

struct order {
    size_t node;
    double load; /* share of the fullest of CPU and memory that is requested */
    const char *name;
};

static int by_load(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    int r = (x->load > y->load) - (x->load < y->load);

    return r ? r : strcmp(x->name, y->name);
}

static double load_of(const struct view_node *n, const struct sleepers_room *r)
{
    static const char *const OF[] = { "cpu", "memory" };
    double most = 0;

    for (size_t i = 0; i < ARRAY_LEN(OF); i++) {
        double all = (double)amounts_get(&n->allocatable, OF[i]);
        double share = all > 0 ? 1 - (double)amounts_get(&r->free, OF[i]) / all : 0;

        most = share > most ? share : most;
    }
    return most;
}

static void pack(struct packing *k)
{
    const struct survey *s = k->s;
    struct order *order = xcalloc(s->n_node + 1, sizeof(*order));

    for (size_t i = 0; i < s->n_node; i++) {
        order[i] = (struct order){ i, load_of(&s->node[i], &k->room[i]), s->node[i].meta.name };
        if (k->out->verdict[i] == NODE_SLEEPS)
            k->out->verdict[i] = NODE_STAYS; /* until it is proven that it may */
        k->awake += k->out->verdict[i] == NODE_STAYS || k->out->verdict[i] == NODE_HELD;
    }
    if (s->n_node)
        qsort(order, s->n_node, sizeof(*order), by_load);
    for (size_t i = 0; i < s->n_node && k->awake > SLEEPERS_STAY_AWAKE; i++) {
        size_t node = order[i].node;

        if (k->out->verdict[node] != NODE_STAYS)
            continue;
        if (!k->took[node] && empties(k, node)) {
            k->out->verdict[node] = NODE_SLEEPS;
            k->awake--;
        } else {
            k->out->verdict[node] = NODE_NO_ROOM;
        }
    }
    free(order);
}

void sleepers_find(const struct survey *s, struct sleepers_now *ret)
{
    size_t *at = nodes_of_pods(s);
    struct packing k = { .s = s,
                         .out = ret,
                         .room = rooms_of(s, at),
                         .first = xcalloc(s->n_node + 1, sizeof(size_t)),
                         .next = xcalloc(s->n_pod + 1, sizeof(size_t)),
                         .took = xcalloc(s->n_node + 1, sizeof(bool)) };

    *ret = (struct sleepers_now){ .n_nodes = s->n_node };
    ret->verdict = xcalloc(s->n_node + 1, sizeof(*ret->verdict));
    for (size_t i = 0; i < s->n_node; i++) {
        ret->verdict[i] = at_first(&s->node[i]);
        k.first[i] = SIZE_MAX;
    }
    for (size_t i = 0; i < s->n_pod; i++) {
        if (at[i] == SIZE_MAX)
            continue;
        k.next[i] = k.first[at[i]];
        k.first[at[i]] = i;
        if (ret->verdict[at[i]] == NODE_SLEEPS && hold_of(s, &s->pod[i]) != HOLD_NONE)
            ret->verdict[at[i]] = NODE_HELD;
    }
    pack(&k);
    for (size_t i = 0; i < s->n_node; i++)
        ret->count[ret->verdict[i]]++;
    sleepers_rooms_free(k.room, s->n_node);
    free(k.first);
    free(k.next);
    free(k.took);
    free(at);
}

void sleepers_now_done(struct sleepers_now *n)
{
    free(n->verdict);
    *n = (struct sleepers_now){ 0 };
}
