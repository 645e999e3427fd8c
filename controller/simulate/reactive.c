/* See reactive.h. */
#include "controller/simulate/reactive.h"

#define MEMORY_S 300.0
#define TOLERANCE 0.1
#define UNNEEDED_S 600.0
#define SHUT_MOST 10

void reactive_init(struct reactive *p, double target, uint32_t spare)
{
    *p = (struct reactive){ .target = target, .spare = spare, .last_wake = INT64_MIN / 2 };
}

/* --- replicas -----------------------------------------------------------------------------------
 */

static bool look(struct reactive *p, const struct rack *r, uint32_t m)
{
    if (!rack_told(r->load, r->step - 1))
        return false;
    p->seen[m] = rack_mean(r->load, m, r->step - rack_steps(r->load, RACK_MINUTE_S), r->step);
    return true;
}

static uint32_t desire(const struct reactive *p, const struct rack *r, uint32_t m)
{
    uint32_t n = r->committed[m], most = 2 * n > n + 4 ? 2 * n : n + 4, wanted;
    double ratio = n > 0 ? p->seen[m] / (n * r->load->model[m].capacity * p->target) : 0;

    if (n > 0 && fabs(ratio - 1) <= TOLERANCE)
        return n;
    wanted = (uint32_t)rack_ceil(n * ratio);
    wanted = wanted < r->load->model[m].least ? r->load->model[m].least : wanted;
    return wanted > most ? most : wanted;
}

/* The most that was wanted lately. */
static uint32_t steady(struct reactive *p, const struct rack *r, uint32_t m, uint32_t desired)
{
    uint32_t held = p->n_desired[m]++, most = 0;
    double sync_s = (double)rack_steps(r->load, REACTIVE_SYNC_S) * r->load->step_s;
    uint32_t memory = (uint32_t)fmin(fmax(1, ceil(MEMORY_S / sync_s)), REACTIVE_MEMORY);

    p->desired[m][held % memory] = desired;
    for (uint32_t i = 0; i < memory && i <= held; i++)
        most = p->desired[m][i] > most ? p->desired[m][i] : most;
    return most;
}

static bool counts(const struct rack_replica *x, uint32_t m)
{
    return x->model == m && (x->phase == RACK_LOADING || x->phase == RACK_SERVING);
}

/* The one that is loading or the youngest, the first of equals. `last` and those before it that
 * were its equals are gone, with what it was in `was`; RACK_NO: none is. */
static uint32_t victim(const struct rack *r, uint32_t m, uint32_t last,
                       const struct rack_replica *was)
{
    uint32_t best = RACK_NO;

    for (uint32_t i = last + 1; last != RACK_NO && i < r->n_replica; i++)
        if (counts(&r->replica[i], m) && r->replica[i].phase == was->phase &&
            r->replica[i].since == was->since)
            return i;
    for (uint32_t i = 0; i < r->n_replica; i++) {
        const struct rack_replica *x = &r->replica[i], *b = &r->replica[best == RACK_NO ? 0 : best];

        if (!counts(x, m))
            continue;
        if (best == RACK_NO || x->phase < b->phase || (x->phase == b->phase && x->since > b->since))
            best = i;
    }
    return best;
}

/* Returns the slots that find no room. */
static uint32_t scale(struct reactive *p, struct rack *r, uint32_t m)
{
    uint32_t wanted = desire(p, r, m), keep = steady(p, r, m, wanted), last = RACK_NO;
    struct rack_replica was = { 0 };

    while (r->committed[m] > keep) {
        last = victim(r, m, last, &was);
        was = r->replica[last];
        rack_drain(r, last);
    }
    while (r->committed[m] < wanted) {
        uint32_t n = p->spread ? rack_spread(r, m, RACK_NO) : rack_pack(r, m, RACK_NO);

        if (n == RACK_NO)
            return (wanted - r->committed[m]) * r->load->model[m].slots;
        (void)rack_start(r, m, n, RACK_NO);
    }
    return 0;
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static uint32_t free_slots(const struct rack *r)
{
    uint32_t sum = 0;

    for (uint32_t n = 0; n < r->hw->nodes; n++)
        sum += r->node[n].power == RACK_READY ? r->node[n].free : 0;
    return sum;
}

static void wake(struct reactive *p, struct rack *r, uint32_t pending)
{
    uint32_t coming = r->hw->slots * rack_count(r, RACK_BOOTING), free = free_slots(r);

    for (uint32_t n = 0; n < r->hw->nodes; n++) {
        if (pending <= coming && pending + p->spare <= free + coming)
            return;
        if (!rack_can_wake(r, n))
            continue;
        rack_wake(r, n);
        p->last_wake = r->step;
        coming += r->hw->slots;
    }
}

static bool unneeded(const struct reactive *p, const struct rack *r, uint32_t n, uint32_t free)
{
    uint32_t used = r->hw->slots - r->node[n].free;

    return r->node[n].power == RACK_READY && 2 * used < r->hw->slots &&
           free - r->node[n].free >= used + p->spare;
}

static void mark_unneeded(const struct reactive *p, struct rack *r)
{
    uint32_t free = free_slots(r);

    for (uint32_t n = 0; n < r->hw->nodes; n++) {
        if (!unneeded(p, r, n, free))
            r->node[n].unneeded = -1;
        else if (r->node[n].unneeded < 0)
            r->node[n].unneeded = r->step;
    }
}

static bool ripe(const struct rack *r, uint32_t n)
{
    return r->node[n].unneeded >= 0 &&
           r->step - r->node[n].unneeded >= rack_steps(r->load, UNNEEDED_S);
}

static void evict(struct rack *r, uint32_t node)
{
    for (uint32_t i = 0; i < r->n_replica; i++) {
        uint32_t model = r->replica[i].model, to;

        if (r->replica[i].node != node ||
            (r->replica[i].phase != RACK_LOADING && r->replica[i].phase != RACK_SERVING))
            continue;
        to = rack_pack(r, model, node);
        rack_drain(r, i);
        if (to == RACK_NO)
            continue; /* the next step starts what is missing */
        (void)rack_start(r, model, to, RACK_NO);
        r->score.moves++;
    }
}

static void shrink(struct reactive *p, struct rack *r)
{
    uint32_t shut = 0, ready = rack_count(r, RACK_READY), busy = RACK_NO;

    for (uint32_t n = r->hw->nodes; n-- > 0 && shut < SHUT_MOST && ready > r->hw->nodes_least;) {
        if (!ripe(r, n) || !unneeded(p, r, n, free_slots(r)))
            continue;
        if (r->node[n].n_held > 0) {
            busy = busy == RACK_NO ? n : busy;
            continue;
        }
        rack_shut(r, n);
        ready--;
        shut++;
    }
    if (shut == 0 && busy != RACK_NO && ready > r->hw->nodes_least)
        evict(r, busy);
}

void reactive_act(void *policy, struct rack *r)
{
    struct reactive *p = policy;
    uint32_t pending = 0;

    if (r->step % rack_steps(r->load, REACTIVE_SYNC_S) != 0)
        return;
    for (uint32_t m = 0; m < r->load->n_models; m++)
        if (look(p, r, m))
            pending += scale(p, r, m);
    if (p->fixed)
        return;
    wake(p, r, pending);
    mark_unneeded(p, r);
    if (pending == 0 && r->step - p->last_wake >= rack_steps(r->load, UNNEEDED_S))
        shrink(p, r);
}
