/* The packing's state and its elementary changes. */
#include "controller/placement/packing.h"

#include <math.h>
#include <string.h>

#include "controller/placement/opening.h"
#include "controller/placement/policy.h"
#include "controller/placement/renewal.h"
#include "controller/state/replica_template.h"
#include "proto/base/array.h"
#include "proto/base/random.h"

bool packing_counts(const struct snap_replica *r)
{
    return !r->leaving && r->phase != REPLICA_FAILED && r->phase != REPLICA_EXITED;
}

static const struct served_model *spec_of(const struct packing *p, uint32_t model)
{
    return p->s->models[model].spec;
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
        room_init(&p->after[i], n, p->gpus + devices + at);
        at += n->n_gpus;
        p->host[i] = host_of(p->s, n);
        p->plain_hosts = p->plain_hosts || (p->host[i] != HOST_NONE && n->n_gpus == 0);
    }
}

static void index_replicas(struct packing *p)
{
    const struct snapshot *s = p->s;
    uint32_t *at = xcalloc(s->n_nodes + 1, sizeof(*at));

    for (uint32_t i = 0; i < s->n_replicas; i++)
        p->first[s->replicas[i].node + 1]++;
    for (uint32_t n = 0; n < s->n_nodes; n++) {
        p->first[n + 1] += p->first[n];
        at[n] = p->first[n];
    }
    for (uint32_t i = 0; i < s->n_replicas; i++)
        p->by_node[at[s->replicas[i].node]++] = i;
    free(at);
}

static bool is_on(enum node_state s)
{
    return s == NODE_AWAKE || s == NODE_HELD || s == NODE_WAKING ||
           (s >= NODE_DRAINING && s <= NODE_SLEEPING);
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
        p->awake_left[pool] -= is_on(s->nodes[i].state) && p->awake_left[pool] > 0;
    }
}

/* The domain of a node under the model's spread label. */
static uint32_t domain_of(const struct packing *p, uint32_t model, uint32_t node)
{
    const struct string_map *labels = p->s->nodes[node].labels;
    const char *key = spec_of(p, model)->placement.spread;

    for (size_t i = 0; labels && i < labels->n; i++)
        if (strcmp(labels->pair[i].key, key) == 0)
            return (uint32_t)random_hash(labels->pair[i].value);
    return 0;
}

static bool spreads(const struct packing *p, uint32_t model)
{
    return spec_of(p, model)->placement.spread && spec_of(p, model)->placement.spread[0];
}

static void count_seat(struct packing *p, uint32_t model, uint32_t node, int sign)
{
    int64_t there = tally_add(&p->on_node, model, node, sign);

    if (spreads(p, model))
        tally_add(&p->on_domain, model, domain_of(p, model, node), sign);
    p->held[node] += (uint32_t)sign;
    p->placed[model] += (uint32_t)sign;
    if (sign > 0 && there == 1)
        p->spread_over[model]++;
    if (sign < 0 && there == 0)
        p->spread_over[model]--;
}

void packing_learn(struct packing *p)
{
    AUTO(mem) uint32_t *wanted = xcalloc(p->s->n_models + 1, sizeof(*wanted));

    for (uint32_t m = 0; m < p->s->n_models; m++)
        wanted[m] = p->models[m].target;
    mix_learn(&p->mix, p->s, wanted);
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
    p->first = xcalloc(n + 2, sizeof(*p->first));
    p->by_node = xcalloc(s->n_replicas + 1, sizeof(*p->by_node));
    p->seats = xcalloc(s->n_replicas + 1, sizeof(*p->seats));
    p->held = xcalloc(n + 1, sizeof(*p->held));
    p->received = xcalloc(n + 1, sizeof(*p->received));
    p->closed = xcalloc(n + 1, sizeof(*p->closed));
    p->placed = xcalloc(s->n_models + 1, sizeof(*p->placed));
    p->spread_over = xcalloc(s->n_models + 1, sizeof(*p->spread_over));
    p->renewal_waits = xcalloc(s->n_models + 1, sizeof(*p->renewal_waits));
    p->wakes_left = xcalloc(s->n_pools + 1, sizeof(*p->wakes_left));
    p->moves_left = xcalloc(s->n_pools + 1, sizeof(*p->moves_left));
    p->awake_left = xcalloc(s->n_pools + 1, sizeof(*p->awake_left));
    init_rooms(p);
    index_replicas(p);
    init_budgets(p);
    packing_learn(p);
    for (uint32_t i = 0; i < s->n_replicas; i++) {
        const struct snap_replica *r = &s->replicas[i];

        const struct served_model *spec = snapshot_replica_spec(s, i);

        p->seats[i] = (struct seat){ r->model, NO_INDEX, r->gpu_mask, spec, false };
        room_take(&p->peak[r->node], &s->nodes[r->node], spec, r->gpu_mask);
        if (!packing_counts(r))
            continue;
        p->seats[i].node = r->node;
        room_take(&p->after[r->node], &s->nodes[r->node], spec, r->gpu_mask);
        count_seat(p, r->model, r->node, 1);
    }
}

void packing_done(struct packing *p)
{
    void *owned[] = { p->host,       p->peak,         p->after,       p->gpus,       p->first,
                      p->by_node,    p->seats,        p->fresh,       p->held,       p->received,
                      p->placed,     p->closed,       p->spread_over, p->wakes_left, p->moves_left,
                      p->awake_left, p->renewal_waits };

    for (size_t i = 0; i < ARRAY_LEN(owned); i++)
        free(owned[i]);
    mix_done(&p->mix);
    tally_done(&p->on_node);
    tally_done(&p->on_domain);
}

/* --- finding ------------------------------------------------------------------------------------
 */

static bool admits(const struct packing *p, uint32_t model, uint32_t node)
{
    const struct served_model *spec = spec_of(p, model);
    int64_t there;

    if (!snapshot_eligible(&p->s->models[model], node))
        return false;
    there = tally_get(&p->on_node, model, node);
    if (spec->placement.max_per_node >= 0 && there >= spec->placement.max_per_node)
        return false;
    if (spec->port > 0 && there > 0)
        return false; /* a fixed port is free once per node */
    return there == 0 || p->crowd || (int64_t)p->spread_over[model] >= spec->placement.min_nodes;
}

/* On a node with devices: what the replica makes useless for the others. */
static bool device_score(const struct packing *p, uint32_t model, uint32_t node, double *ret_score,
                         uint64_t *ret_mask)
{
    const struct served_model *spec = spec_of(p, model);
    double cost;

    if (!mix_cost(&p->mix, &p->peak[node], &p->s->nodes[node], spec, p->held[node] == 0, &cost,
                  ret_mask))
        return false;
    *ret_score = 40 * cost; /* an empty node costs 8, as one without devices does */
    if (spec->resources.gpu_milli <= 0 && p->plain_hosts)
        *ret_score += 16; /* devices are left to those that need them */
    return true;
}

/* On a node without: little left over, not empty. */
static bool plain_score(const struct packing *p, uint32_t model, uint32_t node, double *ret_score,
                        uint64_t *ret_mask)
{
    const struct snap_node *n = &p->s->nodes[node];
    const struct served_model *spec = spec_of(p, model);
    const struct room *r = &p->peak[node];
    double sum = 0;

    if (!room_fits(r, n, spec, ret_mask))
        return false;
    if (n->cpu_milli > 0)
        sum += (double)(r->cpu_milli - spec->resources.cpu_milli) / (double)n->cpu_milli;
    if (n->memory_bytes > 0)
        sum += (double)(r->memory_bytes - spec->resources.memory_bytes) / (double)n->memory_bytes;
    if (p->held[node] == 0)
        sum += 8;
    *ret_score = sum;
    return true;
}

/* Lower is better: fitting, few of the model in the domain, frugal, soon there. False: no room. */
static bool score(const struct packing *p, uint32_t model, uint32_t node, double *ret_score,
                  uint64_t *ret_mask)
{
    const struct snap_node *n = &p->s->nodes[node];
    double sum;

    if (n->n_gpus > 0 ? !device_score(p, model, node, &sum, ret_mask)
                      : !plain_score(p, model, node, &sum, ret_mask))
        return false;
    if (n->cpu_milli > 0)
        sum += 0.02 * node_curve_watts(&n->curve, 0.7) * 1000 / (double)n->cpu_milli;
    if (p->host[node] == HOST_ASLEEP)
        sum += n->curve.boot_p99_s / 60;
    if (spreads(p, model))
        sum += 64 * (double)tally_get(&p->on_domain, model, domain_of(p, model, node));
    *ret_score = sum;
    return true;
}

uint32_t packing_find(struct packing *p, uint32_t model, enum host kind, uint32_t but,
                      bool busy_only, uint64_t *ret_mask)
{
    uint32_t best = NO_INDEX;
    double best_score = INFINITY;
    uint64_t mask;

    for (uint32_t i = 0; i < p->s->n_nodes; i++) {
        double here;

        if (p->host[i] != kind || p->closed[i] || i == but || (busy_only && p->held[i] == 0))
            continue;
        p->steps++;
        if (!admits(p, model, i) || !score(p, model, i, &here, &mask))
            continue;
        if (here < best_score) {
            best_score = here;
            best = i;
            *ret_mask = mask;
        }
    }
    return best;
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
    return true;
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
    count_seat(p, seat->model, seat->node, -1);
    if (came(p, replica)) {
        room_give(&p->peak[seat->node], n, seat->spec, seat->mask);
        p->received[seat->node]--;
        p->moves_left[p->s->nodes[p->s->replicas[replica].node].pool]++;
    }
    seat->node = NO_INDEX;
    seat->renewed = false;
}

static void take_seat(struct packing *p, uint32_t replica, uint32_t node, uint64_t mask, bool renew)
{
    struct seat *seat = &p->seats[replica];
    const struct snap_node *n = &p->s->nodes[node];

    if (seat->node != NO_INDEX)
        packing_leave(p, replica);
    *seat = (struct seat){ seat->model, node, mask,
                           renew ? spec_of(p, seat->model) : snapshot_replica_spec(p->s, replica),
                           renew };
    room_take(&p->after[node], n, seat->spec, mask);
    count_seat(p, seat->model, node, 1);
    if (came(p, replica)) {
        room_take(&p->peak[node], n, seat->spec, mask);
        p->received[node]++;
        p->moves_left[p->s->nodes[p->s->replicas[replica].node].pool]--;
    }
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

/* --- surplus ------------------------------------------------------------------------------------
 */

/* The one that is missed least: outdated, failing, on a node that is to be left, on a thinly used
 * node. One that is still starting is as good as a ready one: it may be the second half of a move;
 * and the first ones of a new version are on trial: they are given up or become ready. */
static double worth(const struct packing *p, uint32_t replica)
{
    const struct snap_replica *r = &p->s->replicas[replica];
    bool fails = r->phase == REPLICA_BACKOFF || r->phase == REPLICA_UNREADY;
    bool trial = !snapshot_outdated(r) && r->follows > 0;
    double sum = fails && !trial ? 0 : 1000;

    if (snapshot_outdated(r))
        sum -= r->phase == REPLICA_READY ? 500 : 1200;

    if (p->host[r->node] == HOST_TURNING || p->s->nodes[r->node].evacuate)
        sum -= 2000;
    if (spreads(p, r->model))
        sum -= 50 * (double)tally_get(&p->on_domain, r->model, domain_of(p, r->model, r->node));
    return sum + fmin(p->held[r->node], 40);
}

static bool may_drop(const struct packing *p, uint32_t model)
{
    const struct plan_model *m = &p->models[model];

    return !p->frozen && !m->frozen && p->placed[model] > m->target;
}

static void drop_surplus(struct packing *p, uint32_t model, const uint32_t *mine, uint32_t n)
{
    while (may_drop(p, model)) {
        uint32_t worst = NO_INDEX;
        double least = INFINITY;

        for (uint32_t i = 0; i < n; i++) {
            if (p->seats[mine[i]].node == NO_INDEX || worth(p, mine[i]) >= least)
                continue;
            least = worth(p, mine[i]);
            worst = mine[i];
        }
        if (worst == NO_INDEX)
            return;
        packing_leave(p, worst);
    }
}

/* --- what is missing ----------------------------------------------------------------------------
 */

uint32_t packing_find_anywhere(struct packing *p, uint32_t model, uint32_t but, uint64_t *ret_mask)
{
    for (int kind = HOST_AWAKE; kind < HOST_NONE; kind++) {
        uint32_t node = packing_find(p, model, (enum host)kind, but, false, ret_mask);

        if (node != NO_INDEX && (kind <= HOST_COMING || packing_open(p, node)))
            return node;
    }
    return NO_INDEX;
}

static void start_on(struct packing *p, uint32_t model, uint32_t node, uint64_t mask)
{
    const struct snap_node *n = &p->s->nodes[node];

    *ARRAY_ADD(p, fresh) = (struct seat){ model, node, mask, spec_of(p, model), false };
    room_take(&p->peak[node], n, spec_of(p, model), mask);
    room_take(&p->after[node], n, spec_of(p, model), mask);
    count_seat(p, model, node, 1);
    p->received[node]++;
}

bool packing_start(struct packing *p, uint32_t model, uint32_t node)
{
    double unused;
    uint64_t mask;

    if (!admits(p, model, node) || !score(p, model, node, &unused, &mask))
        return false;
    start_on(p, model, node, mask);
    return true;
}

bool packing_place(struct packing *p, uint32_t model)
{
    uint64_t mask;
    uint32_t node = packing_find_anywhere(p, model, NO_INDEX, &mask);

    if (node == NO_INDEX)
        return false;
    start_on(p, model, node, mask);
    return true;
}

/* The best node for one may be the best for the next too: where there are no devices, a node that
 * is fuller is better. */
static bool start_next(struct packing *p, uint32_t model, uint32_t node)
{
    return p->placed[model] < p->models[model].target && p->s->nodes[node].n_gpus == 0 &&
           !spreads(p, model) && packing_start(p, model, node);
}

/* What nodes that serve already have room for. */
static void start_beside(struct packing *p, uint32_t model)
{
    while (p->placed[model] < p->models[model].target) {
        uint64_t mask;
        uint32_t node = packing_find(p, model, HOST_AWAKE, NO_INDEX, true, &mask);

        if (node == NO_INDEX)
            node = packing_find(p, model, HOST_COMING, NO_INDEX, true, &mask);
        if (node == NO_INDEX)
            return;
        start_on(p, model, node, mask);
        while (start_next(p, model, node))
            ;
    }
}

static void start_missing(struct packing *p, uint32_t model)
{
    while (p->placed[model] < p->models[model].target) {
        uint64_t mask;
        uint32_t node = packing_find_anywhere(p, model, NO_INDEX, &mask);

        if (node == NO_INDEX && p->crowd)
            break;
        if (node == NO_INDEX) {
            p->crowd = true; /* too few nodes is better than too few replicas */
            continue;
        }
        start_on(p, model, node, mask);
        while (start_next(p, model, node))
            ;
    }
    p->crowd = false;
}

/* --- rescue -------------------------------------------------------------------------------------
 */

/* A node on its way to sleep that cannot be emptied is turned back. */
static void leave_node(struct packing *p, uint32_t node)
{
    for (uint32_t k = p->first[node]; k < p->first[node + 1]; k++) {
        uint32_t replica = p->by_node[k], to = NO_INDEX;
        uint64_t mask;

        if (p->seats[replica].node != node)
            continue;
        if (packing_movable(p, replica)) {
            uint32_t model = p->seats[replica].model;

            to = p->host[node] == HOST_TURNING
                     ? packing_find(p, model, HOST_AWAKE, node, false, &mask)
                     : packing_find_anywhere(p, model, node, &mask);
        }
        if (to != NO_INDEX)
            packing_move(p, replica, to, mask);
        else if (p->host[node] == HOST_TURNING && p->s->replicas[replica].phase == REPLICA_READY)
            packing_open(p, node);
        if (p->host[node] == HOST_COMING)
            return;
    }
}

struct order {
    uint32_t model;
    int64_t priority;
    double size;
};

static int compare_orders(const void *a, const void *b)
{
    const struct order *x = a, *y = b;

    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->model < y->model ? -1 : x->model > y->model;
}

static double size_of(const struct served_model *spec)
{
    return (double)spec->resources.gpu_milli * 100 + (double)spec->resources.cpu_milli +
           (double)spec->resources.memory_bytes / (4 << 20);
}

static uint32_t *group_by_model(const struct packing *p, uint32_t *start)
{
    const struct snapshot *s = p->s;
    uint32_t *mine = xcalloc(s->n_replicas + 1, sizeof(*mine));
    uint32_t *at = xcalloc(s->n_models + 1, sizeof(*at));

    for (uint32_t i = 0; i < s->n_replicas; i++)
        start[s->replicas[i].model + 1]++;
    for (uint32_t m = 0; m < s->n_models; m++) {
        start[m + 1] += start[m];
        at[m] = start[m];
    }
    for (uint32_t i = 0; i < s->n_replicas; i++)
        mine[at[s->replicas[i].model]++] = i;
    free(at);
    return mine;
}

void packing_solve(struct packing *p)
{
    const struct snapshot *s = p->s;
    AUTO(mem) struct order *orders = xcalloc(s->n_models + 1, sizeof(*orders));
    AUTO(mem) uint32_t *start = xcalloc(s->n_models + 2, sizeof(*start));
    AUTO(mem) uint32_t *mine = group_by_model(p, start);

    renewal_settle(p);
    for (uint32_t m = 0; m < s->n_models; m++) {
        orders[m] = (struct order){ m, spec_of(p, m)->priority, size_of(spec_of(p, m)) };
        drop_surplus(p, m, mine + start[m], start[m + 1] - start[m]);
    }
    qsort(orders, s->n_models, sizeof(*orders), compare_orders);
    for (uint32_t i = 0; i < s->n_models; i++) {
        if (spec_of(p, orders[i].model)->placement.min_nodes > 1 || spreads(p, orders[i].model))
            start_missing(p, orders[i].model);
        else
            start_beside(p, orders[i].model);
    }
    opening(p);
    for (uint32_t i = 0; i < s->n_models; i++)
        start_missing(p, orders[i].model);
    for (uint32_t n = 0; n < s->n_nodes; n++)
        if (p->host[n] == HOST_TURNING || s->nodes[n].evacuate)
            leave_node(p, n);
    renewal(p);
}
