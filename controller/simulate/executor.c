/* See executor.h. */
#include "controller/simulate/executor.h"

#include <string.h>

#define EVACUATING_MOST 4u

/* By model. A copy and what it replaces are one replica. */
static void count_present(const struct rack *r, uint32_t ret_n[RACK_MODELS_MAX])
{
    memcpy(ret_n, r->committed, r->load->n_models * sizeof(*ret_n));
    for (uint32_t i = 0; i < r->n_replica; i++)
        ret_n[r->replica[i].model] -=
            r->replica[i].phase == RACK_LOADING && r->replica[i].replaces != RACK_NO;
}

static bool better_victim(const struct rack *r, const struct rack_replica *x,
                          const struct rack_replica *b)
{
    const struct rack_node *nx = &r->node[x->node], *nb = &r->node[b->node];

    if (nx->evacuating != nb->evacuating)
        return nx->evacuating;
    return nx->free > nb->free;
}

static uint32_t victim(const struct rack *r, uint32_t m)
{
    uint32_t best = RACK_NO;

    for (uint32_t i = 0; i < r->n_replica; i++) {
        const struct rack_replica *x = &r->replica[i];

        if (x->model != m || (x->phase != RACK_LOADING && x->phase != RACK_SERVING) ||
            (x->phase == RACK_LOADING && x->replaces != RACK_NO))
            continue;
        if (best == RACK_NO || better_victim(r, x, &r->replica[best]))
            best = i;
    }
    return best;
}

static void remove_one(struct rack *r, uint32_t m)
{
    uint32_t out = victim(r, m);

    for (uint32_t i = 0; r->replica[out].replaced && i < r->n_replica; i++)
        if (r->replica[i].phase == RACK_LOADING && r->replica[i].replaces == out)
            rack_drain(r, i);
    rack_drain(r, out);
}

static uint32_t size(struct rack *r, const struct targets *wanted)
{
    uint32_t pending = 0, present[RACK_MODELS_MAX];

    count_present(r, present);
    for (uint32_t m = 0; m < r->load->n_models; m++) {
        uint32_t n = present[m], node = 0;

        for (; n > wanted->replicas[m]; n--)
            remove_one(r, m);
        for (; n < wanted->replicas[m] && (node = rack_pack(r, m, RACK_NO)) != RACK_NO; n++)
            (void)rack_start(r, m, node, RACK_NO);
        if (n < wanted->replicas[m])
            pending += (wanted->replicas[m] - n) * r->load->model[m].slots;
    }
    return pending;
}

static uint32_t nodes_needed(const struct rack *r, const struct targets *wanted, uint32_t pending)
{
    uint32_t slots = r->hw->slots, sum = rack_spare_slots(r->hw), need = wanted->nodes, least;
    uint32_t coming = slots * rack_count(r, RACK_BOOTING), open = rack_count(r, RACK_READY);

    for (uint32_t m = 0; m < r->load->n_models; m++)
        sum += wanted->replicas[m] * r->load->model[m].slots;
    least = (sum + slots - 1) / slots;
    need = need > least ? need : least;
    need = need > r->hw->nodes_least ? need : r->hw->nodes_least;
    if (pending > coming) {
        least = open + (pending + slots - 1) / slots;
        need = need > least ? need : least;
    }
    return need < r->hw->nodes ? need : r->hw->nodes;
}

static uint32_t staying(const struct rack *r)
{
    uint32_t n_of = 0;

    for (uint32_t n = 0; n < r->hw->nodes; n++)
        n_of += r->node[n].power == RACK_BOOTING ||
                (r->node[n].power == RACK_READY && !r->node[n].evacuating);
    return n_of;
}

static void grow(struct rack *r, uint32_t lacking)
{
    for (uint32_t n = 0; n < r->hw->nodes && lacking > 0; n++)
        if (r->node[n].power == RACK_READY && r->node[n].evacuating) {
            r->node[n].evacuating = false;
            lacking--;
        }
    for (uint32_t n = 0; n < r->hw->nodes && lacking > 0; n++)
        if (rack_can_wake(r, n)) {
            rack_wake(r, n);
            lacking--;
        }
}

/* The emptiest node whose replicas fit elsewhere, by slots. */
static void evacuate_one(struct rack *r)
{
    uint32_t best = RACK_NO, free = 0, used;

    for (uint32_t n = 0; n < r->hw->nodes; n++) {
        if (r->node[n].power != RACK_READY || r->node[n].evacuating)
            continue;
        free += r->node[n].free;
        if (best == RACK_NO || r->node[n].free >= r->node[best].free)
            best = n;
    }
    if (best == RACK_NO)
        return;
    used = r->hw->slots - r->node[best].free;
    if (free - r->node[best].free >= used)
        r->node[best].evacuating = true;
}

static void shrink(struct rack *r, uint32_t surplus)
{
    uint32_t leaving = 0;

    for (uint32_t n = 0; n < r->hw->nodes; n++)
        leaving += r->node[n].power == RACK_READY && r->node[n].evacuating;
    for (; surplus > 0 && leaving < EVACUATING_MOST; surplus--, leaving++)
        evacuate_one(r);
}

static void empty_nodes(struct rack *r)
{
    for (uint32_t i = 0; i < r->n_replica; i++) {
        const struct rack_replica *x = &r->replica[i];
        uint32_t to;

        if (x->phase != RACK_SERVING || x->replaced || !r->node[x->node].evacuating)
            continue;
        to = rack_pack(r, x->model, x->node);
        if (to != RACK_NO)
            (void)rack_start(r, x->model, to, i);
    }
    for (uint32_t n = 0; n < r->hw->nodes; n++)
        if (r->node[n].power == RACK_READY && r->node[n].evacuating && r->node[n].n_held == 0)
            rack_shut(r, n);
}

void executor_act(struct rack *r, const struct targets *wanted)
{
    uint32_t pending = size(r, wanted), need = nodes_needed(r, wanted, pending);
    uint32_t stay = staying(r);

    if (stay < need)
        grow(r, need - stay);
    else if (stay > need)
        shrink(r, stay - need);
    empty_nodes(r);
}
