/* The start must hold everybody's memory, which binds then only: the quick movers, who are likely
 * to stay, together on the first hosts of the frugal type, the others where there is room. */
#include "tests/bench/planetlab_huddle.h"

#include <stdlib.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define FIRST_HOSTS 44u /* of the frugal type, or as many as the others leave */
#define FIRST_EACH 6

struct place {
    double mips;
    int ram;
};

static bool first_fit(const struct pl_arena *a, struct place *left, uint32_t vm, uint32_t from,
                      uint32_t to, uint32_t *ret_host)
{
    for (uint32_t h = from; h < to; h += 2) {
        if (left[h].mips < a->vms[vm].mips || left[h].ram < a->vms[vm].ram ||
            a->hosts[h].pe_mips < a->vms[vm].mips)
            continue;
        left[h].mips -= a->vms[vm].mips;
        left[h].ram -= a->vms[vm].ram;
        *ret_host = h;
        return true;
    }
    return false;
}

/* Odd hosts are of the frugal type; machines that fit the other type go there first, as nobody can
 * stay there anyway. */
static bool spread(const struct pl_arena *a, uint32_t first_hosts, uint32_t *ret_host)
{
    AUTO(mem) struct place *left = xcalloc(PL_HOSTS, sizeof(*left));
    uint32_t small = 0;

    for (uint32_t h = 0; h < PL_HOSTS; h++)
        left[h] = (struct place){ a->hosts[h].total_mips, PL_HOST_RAM };
    for (uint32_t i = 0; i < a->n_vms; i++)
        if (a->vms[i].ram == 613 && small < first_hosts * FIRST_EACH)
            ret_host[i] = 1 + 2 * (small++ / FIRST_EACH);
        else
            ret_host[i] = PL_NOWHERE;
    for (uint32_t i = 0; i < a->n_vms; i++)
        if (ret_host[i] == PL_NOWHERE && !first_fit(a, left, i, 0, PL_HOSTS, &ret_host[i]) &&
            !first_fit(a, left, i, 1 + 2 * first_hosts, PL_HOSTS, &ret_host[i]))
            return false;
    return true;
}

static bool start(void *state, struct pl_arena *a, uint32_t *ret_host)
{
    struct pl_huddle *p = state;
    uint32_t first_hosts = FIRST_HOSTS;

    while (!spread(a, first_hosts, ret_host))
        if (first_hosts-- == 0)
            return false;
    for (uint32_t h = 0; h < PL_HOSTS; h++)
        p->hosts[h] = (struct tenancy_host){ a->hosts[h].total_mips, a->hosts[h].watts[0], h % 2 };
    p->tenants = xcalloc(a->n_vms + 1, sizeof(*p->tenants));
    p->tenancy = tenancy_new(p->hosts, PL_HOSTS, a->n_vms, PL_STEP_S,
                             p->prices ? p->prices : &tenancy_prices_default);
    return true;
}

static void decide(void *state, struct pl_arena *a)
{
    struct pl_huddle *p = state;
    const struct tenancy_move *moves;
    bool first = a->now_s < 2 * PL_STEP_S;
    size_t n;

    for (uint32_t i = 0; i < a->n_vms; i++) {
        const struct pl_vm *v = &a->vms[i];

        p->tenants[i] = (struct tenant){ v->mips, v->ram / 62.5, v->request,
                                         v->alive ? v->host : TENANCY_NOWHERE, v->migrating };
    }
    tenancy_observe(p->tenancy, p->tenants);
    moves = first ? tenancy_rearrange(p->tenancy, &n) : tenancy_plan(p->tenancy, &n);
    for (size_t k = 0; k < n; k++)
        *ARRAY_ADD(a, moves) = (struct pl_move){ moves[k].tenant, moves[k].host };
}

struct pl_policy pl_huddle_policy(struct pl_huddle *h)
{
    return (struct pl_policy){ start, decide, h };
}

void pl_huddle_done(struct pl_huddle *h)
{
    tenancy_free(h->tenancy);
    free(h->tenants);
}
