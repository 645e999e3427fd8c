/* Per pool: what may be wanted, what is awake, and the quickest sleepers for the difference. */
#include "controller/placement/reserve.h"

#include <math.h>
#include <stdlib.h>

#include "controller/placement/policy.h"
#include "controller/placement/survival.h"
#include "proto/base/array.h"

#define FILLED 0.92 /* part of CPU and memory that a packing of replicas really fills */

void reserve_init(struct reserve *r, const struct packing *p, const struct outlook *o)
{
    const struct snapshot *s = p->s;

    *r = (struct reserve){ .n_pools = s->n_pools };
    r->need = xcalloc(s->n_pools + 1, sizeof(*r->need));
    r->lost = xcalloc(s->n_pools + 1, sizeof(*r->lost));
    r->room = xcalloc(s->n_pools + 1, sizeof(*r->room));
    for (uint32_t m = 0; m < s->n_models; m++) {
        uint32_t pool = policy_pool_of_model(s, &s->models[m]);

        if (pool != NO_INDEX)
            need_add_model(&r->need[pool], &s->models[m], outlook_reserve(o, s, m, &p->models[m]));
    }
    for (uint32_t n = 0; n < s->n_nodes; n++) {
        struct outlook_need spare = { 0 };

        if (!packing_is_up(p, n) || s->nodes[n].pool >= s->n_pools)
            continue;
        reserve_count(r, p, n, 1);
        need_add_node(&spare, &s->nodes[n], (double)s->pools[s->nodes[n].pool].spec->spare);
        need_raise(&r->lost[s->nodes[n].pool], &spare);
    }
}

void reserve_done(struct reserve *r)
{
    free(r->need);
    free(r->room);
    free(r->lost);
}

void reserve_count(struct reserve *r, const struct packing *p, uint32_t node, double sign)
{
    need_add_node(&r->room[p->s->nodes[node].pool], &p->s->nodes[node], sign);
}

/* Of the room, when the spares are lost and a packing fills as much as it can. */
static struct outlook_need usable(const struct reserve *r, uint32_t pool,
                                  const struct outlook_need *room)
{
    return (struct outlook_need){
        fmin(room->cpu_milli - r->lost[pool].cpu_milli, FILLED * room->cpu_milli),
        fmin(room->memory_bytes - r->lost[pool].memory_bytes, FILLED * room->memory_bytes),
        room->gpu_milli - r->lost[pool].gpu_milli,
    };
}

static struct outlook_need room_without(const struct reserve *r, const struct packing *p,
                                        uint32_t pool, uint32_t node)
{
    struct outlook_need room = r->room[pool];

    if (p->s->nodes[node].pool == pool)
        need_add_node(&room, &p->s->nodes[node], -1);
    return usable(r, pool, &room);
}

bool reserve_spares(const struct reserve *r, const struct packing *p, uint32_t node)
{
    uint32_t pool = p->s->nodes[node].pool;
    struct outlook_need rest = room_without(r, p, pool, node);

    return need_fits(&r->need[pool], &rest);
}

struct outlook_need reserve_room_without(const struct reserve *r, const struct packing *p,
                                         uint32_t node)
{
    struct outlook_need sum = { 0 };

    for (uint32_t i = 0; i < r->n_pools; i++) {
        struct outlook_need rest = room_without(r, p, i, node);

        need_add_scaled(&sum, &rest, 1);
    }
    return sum;
}

/* --- waking -------------------------------------------------------------------------------------
 */

/* Has the node of what is lacking? */
static bool helps(const struct snap_node *n, const struct outlook_need *need,
                  const struct outlook_need *room)
{
    return (n->cpu_milli > 0 && need->cpu_milli > room->cpu_milli) ||
           (n->memory_bytes > 0 && need->memory_bytes > room->memory_bytes) ||
           (n->n_gpus > 0 && need->gpu_milli > room->gpu_milli);
}

/* `need` NULL: any. */
static uint32_t quickest_sleeper(const struct packing *p, uint32_t pool,
                                 const struct outlook_need *need, const struct outlook_need *room)
{
    uint32_t best = NO_INDEX;

    for (uint32_t n = 0; n < p->s->n_nodes; n++) {
        if ((p->host[n] != HOST_ASLEEP && p->host[n] != HOST_TURNING) ||
            p->s->nodes[n].pool != pool || (need && !helps(&p->s->nodes[n], need, room)))
            continue;
        if (best == NO_INDEX || p->host[n] < p->host[best] ||
            (p->host[n] == p->host[best] &&
             p->s->nodes[n].curve.boot_s < p->s->nodes[best].curve.boot_s))
            best = n;
    }
    return best;
}

static bool wake_one(struct reserve *r, struct packing *p, uint32_t node)
{
    if (node == NO_INDEX || !packing_open(p, node))
        return false;
    reserve_count(r, p, node, 1);
    return true;
}

/* Minimum and spare. */
static void wake_minimum(struct reserve *r, struct packing *p, uint32_t pool)
{
    const struct power_pool *spec = p->s->pools[pool].spec;
    int64_t lacking = spec->min_awake + spec->spare;

    for (uint32_t n = 0; n < p->s->n_nodes; n++)
        if (p->s->nodes[n].pool == pool)
            lacking -= p->s->nodes[n].state == NODE_AWAKE || p->s->nodes[n].state == NODE_HELD ||
                       p->host[n] == HOST_COMING;
    for (; lacking > 0; lacking--)
        if (!wake_one(r, p, quickest_sleeper(p, pool, NULL, NULL)))
            return;
}

static void wake_room(struct reserve *r, struct packing *p, uint32_t pool)
{
    const struct outlook_need *need = &r->need[pool];
    struct outlook_need room;

    do
        room = usable(r, pool, &r->room[pool]);
    while (!need_fits(need, &room) && wake_one(r, p, quickest_sleeper(p, pool, need, &room)));
}

void reserve_wake(struct reserve *r, struct packing *p)
{
    uint32_t weakest = 0;

    for (uint32_t i = 0; i < r->n_pools; i++) {
        wake_minimum(r, p, i);
        wake_room(r, p, i);
    }
    while ((weakest = survival_weakest(p, weakest, NULL)) != NO_INDEX)
        if (!wake_one(r, p, quickest_sleeper(p, p->s->nodes[weakest].pool, NULL, NULL)))
            return;
}
