/* Costs are those of packing_find.c, taken apart. */
#include "controller/placement/packing_order.h"

#include <math.h>
#include <string.h>

#include "controller/placement/packing_private.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

_Static_assert(ORDER_KINDS == HOST_NONE, "a list for each kind of host");
#define ROUNDING 1e-9 /* the parts are summed up in another order than the whole */
#define DOMAINS_MOST 64u

/* --- classes ------------------------------------------------------------------------------------
 */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static const char *only_device(const struct snap_node *n)
{
    for (uint32_t g = 1; g < n->n_gpus; g++)
        if (!same_text(n->gpus[g].model, n->gpus[0].model))
            return NULL;
    return n->n_gpus > 0 ? n->gpus[0].model : NULL;
}

/* Of the last two classes, what they have in common is what the least one has. */
static void widen(struct order_class *c, const struct snap_node *n)
{
    c->cpu = c->cpu > 0 ? fmin(c->cpu, (double)n->cpu_milli) : (double)n->cpu_milli;
    c->memory = c->memory > 0 ? fmin(c->memory, (double)n->memory_bytes) : (double)n->memory_bytes;
    c->device = NULL;
    c->n_gpus = n->n_gpus > 0;
}

/* For certain: their devices are the same list. */
static bool same_size(const struct snap_node *a, const struct snap_node *b)
{
    return a->cpu_milli == b->cpu_milli && a->memory_bytes == b->memory_bytes &&
           a->gpus == b->gpus && a->n_gpus == b->n_gpus;
}

static uint32_t class_for(struct packing_order *o, const struct snap_node *n)
{
    const char *device = only_device(n);

    for (uint32_t k = 0; k < o->n_classes; k++) {
        const struct order_class *c = &o->classes[k];

        if (c->cpu == (double)n->cpu_milli && c->memory == (double)n->memory_bytes &&
            c->n_gpus == n->n_gpus && same_text(c->device, device))
            return k;
    }
    if (o->n_classes < ORDER_CLASSES - 2) {
        o->classes[o->n_classes] =
            (struct order_class){ (double)n->cpu_milli, (double)n->memory_bytes, device,
                                  n->n_gpus };
        return o->n_classes++;
    }
    return ORDER_CLASSES - 2 + (n->n_gpus > 0);
}

static void init_classes(struct packing *p)
{
    struct packing_order *o = &p->order;

    for (uint32_t i = 0; i < p->s->n_nodes; i++) {
        o->class_of[i] = i > 0 && same_size(&p->s->nodes[i], &p->s->nodes[i - 1])
                             ? o->class_of[i - 1]
                             : class_for(o, &p->s->nodes[i]);
        if (o->class_of[i] >= ORDER_CLASSES - 2)
            widen(&o->classes[o->class_of[i]], &p->s->nodes[i]);
    }
    if (o->n_classes == ORDER_CLASSES - 2)
        o->n_classes = ORDER_CLASSES;
}

/* --- domains ------------------------------------------------------------------------------------
 */

static uint32_t add_key(struct packing *p, const char *key)
{
    struct packing_order *o = &p->order;
    struct order_domains *d;
    struct tally numbers = { 0 };

    for (size_t i = 0; i < o->n_keys; i++)
        if (strcmp(o->keys[i].key, key) == 0)
            return (uint32_t)i;
    d = ARRAY_ADD(o, keys);
    d->key = key;
    d->domain = xcalloc(p->s->n_nodes + 1, sizeof(*d->domain));
    for (uint32_t n = 0; n < p->s->n_nodes; n++) {
        const char *value =
            p->s->nodes[n].labels ? string_map_get(p->s->nodes[n].labels, key) : NULL;
        uint64_t hash = value ? random_hash(value) : 0;
        uint32_t high = (uint32_t)(hash >> 32), low = (uint32_t)hash;
        int64_t number = tally_get(&numbers, high, low);

        if (number == 0)
            number = tally_add(&numbers, high, low, ++d->n);
        d->domain[n] = (uint32_t)number - 1;
    }
    tally_done(&numbers);
    return (uint32_t)(d - o->keys);
}

static void init_domains(struct packing *p)
{
    for (uint32_t m = 0; m < p->s->n_models; m++) {
        const char *key = packing_spec(p, m)->placement.spread;

        p->order.key_of[m] = key && key[0] ? add_key(p, key) : NO_INDEX;
    }
}

uint32_t packing_domain(const struct packing *p, uint32_t model, uint32_t node)
{
    return p->order.keys[p->order.key_of[model]].domain[node];
}

bool packing_spreads(const struct packing *p, uint32_t model)
{
    return p->order.key_of[model] != NO_INDEX;
}

/* Replicas of the model in the domain that has the fewest; 0 where there are many domains. */
static double fewest_in_domain(const struct packing *p, uint32_t model)
{
    uint32_t n = packing_spreads(p, model) ? p->order.keys[p->order.key_of[model]].n : 0;
    double fewest = INFINITY;

    if (n == 0 || n > DOMAINS_MOST)
        return 0;
    for (uint32_t d = 0; d < n; d++)
        fewest = fmin(fewest, (double)tally_get(&p->on_domain, model, d));
    return fewest;
}

/* --- room ---------------------------------------------------------------------------------------
 */

static struct ranking_room wanted_by(const struct served_model *spec)
{
    int64_t milli = spec->resources.gpu_milli > 0 ? spec->resources.gpu_milli : 0;

    return (struct ranking_room){
        .cpu_milli = spec->resources.cpu_milli,
        .memory_bytes = spec->resources.memory_bytes,
        .device_milli = milli < MIX_WHOLE ? milli : MIX_WHOLE,
        .whole = milli >= MIX_WHOLE ? (milli + MIX_WHOLE - 1) / MIX_WHOLE : 0,
        .share = -INFINITY,
    };
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void init_least(struct packing *p)
{
    struct ranking_room *least = &p->order.least;

    for (uint32_t m = 0; m < p->s->n_models; m++) {
        struct ranking_room wanted = wanted_by(packing_spec(p, m));

        if (m == 0)
            *least = wanted;
        least->cpu_milli = smaller(least->cpu_milli, wanted.cpu_milli);
        least->memory_bytes = smaller(least->memory_bytes, wanted.memory_bytes);
        least->device_milli = smaller(least->device_milli, wanted.device_milli);
        least->whole = smaller(least->whole, wanted.whole);
    }
}

/* --- set-up -------------------------------------------------------------------------------------
 */

void packing_order_init(struct packing *p)
{
    struct packing_order *o = &p->order;
    uint32_t n = p->s->n_nodes;

    o->class_of = xcalloc(n + 1, sizeof(*o->class_of));
    o->changed = xcalloc(n + 1, sizeof(*o->changed));
    o->is_changed = xcalloc(n + 1, sizeof(*o->is_changed));
    o->waits = xmalloc(n + 1);
    memset(o->waits, ORDER_KINDS, n + 1);
    o->reach = xcalloc(p->s->n_models + 1, sizeof(*o->reach));
    o->key_of = xcalloc(p->s->n_models + 1, sizeof(*o->key_of));
    init_classes(p);
    init_domains(p);
    init_least(p);
    ranking_init(&o->ranking, n, ORDER_KINDS * ORDER_USES * ORDER_CLASSES);
    packing_order_all_changed(p);
}

void packing_order_done(struct packing *p)
{
    struct packing_order *o = &p->order;

    ranking_done(&o->ranking);
    free(o->class_of);
    free(o->changed);
    free(o->is_changed);
    free(o->waits);
    free(o->reach);
    free(o->key_of);
    ARRAY_FOREACH(d, o, keys)
        free(d->domain);
    free(o->keys);
}

void packing_order_changed(struct packing *p, uint32_t node)
{
    p->order.changes++;
    if (p->order.is_changed[node])
        return;
    p->order.is_changed[node] = true;
    p->order.changed[p->order.n_changed++] = node;
}

void packing_order_all_changed(struct packing *p)
{
    for (uint32_t n = 0; n < p->s->n_nodes; n++)
        packing_order_changed(p, n);
}

/* --- up to date ---------------------------------------------------------------------------------
 */

static enum order_use use_of(const struct packing *p, uint32_t node)
{
    if (packing_in_use(p, node))
        return ORDER_HELD;
    return p->first[node] == p->first[node + 1] ? ORDER_EMPTY : ORDER_VACATED;
}

static uint32_t list_of(uint32_t kind, uint32_t use, uint32_t class_index)
{
    return (kind * ORDER_USES + use) * ORDER_CLASSES + class_index;
}

static double cost_of_node(const struct packing *p, uint32_t node)
{
    const struct snap_node *n = &p->s->nodes[node];
    const struct room *r = &p->peak[node];

    if (n->n_gpus > 0)
        return PACKING_DEVICES * mix_cost_of_node(&p->mix, r, n);
    return (n->cpu_milli > 0 ? (double)r->cpu_milli / (double)n->cpu_milli : 0) +
           (n->memory_bytes > 0 ? (double)r->memory_bytes / (double)n->memory_bytes : 0) +
           (packing_in_use(p, node) ? 0 : PACKING_EMPTY);
}

/* The smaller one of both shares. The same division on both sides: no rounding is in the way. */
static double share_of(int64_t cpu_milli, int64_t memory_bytes, double of_cpu, double of_memory)
{
    double cpu = of_cpu > 0 ? (double)cpu_milli / of_cpu : INFINITY;
    double memory = of_memory > 0 ? (double)memory_bytes / of_memory : INFINITY;

    return fmin(cpu, memory);
}

static struct ranking_room room_of(const struct packing *p, uint32_t node)
{
    const struct room *r = &p->peak[node];
    const struct snap_node *n = &p->s->nodes[node];
    struct ranking_room room = {
        .cpu_milli = r->cpu_milli,
        .memory_bytes = r->memory_bytes,
        .share =
            share_of(r->cpu_milli, r->memory_bytes, (double)n->cpu_milli, (double)n->memory_bytes),
    };

    for (uint32_t g = 0; g < n->n_gpus; g++) {
        if (r->gpus[g].milli > room.device_milli)
            room.device_milli = r->gpus[g].milli;
        room.whole += r->gpus[g].milli >= MIX_WHOLE;
    }
    return room;
}

/* The list that the node belongs into, and the room there is; NO_INDEX: into none. */
static uint32_t list_for(const struct packing *p, uint32_t node, struct ranking_room *ret_room)
{
    if (p->host[node] == HOST_NONE || p->closed[node])
        return NO_INDEX;
    *ret_room = room_of(p, node);
    if (!ranking_holds(ret_room, &p->order.least))
        return NO_INDEX;
    return list_of(p->host[node], use_of(p, node), p->order.class_of[node]);
}

static void put(struct packing *p, uint32_t node)
{
    struct ranking_room room = { 0 };
    uint32_t list = list_for(p, node, &room);

    ranking_put(&p->order.ranking, node, list,
                list == NO_INDEX ? 0 : cost_of_node(p, node) + packing_standing_cost(p, node),
                &room);
}

static void stop_waiting(struct packing_order *o, uint32_t node)
{
    if (o->waits[node] == ORDER_KINDS)
        return;
    o->n_waiting[o->waits[node]]--;
    o->waits[node] = ORDER_KINDS;
}

/* Who is in no list and of another kind waits until that is walked. */
static void bring_up_to_date(struct packing *p, uint32_t kind)
{
    struct packing_order *o = &p->order;

    for (size_t i = 0; i < o->n_changed; i++) {
        uint32_t node = o->changed[i], its = p->host[node];

        o->is_changed[node] = false;
        stop_waiting(o, node);
        if (its == kind || its == HOST_NONE || ranking_is_in(&o->ranking, node)) {
            put(p, node);
        } else {
            o->waits[node] = (uint8_t)its;
            o->n_waiting[its]++;
        }
    }
    o->n_changed = 0;
    for (uint32_t node = 0; o->n_waiting[kind] > 0; node++)
        if (o->waits[node] == kind) {
            stop_waiting(o, node);
            put(p, node);
        }
}

/* --- walking ------------------------------------------------------------------------------------
 */

/* What a replica of the model adds at the least, anywhere in the class. */
static double cost_of_replica(struct packing *p, uint32_t model, uint32_t class_index, uint32_t use)
{
    const struct served_model *spec = packing_spec(p, model);
    const struct order_class *c = &p->order.classes[class_index];
    double cost = 0;

    if (c->n_gpus > 0)
        return PACKING_DEVICES * mix_cost_of_replica(&p->mix, spec, c->device, use != ORDER_HELD,
                                                     use == ORDER_EMPTY) +
               (spec->resources.gpu_milli <= 0 && p->plain_hosts ? PACKING_NO_DEVICE : 0);
    if (c->cpu > 0)
        cost -= (double)spec->resources.cpu_milli / c->cpu;
    if (c->memory > 0)
        cost -= (double)spec->resources.memory_bytes / c->memory;
    return cost;
}

static double wanted_share(const struct order_class *c, uint32_t class_index,
                           const struct served_model *spec)
{
    if (class_index >= ORDER_CLASSES - 2)
        return -INFINITY; /* sizes differ */
    return share_of(spec->resources.cpu_milli, spec->resources.memory_bytes, c->cpu, c->memory);
}

static uint64_t reach_of(struct packing *p, uint32_t model)
{
    uint64_t *reach = &p->order.reach[model];

    if (!p->s->models[model].eligible)
        return UINT64_MAX;
    if (*reach == 0)
        for (uint32_t n = 0; n < p->s->n_nodes; n++)
            if (snapshot_eligible(&p->s->models[model], n))
                *reach |= UINT64_C(1) << p->order.class_of[n];
    return *reach;
}

struct walk {
    const struct ranking *ranking;
    double best, limit, least;
    bool alike; /* the hosts of this list differ in nothing but their standing cost */
    packing_order_visit_fn *visit;
    void *data;
};

/* One that costs the least possible ends the list: no later one can be better, and of equal ones
 * the first is taken. */
static bool visit_one(void *data, uint32_t node)
{
    struct walk *w = data;

    if (!w->visit(w->data, node, &w->best))
        return true;
    w->limit = w->best - w->least + ROUNDING * fmax(1, fabs(w->best));
    return !w->alike && w->best - w->least > w->ranking->hosts[node].cost + ROUNDING;
}

void packing_order_walk(struct packing *p, uint32_t model, uint32_t kind, bool held_only,
                        packing_order_visit_fn *visit, void *data)
{
    const struct served_model *spec = packing_spec(p, model);
    struct ranking_room wanted = wanted_by(spec);
    struct walk w = {
        .ranking = &p->order.ranking, .best = INFINITY, .visit = visit, .data = data
    };
    uint64_t reach = reach_of(p, model);
    double spread = PACKING_SPREAD * fewest_in_domain(p, model);

    bring_up_to_date(p, kind);
    for (uint32_t use = 0; use < (held_only ? ORDER_VACATED : ORDER_USES); use++)
        for (uint32_t k = 0; k < p->order.n_classes; k++) {
            if (!(reach >> k & 1))
                continue;
            wanted.share = wanted_share(&p->order.classes[k], k, spec);
            w.alike = use == ORDER_EMPTY && k < ORDER_CLASSES - 2 && !packing_spreads(p, model);
            w.least = cost_of_replica(p, model, k, use) + spread;
            w.limit = w.best - w.least + ROUNDING * fmax(1, fabs(w.best));
            ranking_walk(&p->order.ranking, list_of(kind, use, k), &wanted, &w.limit, visit_one,
                         &w);
        }
}
