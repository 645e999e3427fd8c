/* The packing's state and its elementary changes. */
#include "controller/placement/packing_private.h"

#include <string.h>

#include "controller/placement/policy.h"
#include "controller/state/replica_template.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

double packing_size(const struct served_model *spec)
{
    return (double)spec->resources.gpu_milli * 100 + (double)spec->resources.cpu_milli +
           (double)spec->resources.memory_bytes / (4 << 20);
}

/* --- set-up ------------------------------------------------------------------------------------
 */

static enum host host_of(const struct snapshot *s, const struct snap_node *n)
{
    if (n->cordoned || n->evacuate || n->pool >= s->n_pools)
        return HOST_NONE;
    switch (n->state) {
    case NODE_AWAKE:
        return n->schedulable ? HOST_AWAKE : HOST_NONE;
    case NODE_WAKING:
        return HOST_COMING;
    case NODE_DRAINING:
    case NODE_EMPTY:
    case NODE_PREPARING:
        return HOST_TURNING;
    case NODE_ASLEEP:
        return n->wakeable ? HOST_ASLEEP : HOST_NONE;
    default:
        return HOST_NONE;
    }
}

static void init_rooms(struct packing *p)
{
    size_t devices = 0, at = 0;

    for (uint32_t i = 0; i < p->s->n_nodes; i++)
        devices += p->s->nodes[i].n_gpus;
    p->gpus = xcalloc(2 * devices + 1, sizeof(*p->gpus));
    for (uint32_t i = 0; i < p->s->n_nodes; i++) {
        const struct snap_node *n = &p->s->nodes[i];

        room_init(&p->peak[i], n, p->gpus + at);
        p->after[i].gpus = p->gpus + devices + at;
        at += n->n_gpus;
        p->host[i] = host_of(p->s, n);
        p->plain_hosts = p->plain_hosts || (p->host[i] != HOST_NONE && n->n_gpus == 0);
    }
}

static uint32_t node_of(const struct snap_replica *r)
{
    return r->node;
}

static uint32_t model_of(const struct snap_replica *r)
{
    return r->model;
}

/* Present replicas by what `of` says, by index among equals. */
static void group_replicas(const struct snapshot *s, uint32_t (*of)(const struct snap_replica *),
                           uint32_t n_groups, uint32_t **ret_first, uint32_t **ret_grouped)
{
    uint32_t *first = xcalloc(n_groups + 2, sizeof(*first));
    uint32_t *grouped = xcalloc(s->n_replicas + 1, sizeof(*grouped));
    AUTO(mem) uint32_t *at = xcalloc(n_groups + 1, sizeof(*at));

    for (uint32_t i = 0; i < s->n_replicas; i++)
        first[of(&s->replicas[i]) + 1]++;
    for (uint32_t k = 0; k < n_groups; k++) {
        first[k + 1] += first[k];
        at[k] = first[k];
    }
    for (uint32_t i = 0; i < s->n_replicas; i++)
        grouped[at[of(&s->replicas[i])]++] = i;
    *ret_first = first;
    *ret_grouped = grouped;
}

static void init_budgets(struct packing *p)
{
    const struct snapshot *s = p->s;

    for (uint32_t i = 0; i < s->n_pools; i++) {
        const struct power_policy *policy = policy_of_pool(s, i);

        p->wakes_left[i] = policy->budget.wakes >= 0 ? policy->budget.wakes : INT64_MAX;
        p->moves_left[i] = policy->budget.moves >= 0 ? policy->budget.moves : INT64_MAX;
        p->awake_left[i] = s->pools[i].spec->max_awake;
        if (p->awake_left[i] < 0)
            p->awake_left[i] = INT64_MAX;
        if (policy->paused || !policy_window_open(s, i))
            p->moves_left[i] = 0;
    }
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        uint32_t pool = s->nodes[i].pool;

        if (pool >= s->n_pools)
            continue;
        p->wakes_left[pool] -= s->nodes[i].state == NODE_WAKING && p->wakes_left[pool] > 0;
        p->awake_left[pool] -= node_state_is_on(s->nodes[i].state) && p->awake_left[pool] > 0;
    }
}

static void count_seat(struct packing *p, uint32_t model, const struct served_model *spec,
                       uint32_t node, int sign)
{
    int64_t there = tally_add(&p->on_node, model, node, sign);

    if (spec->port > 0)
        (void)tally_add(&p->on_port, (uint32_t)spec->port, node, sign);
    if (packing_spreads(p, model))
        tally_add(&p->on_domain, model, packing_domain(p, model, node), sign);
    p->held[node] += (uint32_t)sign;
    p->placed[model] += (uint32_t)sign;
    packing_order_changed(p, node);
    if (sign > 0 && there == 1)
        p->spread_over[model]++;
    if (sign < 0 && there == 0)
        p->spread_over[model]--;
}

/* After each change of what stands on a node. */
static void recount_left(struct packing *p, uint32_t node)
{
    bool in_use = packing_in_use(p, node) && p->host[node] <= HOST_COMING;
    double left = in_use && p->s->nodes[node].n_gpus > 0
                      ? mix_left(&p->mix, &p->peak[node], &p->s->nodes[node])
                      : 0;

    p->mix.left += left - p->left[node];
    p->left[node] = left;
}

void packing_learn(struct packing *p)
{
    AUTO(mem) uint32_t *wanted = xcalloc(p->s->n_models + 1, sizeof(*wanted));

    for (uint32_t m = 0; m < p->s->n_models; m++)
        wanted[m] = p->models[m].target;
    mix_learn(&p->mix, p->s, wanted);
    p->mix.left = 0;
    for (uint32_t n = 0; n < p->s->n_nodes; n++) {
        p->left[n] = 0;
        recount_left(p, n);
    }
    packing_order_all_changed(p);
}

/* What is left is what there is at the peak, but for what goes. */
static void settle_after(struct packing *p)
{
    const struct snapshot *s = p->s;

    for (uint32_t n = 0; n < s->n_nodes; n++) {
        p->after[n].cpu_milli = p->peak[n].cpu_milli;
        p->after[n].memory_bytes = p->peak[n].memory_bytes;
        memcpy(p->after[n].gpus, p->peak[n].gpus, s->nodes[n].n_gpus * sizeof(*p->after[n].gpus));
    }
    for (uint32_t i = 0; i < s->n_replicas; i++)
        if (p->seats[i].node == NO_INDEX)
            room_give(&p->after[s->replicas[i].node], &s->nodes[s->replicas[i].node],
                      p->seats[i].spec, s->replicas[i].gpu_mask);
}

void packing_init(struct packing *p, const struct snapshot *s, const struct plan_model *models,
                  uint64_t max_steps)
{
    uint32_t n = s->n_nodes;

    *p = (struct packing){ .s = s, .models = models, .max_steps = max_steps };
    p->frozen = s->paused || s->warming_up;
    p->host = xcalloc(n + 1, sizeof(*p->host));
    p->peak = xcalloc(n + 1, sizeof(*p->peak));
    p->after = xcalloc(n + 1, sizeof(*p->after));
    p->seats = xcalloc(s->n_replicas + 1, sizeof(*p->seats));
    p->held = xcalloc(n + 1, sizeof(*p->held));
    p->received = xcalloc(n + 1, sizeof(*p->received));
    p->closed = xcalloc(n + 1, sizeof(*p->closed));
    p->left = xcalloc(n + 1, sizeof(*p->left));
    p->placed = xcalloc(s->n_models + 1, sizeof(*p->placed));
    p->spread_over = xcalloc(s->n_models + 1, sizeof(*p->spread_over));
    p->renewal_waits = xcalloc(s->n_models + 1, sizeof(*p->renewal_waits));
    p->wakes_left = xcalloc(s->n_pools + 1, sizeof(*p->wakes_left));
    p->moves_left = xcalloc(s->n_pools + 1, sizeof(*p->moves_left));
    p->awake_left = xcalloc(s->n_pools + 1, sizeof(*p->awake_left));
    init_rooms(p);
    group_replicas(s, node_of, n, &p->first, &p->by_node);
    group_replicas(s, model_of, s->n_models, &p->first_of_model, &p->by_model);
    init_budgets(p);
    packing_order_init(p);
    tally_expect(&p->on_node, s->n_replicas);
    for (uint32_t i = 0; i < s->n_replicas; i++) {
        const struct snap_replica *r = &s->replicas[i];
        const struct served_model *spec = snapshot_replica_spec(s, i);

        p->seats[i] = (struct seat){ r->model, NO_INDEX, r->gpu_mask, spec, false };
        room_take(&p->peak[r->node], &s->nodes[r->node], spec, r->gpu_mask);
        if (!packing_counts(r))
            continue;
        p->seats[i].node = r->node;
        count_seat(p, r->model, spec, r->node, 1);
    }
    settle_after(p);
    load_init(&p->load, s);
    for (uint32_t i = 0; i < s->n_replicas; i++)
        if (p->seats[i].node != NO_INDEX)
            load_shift(&p->load, p->seats[i].node, &p->load.replica[i], 1);
    packing_learn(p);
}

void packing_done(struct packing *p)
{
    void *owned[] = { p->host,       p->peak,       p->after,          p->gpus,
                      p->first,      p->by_node,    p->first_of_model, p->by_model,
                      p->seats,      p->fresh,      p->held,           p->received,
                      p->placed,     p->closed,     p->spread_over,    p->wakes_left,
                      p->moves_left, p->awake_left, p->renewal_waits,  p->left };

    for (size_t i = 0; i < ARRAY_LEN(owned); i++)
        free(owned[i]);
    load_done(&p->load);
    mix_done(&p->mix);
    packing_order_done(p);
    tally_done(&p->on_node);
    tally_done(&p->on_domain);
    tally_done(&p->on_port);
}

/* --- changes ------------------------------------------------------------------------------------
 */

bool packing_open(struct packing *p, uint32_t node)
{
    uint32_t pool = p->s->nodes[node].pool;

    if (p->host[node] == HOST_ASLEEP) {
        if (p->wakes_left[pool] <= 0 || p->awake_left[pool] <= 0)
            return false;
        p->wakes_left[pool]--;
        p->awake_left[pool]--;
    }
    p->host[node] = HOST_COMING;
    packing_order_changed(p, node);
    return true;
}

void packing_close(struct packing *p, uint32_t node, bool closed)
{
    p->closed[node] = closed;
    packing_order_changed(p, node);
}

bool packing_movable(const struct packing *p, uint32_t replica)
{
    const struct snap_replica *r = &p->s->replicas[replica];
    const struct snap_model *m = &p->s->models[r->model];
    uint32_t pool = p->s->nodes[r->node].pool;

    return !p->frozen && !p->models[r->model].frozen && !m->spec->exclusive &&
           !p->seats[replica].renewed && pool < p->s->n_pools && p->moves_left[pool] > 0 &&
           (m->renews || replica_template_within(snapshot_replica_spec(p->s, replica), m->spec));
}

static bool came(const struct packing *p, uint32_t replica)
{
    return p->seats[replica].renewed || p->seats[replica].node != p->s->replicas[replica].node;
}

void packing_leave(struct packing *p, uint32_t replica)
{
    struct seat *seat = &p->seats[replica];
    const struct snap_node *n = &p->s->nodes[seat->node];

    room_give(&p->after[seat->node], n, seat->spec, seat->mask);
    load_shift(&p->load, seat->node, &p->load.replica[replica], -1);
    count_seat(p, seat->model, seat->spec, seat->node, -1);
    if (came(p, replica)) {
        room_give(&p->peak[seat->node], n, seat->spec, seat->mask);
        p->received[seat->node]--;
        p->moves_left[p->s->nodes[p->s->replicas[replica].node].pool]++;
    }
    recount_left(p, seat->node);
    seat->node = NO_INDEX;
    seat->renewed = false;
}

static void take_seat(struct packing *p, uint32_t replica, uint32_t node, uint64_t mask, bool renew)
{
    struct seat *seat = &p->seats[replica];
    const struct snap_node *n = &p->s->nodes[node];

    if (seat->node != NO_INDEX)
        packing_leave(p, replica);
    *seat =
        (struct seat){ seat->model, node, mask,
                       renew ? packing_spec(p, seat->model) : snapshot_replica_spec(p->s, replica),
                       renew };
    room_take(&p->after[node], n, seat->spec, mask);
    load_shift(&p->load, node, &p->load.replica[replica], 1);
    count_seat(p, seat->model, seat->spec, node, 1);
    if (came(p, replica)) {
        room_take(&p->peak[node], n, seat->spec, mask);
        p->received[node]++;
        p->moves_left[p->s->nodes[p->s->replicas[replica].node].pool]--;
    }
    recount_left(p, node);
}

/* An outdated one is renewed by the way, where its model may be renewed. */
void packing_move(struct packing *p, uint32_t replica, uint32_t node, uint64_t mask)
{
    const struct snap_replica *r = &p->s->replicas[replica];

    take_seat(p, replica, node, mask,
              node != r->node && snapshot_outdated(r) && p->s->models[r->model].renews);
}

void packing_renew(struct packing *p, uint32_t replica, uint32_t node, uint64_t mask)
{
    take_seat(p, replica, node, mask, true);
}

static void take_fresh(struct packing *p, const struct seat *seat)
{
    const struct snap_node *n = &p->s->nodes[seat->node];

    room_take(&p->peak[seat->node], n, seat->spec, seat->mask);
    room_take(&p->after[seat->node], n, seat->spec, seat->mask);
    load_shift(&p->load, seat->node, &p->load.model[seat->model], 1);
    count_seat(p, seat->model, seat->spec, seat->node, 1);
    p->received[seat->node]++;
    recount_left(p, seat->node);
}

void packing_start_on(struct packing *p, uint32_t model, uint32_t node, uint64_t mask)
{
    struct seat *seat = ARRAY_ADD(p, fresh);

    *seat = (struct seat){ model, node, mask, packing_spec(p, model), false };
    take_fresh(p, seat);
}

void packing_restart(struct packing *p, size_t fresh, uint32_t node, uint64_t mask)
{
    struct seat *seat = &p->fresh[fresh];
    const struct snap_node *n = &p->s->nodes[seat->node];

    room_give(&p->peak[seat->node], n, seat->spec, seat->mask);
    room_give(&p->after[seat->node], n, seat->spec, seat->mask);
    load_shift(&p->load, seat->node, &p->load.model[seat->model], -1);
    count_seat(p, seat->model, seat->spec, seat->node, -1);
    p->received[seat->node]--;
    recount_left(p, seat->node);
    seat->node = node;
    seat->mask = mask;
    take_fresh(p, seat);
}
