/* See rack.h. */
#include "controller/simulate/rack.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/random.h"

#define STREAM_LOADS 2
#define STREAM_WAKES 3
#define STREAM_SHUTS 5
#define DRAIN_S 60.0
#define START_LOAD 0.7 /* of the first minute's demand, at the start */

double rack_watts(const struct rack_hardware *hw, double u)
{
    double at = fmin(fmax(u, 0), 1) * (RACK_CURVE - 1);
    uint32_t low = (uint32_t)at;

    if (low >= RACK_CURVE - 1)
        return hw->watts[RACK_CURVE - 1];
    return hw->watts[low] + (hw->watts[low + 1] - hw->watts[low]) * (at - low);
}

static bool same(const double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] < b[i] || a[i] > b[i])
            return false;
    return true;
}

bool rack_alike(const struct rack_hardware *a, const struct rack_load *la,
                const struct rack_hardware *b, const struct rack_load *lb)
{
    const double x[] = { a->free_slot_w,   a->asleep_w,          a->boot_w,
                         a->boot_lo_s,     a->boot_hi_s,         a->shutdown_lo_s,
                         a->shutdown_hi_s, a->boot_failed_s,     a->barred_s,
                         a->load_scale,    a->boot_failed_share, la->step_s };
    const double y[] = { b->free_slot_w,   b->asleep_w,          b->boot_w,
                         b->boot_lo_s,     b->boot_hi_s,         b->shutdown_lo_s,
                         b->shutdown_hi_s, b->boot_failed_s,     b->barred_s,
                         b->load_scale,    b->boot_failed_share, lb->step_s };

    if (a->nodes_least != b->nodes_least || a->unspared != b->unspared || a->nodes != b->nodes ||
        a->slots != b->slots || a->n_load_s != b->n_load_s || la->n_models != lb->n_models ||
        la->rate != lb->rate || la->n_steps != lb->n_steps || !same(x, y, ARRAY_LEN(x)) ||
        !same(a->watts, b->watts, RACK_CURVE) || !same(a->load_s, b->load_s, a->n_load_s))
        return false;
    for (uint32_t m = 0; m < la->n_models; m++) {
        const struct rack_model *p = &la->model[m], *q = &lb->model[m];

        if (p->slots != q->slots || p->least != q->least || !same(&p->capacity, &q->capacity, 1) ||
            !same(&p->load_weight, &q->load_weight, 1))
            return false;
    }
    return true;
}

double rack_mean(const struct rack_load *load, uint32_t model, int64_t from, int64_t to)
{
    double sum = 0;

    if (from < 0)
        from = 0;
    if (to > (int64_t)load->n_steps)
        to = (int64_t)load->n_steps;
    for (int64_t t = from; t < to; t++)
        sum += load->rate[(size_t)model * load->n_steps + (size_t)t];
    return to > from ? sum / (double)(to - from) : 0;
}

/* --- replicas -----------------------------------------------------------------------------------
 */

uint32_t rack_pack(const struct rack *r, uint32_t model, uint32_t but)
{
    uint32_t slots = r->load->model[model].slots, best = RACK_NO;

    for (uint32_t n = 0; n < r->hw->nodes && (best == RACK_NO || r->node[best].free > slots); n++) {
        const struct rack_node *node = &r->node[n];

        if (node->power == RACK_READY && !node->evacuating && n != but && node->free >= slots &&
            (best == RACK_NO || node->free < r->node[best].free))
            best = n;
    }
    return best; /* none fits better than one that is filled */
}

uint32_t rack_spread(const struct rack *r, uint32_t model, uint32_t but)
{
    uint32_t slots = r->load->model[model].slots, best = RACK_NO;

    for (uint32_t n = 0; n < r->hw->nodes; n++) {
        const struct rack_node *node = &r->node[n];

        if (node->power == RACK_READY && !node->evacuating && n != but && node->free >= slots &&
            (best == RACK_NO || node->free > r->node[best].free))
            best = n;
    }
    return best;
}

static uint32_t lowest_number(struct rack *r)
{
    for (uint32_t i = 0; i < r->n_replica; i++)
        if (r->replica[i].phase == RACK_NONE)
            return i;
    (void)ARRAY_ADD(r, replica);
    return (uint32_t)r->n_replica - 1;
}

static uint32_t seat(struct rack *r, uint32_t model, uint32_t node, enum rack_phase phase)
{
    uint32_t i = lowest_number(r);

    r->replica[i] = (struct rack_replica){
        .phase = phase, .model = model, .node = node, .since = r->step, .replaces = RACK_NO
    };
    r->node[node].free -= r->load->model[model].slots;
    r->node[node].n_held++;
    r->committed[model]++;
    r->serving[model] += phase == RACK_SERVING;
    return i;
}

static double draw_load_s(const struct rack *r, uint64_t k, uint32_t model)
{
    struct random u = random_stream(r->seed, STREAM_LOADS, k, 0);
    size_t at = (size_t)(random_unit(&u) * (double)r->hw->n_load_s);

    return r->hw->load_s[at] * r->hw->load_scale * r->load->model[model].load_weight;
}

uint32_t rack_start(struct rack *r, uint32_t model, uint32_t node, uint32_t replaces)
{
    uint32_t i = seat(r, model, node, RACK_LOADING);

    r->replica[i].until = r->step + rack_steps(r->load, draw_load_s(r, r->loads++, model));
    r->replica[i].replaces = replaces;
    r->score.loads++;
    if (replaces != RACK_NO) {
        r->replica[replaces].replaced = true;
        r->score.moves++;
    }
    return i;
}

static void leave(struct rack *r, uint32_t replica)
{
    struct rack_replica *x = &r->replica[replica];

    r->node[x->node].free += r->load->model[x->model].slots;
    r->node[x->node].n_held--;
    x->phase = RACK_NONE;
}

void rack_drain(struct rack *r, uint32_t replica)
{
    struct rack_replica *x = &r->replica[replica];

    if (x->phase != RACK_LOADING && x->phase != RACK_SERVING)
        return;
    r->committed[x->model]--;
    if (x->phase == RACK_LOADING) {
        if (x->replaces != RACK_NO)
            r->replica[x->replaces].replaced = false;
        leave(r, replica);
        return;
    }
    for (uint32_t i = 0; x->replaced && i < r->n_replica; i++)
        if (r->replica[i].phase == RACK_LOADING && r->replica[i].replaces == replica)
            r->replica[i].replaces = RACK_NO; /* the copy stands on its own */
    r->serving[x->model]--;
    x->phase = RACK_DRAINING;
    x->until = r->step + rack_steps(r->load, DRAIN_S);
}

/* --- nodes --------------------------------------------------------------------------------------
 */

bool rack_can_wake(const struct rack *r, uint32_t node)
{
    return r->node[node].power == RACK_OFF && r->node[node].barred <= r->step;
}

static double draw_between(struct random *u, double lo, double hi)
{
    return lo + random_unit(u) * (hi - lo);
}

void rack_wake(struct rack *r, uint32_t node)
{
    struct random u = random_stream(r->seed, STREAM_WAKES, r->wakes++, 0);
    double boot_s = draw_between(&u, r->hw->boot_lo_s, r->hw->boot_hi_s);
    struct rack_node *n = &r->node[node];

    n->fails = random_unit(&u) < r->hw->boot_failed_share;
    n->power = RACK_BOOTING;
    n->until = r->step + rack_steps(r->load, n->fails ? r->hw->boot_failed_s : boot_s);
    r->score.wakes++;
    r->score.failed_boots += n->fails;
}

void rack_shut(struct rack *r, uint32_t node)
{
    struct random u = random_stream(r->seed, STREAM_SHUTS, r->shuts++, 0);
    double shutdown_s = draw_between(&u, r->hw->shutdown_lo_s, r->hw->shutdown_hi_s);
    struct rack_node *n = &r->node[node];

    n->power = RACK_STOPPING;
    n->evacuating = false;
    n->until = r->step + rack_steps(r->load, shutdown_s);
    r->score.sleeps++;
}

uint32_t rack_count(const struct rack *r, enum rack_power power)
{
    uint32_t n_of = 0;

    for (uint32_t n = 0; n < r->hw->nodes; n++)
        n_of += r->node[n].power == power;
    return n_of;
}

static void node_due(struct rack *r, struct rack_node *n)
{
    if (n->until > r->step || (n->power != RACK_BOOTING && n->power != RACK_STOPPING))
        return;
    if (n->power == RACK_BOOTING && n->fails)
        n->barred = r->step + rack_steps(r->load, r->hw->barred_s);
    n->power = n->power == RACK_BOOTING && !n->fails ? RACK_READY : RACK_OFF;
    n->fails = false;
    n->unneeded = -1;
}

void rack_due(struct rack *r)
{
    for (uint32_t n = 0; n < r->hw->nodes; n++)
        node_due(r, &r->node[n]);
    for (uint32_t i = 0; i < r->n_replica; i++) {
        struct rack_replica *x = &r->replica[i];
        uint32_t old = x->replaces;

        if (x->phase != RACK_LOADING || x->until > r->step)
            continue;
        x->phase = RACK_SERVING;
        r->serving[x->model]++;
        x->replaces = RACK_NO;
        if (old != RACK_NO)
            rack_drain(r, old);
    }
    for (uint32_t i = 0; i < r->n_replica; i++)
        if (r->replica[i].phase == RACK_DRAINING && r->replica[i].until <= r->step)
            leave(r, i);
}

/* --- serving ------------------------------------------------------------------------------------
 */

static void serve_model(struct rack *r, uint32_t m)
{
    const struct rack_load *load = r->load;
    double came = load->step_s * load->rate[(size_t)m * load->n_steps + (size_t)r->step];
    double can = load->step_s * load->model[m].capacity * r->serving[m];
    double waiting = r->backlog[m] + came, served = fmin(waiting, can);
    double limit = RACK_PATIENCE_S * can / load->step_s, unserved, late;

    waiting -= served;
    unserved = fmax(0, waiting - limit);
    waiting = fmin(waiting, limit);
    late = fmin(came, fmax(0, waiting - can * RACK_LATE_S / load->step_s));
    r->score.requests += came;
    r->score.unserved += unserved;
    r->score.late += late;
    r->served[m].requests += came;
    r->served[m].unserved += unserved;
    r->served[m].late += late;
    r->backlog[m] = waiting;
    r->used[m] = can > 0 ? served / can : 0;
}

static double node_w(const struct rack *r, const struct rack_node *n, double busy_slots)
{
    switch (n->power) {
    case RACK_OFF:
        return r->hw->asleep_w;
    case RACK_BOOTING:
        return n->fails ? r->hw->watts[0] : r->hw->boot_w;
    case RACK_STOPPING:
        return r->hw->watts[0];
    case RACK_READY:
        break;
    }
    return rack_watts(r->hw, busy_slots / r->hw->slots) - r->hw->free_slot_w * n->free;
}

double rack_node_watts(const struct rack *r, uint32_t node)
{
    return node_w(r, &r->node[node], r->busy_slots[node]);
}

static void count_energy(struct rack *r)
{
    double *busy = r->busy_slots;
    uint32_t awake = 0;

    memset(busy, 0, r->hw->nodes * sizeof(*busy));
    for (uint32_t i = 0; i < r->n_replica; i++) {
        const struct rack_replica *x = &r->replica[i];

        if (x->phase == RACK_SERVING)
            busy[x->node] += r->load->model[x->model].slots * r->used[x->model];
    }
    for (uint32_t n = 0; n < r->hw->nodes; n++) {
        r->score.joules += node_w(r, &r->node[n], busy[n]) * r->load->step_s;
        awake += r->node[n].power == RACK_READY || r->node[n].power == RACK_BOOTING;
    }
    r->score.awake_sum += awake;
    if (awake > r->score.awake_most)
        r->score.awake_most = awake;
}

/* Would what is awake without any one node hold what the last minute needs? */
static bool spare_kept(const struct rack *r)
{
    int64_t minute = rack_steps(r->load, RACK_MINUTE_S);
    double need = 0;

    for (uint32_t m = 0; m < r->load->n_models; m++) {
        double x = rack_mean(r->load, m, r->step - minute + 1, r->step + 1);

        need += r->load->model[m].slots *
                fmax(r->load->model[m].least, rack_ceil(x / r->load->model[m].capacity));
    }
    return (double)r->hw->slots * ((double)rack_count(r, RACK_READY) - 1) >= need;
}

void rack_serve(struct rack *r)
{
    for (uint32_t m = 0; m < r->load->n_models; m++)
        serve_model(r, m);
    count_energy(r);
    r->score.spare_broken += !spare_kept(r);
    r->step++;
}

/* --- life ---------------------------------------------------------------------------------------
 */

void rack_init(struct rack *r, const struct rack_hardware *hw, const struct rack_load *load,
               uint64_t seed, bool spread)
{
    *r = (struct rack){ .hw = hw, .load = load, .seed = seed };
    r->node = xcalloc(hw->nodes + 1, sizeof(*r->node));
    r->busy_slots = xcalloc(hw->nodes + 1, sizeof(*r->busy_slots));
    for (uint32_t n = 0; n < hw->nodes; n++)
        r->node[n] = (struct rack_node){ .power = RACK_READY, .free = hw->slots, .unneeded = -1 };
    for (uint32_t m = 0; m < load->n_models; m++) {
        double first = rack_mean(load, m, 0, rack_steps(load, RACK_MINUTE_S));
        double x = first / (START_LOAD * load->model[m].capacity);

        for (uint32_t k = (uint32_t)fmax(load->model[m].least, rack_ceil(x)); k > 0; k--) {
            uint32_t n = spread ? rack_spread(r, m, RACK_NO) : rack_pack(r, m, RACK_NO);

            if (n != RACK_NO)
                (void)seat(r, m, n, RACK_SERVING);
        }
    }
    r->loads = r->n_replica; /* numbers of loads: those of the start come first */
}

void rack_done(struct rack *r)
{
    free(r->node);
    free(r->replica);
    free(r->busy_slots);
}

void rack_step(struct rack *r, rack_policy *act, void *policy)
{
    rack_due(r);
    act(policy, r);
    rack_serve(r);
}

void rack_run(struct rack *r, rack_policy *act, void *policy)
{
    while ((size_t)r->step < r->load->n_steps)
        rack_step(r, act, policy);
}
